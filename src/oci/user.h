/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users of a container: "user[:group]" strings and the text of a root filesystem's /etc/passwd and
 * /etc/group. Pure: the caller reads the files (through the root's fd) and hands in their bytes; no
 * NSS (design rule 7). All of it is hostile: numbers are strict decimal below 2^32 - 1 without
 * leading zeros, so nothing wraps to root (CVE-2026-30892); lines that break the format are
 * skipped, never guessed at.
 */
#pragma once

#include "base/err.h"
#include "base/json.h"

#define USER_FILE_MAX   (4u << 20) /* bytes of a passwd or group file that are accepted */
#define USER_GROUPS_MAX 1024       /* supplementary groups of one user */
#define USER_NAME_MAX   255

struct user_files {
	const char *passwd; /* NULL: the file is absent */
	size_t passwd_len;
	const char *group;
	size_t group_len;
};

struct user_result {
	uint32_t uid, gid;
	struct json_u32s groups; /* supplementary groups, ascending, without gid itself */
	char *name;              /* from passwd, NULL: not listed there */
	char *gecos;             /* from passwd; NULL: not listed there */
	char *home;              /* from passwd, absolute; NULL: not known, use "/" */
	char *shell;             /* from passwd, absolute; NULL: not known */
};

/*
 * Resolves spec: "", "user", "uid", "user:group", "uid:gid", "uid:group", "user:gid".
 * "" is uid 0. A word that is a strict number is an id, whatever the files say about names made
 * of digits. A number that is not listed in passwd gets gid 0 and no groups. With ":group" the
 * supplementary groups are left out, as image-spec config.md asks. Errors: ERR_INVALID for a bad
 * spec, ERR_NOT_FOUND for a name that the files do not have.
 */
int user_resolve(const char *spec, const struct user_files *files, struct user_result *ret,
		 struct err *err);
/* One group by name or number (--group-add). 0 and *ret_gid, or -errno. */
int user_resolve_group(const char *spec, const struct user_files *files, uint32_t *ret_gid,
		       struct err *err);
/* What it is called in group; NULL: it is not. The caller frees. */
char *user_group_name(const struct user_files *files, uint32_t gid);
/* Strict id: decimal, no sign, no leading zero, at most 4294967294. 0 or -EINVAL. */
int user_parse_id(const char *text, uint32_t *ret) MUST_CHECK;
void user_result_done(struct user_result *user);
#define cleanup_user CLEANUP(user_result_done)

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mappings.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "oci/user.h"

#define FILE_MAX (4u << 20)

/* systemd UIDS-GIDS.md: 524288 to 1879048191 are for containers, in blocks of 65536. */
#define BLOCK       65536u
#define BLOCK_FIRST 8u
#define BLOCK_LAST  28671u

char *mappings_own_name(uid_t uid)
{
	cleanup_buf struct buf passwd = BUF_INIT;
	struct user_result user = { 0 };
	struct user_files files;
	char word[16], *name = NULL;

	if (io_read_file(AT_FDCWD, "/etc/passwd", &passwd, FILE_MAX, NULL) < 0)
		return NULL;
	files = (struct user_files){ .passwd = passwd.data, .passwd_len = passwd.len };
	snprintf(word, sizeof(word), "%u", (unsigned int)uid);
	if (user_resolve(word, &files, &user, NULL) < 0)
		return NULL;
	name = take_ptr(user.name);
	user_result_done(&user);
	return name;
}

static int own_map(const char *file, const char *name, uint32_t own, struct idmap *ret,
		   struct err *err)
{
	struct subid_range ranges[SUBID_RANGES_MAX];
	cleanup_buf struct buf text = BUF_INIT;
	size_t n;
	int r;

	/* No such file: no subordinate ids. */
	if (io_read_file(AT_FDCWD, file, &text, FILE_MAX, NULL) < 0)
		buf_reset(&text);
	n = subid_parse(buf_str(&text), text.len, name, (uint32_t)getuid(), ranges,
			ARRAY_SIZE(ranges));
	r = idmap_rootless(own, ranges, n, ret);
	return r < 0 ? err_errno(err, -r, "mapping the ids that %s gives", file) : 0;
}

int mappings_rootless(struct idmap *ret_uids, struct idmap *ret_gids, struct err *err)
{
	cleanup_free char *name = NULL;
	int r;

	/* Below `inro unshare` the mapping is made already. */
	if (geteuid() == 0)
		return idmap_own(ret_uids, ret_gids, err);
	name = mappings_own_name(getuid());
	r = own_map("/etc/subuid", name, (uint32_t)geteuid(), ret_uids, err);
	if (r < 0)
		return r;
	r = own_map("/etc/subgid", name, (uint32_t)getegid(), ret_gids, err);
	/* newgidmap is no use without newuidmap: one own id needs setgroups denied for both. */
	if (r == 0 && (ret_uids->n == 1) != (ret_gids->n == 1)) {
		ret_uids->n = ret_gids->n = 1;
	}
	if (r < 0)
		idmap_done(ret_uids);
	return r;
}

/* Does a line "name:start:count" of /etc/subuid touch the block? */
static bool block_taken(const char *text, uint32_t start)
{
	cleanup_strv char **lines = strv_split(text, '\n');
	size_t i;

	for (i = 0; lines[i]; i++) {
		cleanup_strv char **parts = strv_split(lines[i], ':');
		uint32_t from, count;

		if (strv_len(parts) == 3 && str_parse_u32(parts[1], &from) == 0 &&
		    str_parse_u32(parts[2], &count) == 0 && from < start + BLOCK &&
		    (uint64_t)from + count > start)
			return true;
	}
	return false;
}

int mappings_auto(const char *container_id, struct idmap *ret_uids, struct idmap *ret_gids,
		  struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	uint32_t hash = 2166136261u, i, start;
	const char *p;
	int r;

	io_read_file(AT_FDCWD, "/etc/subuid", &text, FILE_MAX, NULL);
	buf_addc(&text, '\n');
	io_read_file(AT_FDCWD, "/etc/subgid", &text, FILE_MAX, NULL);
	for (p = container_id; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	for (i = 0; i < 64; i++, hash += 7919) {
		start = (BLOCK_FIRST + hash % (BLOCK_LAST - BLOCK_FIRST + 1)) * BLOCK;
		if (!block_taken(buf_str(&text), start))
			break;
	}
	if (i == 64)
		return err_fail(err, ERR_LIMIT,
				"finding free ids for a user namespace: all tried "
				"blocks are given to users in /etc/subuid");
	r = idmap_add(ret_uids, 0, start, BLOCK);
	if (r == 0)
		r = idmap_add(ret_gids, 0, start, BLOCK);
	return r < 0 ? err_errno(err, -r, "mapping ids") : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's user, from the /etc/passwd and /etc/group of its image. They are read from the
 * layers before anything is mounted: the topmost layer that says something about the file decides,
 * as in the overlay. A file that is a link into another layer counts as absent.
 */
#pragma once

#include <sys/stat.h>

#include "base/buf.h"
#include "oci/user.h"

struct userdb_file {
	struct buf text;
	struct stat st; /* st_mode 0: the image has none */
	bool closed;    /* it has one that can't be read whole, or that is a link */
	bool changed;   /* lines were added to text */
	bool told;      /* that it is closed */
};
struct userdb {
	struct userdb_file passwd, group;
	struct stat etc;  /* of the directory; st_mode 0: there is none */
	bool etc_is_link; /* or anything else but a directory */
};
/* layers: topmost first. */
void userdb_read(const int *layers, size_t n, struct userdb *ret);
void userdb_done(struct userdb *db);
#define cleanup_userdb CLEANUP(userdb_done)
struct user_files userdb_files(const struct userdb *db);

/* words: --user or the image's User, and --group-add. */
int userdb_resolve(const struct userdb *db, const char *user, char *const *groups,
		   struct user_result *ret, struct json_u32s *ret_groups, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of apply: the state of one unpacking and the member under way. */
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <time.h>

#include "base/buf.h"
#include "image/layer/apply.h"

/* A directory's times and default ACL are set at the end: making its members changes those, and
 * they would inherit this. */
struct dir_time {
	char *path;
	struct timespec times[2];
	struct buf default_acl;
};

struct apply {
	const struct apply_options *opts;
	struct source *src;
	struct archive *tar;
	int root;
	/* The directory that the last member was in: members of one directory come together, so
	 * most need no walk. The fd stays inside the root whatever happens to the path. */
	char *parent_path;
	int parent_fd;
	enum { LINKED_UNKNOWN, LINKED_NO, LINKED_YES } parent_linked; /* a symlink is in its path */
	enum {
		HIDING_UNKNOWN,
		HIDING_NO,
		HIDING_YES
	} parent_hiding; /* it shows nothing of lower layers */
	struct dir_time *dirs;
	size_t n_dirs, cap_dirs, dir_bytes;
	bool default_acls; /* one of them has one */
	bool root_opaque;
	bool root_named; /* the archive has an entry for the root directory */
	char **implied;  /* directories made for their members alone */
	size_t n_implied, implied_bytes, devices_left_out;
	char **whiteouts; /* directories that have one, as they came */
	size_t n_whiteouts, cap_whiteouts, whiteout_bytes;
	uint64_t size, entries;
};

struct member {
	struct archive_entry *entry;
	const char *path; /* clean, relative, not "" */
	const char *base; /* its last component */
	int dir;          /* the directory it is in, borrowed from apply.parent_fd */
};

/* Makes the member, in place of what has its name. */
int member_make(struct apply *ap, const struct member *m, struct err *err);
int apply_remember_dir(struct apply *ap, const char *path, struct archive_entry *entry,
		       struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at a tree for packing and comparing: one directory, one entry, its attributes. */
#pragma once

#include <sys/stat.h>

#include "image/layer/pack.h"
#include "image/tar_header.h"

#define PACK_DEPTH_MAX 200 /* levels of directories: an fd for each */

/* The names in a directory, sorted by their bytes; NULL when it is empty. */
int pack_names(int dir_fd, char ***ret, struct err *err);
/* An fd of the directory name. -ENOENT or -ENOTDIR without an error when it is none (any more). */
int pack_open_dir(int dir_fd, const char *name, const char *path, struct err *err);

struct pack_entry {
	struct stat st;
	struct tar_xattr *xattrs; /* those that belong into an archive, sorted */
	size_t n_xattrs;
	bool whiteout, opaque; /* overlayfs's marks */
};
/* Fills ret for name in the directory, "." for itself. -ENOENT without an error when it has gone.
 * Changes the working directory. */
int pack_entry_read(int dir_fd, const char *name, const char *path, const struct pack_options *opts,
		    struct pack_entry *ret, struct err *err);
void pack_entry_done(struct pack_entry *entry);
#define cleanup_pack_entry CLEANUP(pack_entry_done)

/* Is it what the runtime made for a mount? path: without a slash in front. */
bool pack_excluded(int dir_fd, const char *name, const char *path, const struct stat *st,
		   const struct pack_options *opts);

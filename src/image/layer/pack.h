/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way back: a tree as a tar. Either an overlay's upper directory as a layer (image-spec
 * layer.md), with its marks turned into whiteouts, or any tree as it is. Names are looked up one at
 * a time in directories that are open; nothing is followed. The same tree gives the same bytes.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct pack_options {
	bool userns; /* overlay's marks are user.overlay.* */
	bool layer;  /* an upper directory */
	bool gzip;
	int64_t timestamp;    /* seconds: all times are this one; < 0: as they are */
	int64_t newest;       /* later times become this one; < 0: any */
	char *const *exclude; /* "/etc/hosts": left out where it is an empty file or directory */
};
/* Writes the tree of the directory dir_fd to out_fd. */
int pack_tree(int dir_fd, int out_fd, const struct pack_options *opts, struct err *err);

/* What the upper directory changes in the lower tree: 'A', 'C' or 'D' and an absolute path, each
 * with a NUL behind, sorted by path. */
int pack_diff(int upper_fd, int lower_fd, const struct pack_options *opts, struct buf *out,
	      struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reading end of `inro cp`: an object and all below it, into a stream (cp_stream.h). Whoever
 * owns the tree may be hostile and change it meanwhile: each name is opened once, without following
 * a link, and nothing but a regular file or a directory is opened for more than a look at it. What
 * disappears is left out. In filesystems of the kernel's that are mounted below (/proc, /sys)
 * nothing is copied but their directory.
 */
#pragma once

#include "image/cp_stream.h"

struct cp_walk_options {
	int fds_dir; /* /proc/self/fd of this process */
	bool acls;   /* access lists, whose ids mean something where they go */
};
/* The object that fd (O_PATH, or of a symlink itself) is of, called name; "." for what is in the
 * directory. From CP_BEGIN to CP_END. */
int cp_walk(int fd, const char *name, const struct cp_walk_options *opts, struct cp_out *out,
	    struct err *err);

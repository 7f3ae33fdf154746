/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk of base/path.h: a path resolved below a root component by component, in our own hands,
 * holding an O_PATH fd per level. It serves two needs: making what is missing on the way (which
 * openat2(2) can't), and kernels or sandboxes without openat2(2). Private to base/path*.c.
 */
#pragma once

#include "base/util.h"

enum path_make {
	PATH_MAKE_NOTHING,
	PATH_MAKE_DIRS,
	PATH_MAKE_FILE /* and the directories above */
};

struct path_walk_how {
	int flags; /* of open(2) for the result; when making: ignored, the result is O_PATH */
	mode_t mode;
	bool no_xdev; /* -EXDEV when a mount is crossed */
	enum path_make make;
	mode_t dir_mode; /* of directories made on the way */
};

/* Returns the fd or -errno, as openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS) would. */
int path_walk(int rootfd, const char *path, const struct path_walk_how *how);
/* openat2(2) with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, or the walk. Returns the fd or -errno.
 */
int path_resolve(int rootfd, const char *path, int flags, mode_t mode, bool no_xdev);

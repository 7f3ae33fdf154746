/* SPDX-License-Identifier: Apache-2.0 */
/* Device nodes and FIFOs in a directory that is reached by fd (design rule 6). mknod(2). */
#pragma once

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/err.h"

/*
 * Makes name (one component) in dirfd: type_and_mode is S_IFCHR, S_IFBLK or S_IFIFO with
 * permissions, which the umask does not touch. What is there afterwards is checked to be that very
 * node: a device of other numbers in its place is an error. Where the same node exists already only
 * owner and mode are set. Returns an O_PATH fd of it, or -errno; -EPERM in a user namespace, where
 * the caller binds the host's node instead.
 */
int dev_make(int dirfd, const char *name, mode_t type_and_mode, dev_t rdev, uid_t uid, gid_t gid,
	     struct err *err);

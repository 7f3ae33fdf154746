/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes of what an fd refers to, O_PATH ones and symlinks included: f*xattr(2), else
 * by name of the fd in /proc, for neither those nor the *xattrat calls of Linux 6.13 take O_PATH.
 * xattr(7). Values are at most 64 KiB, as in the kernel. 0 or -errno.
 */
#pragma once

#include "base/buf.h"

int xattr_set(int fd, const char *name, const void *value, size_t len);
/* Replaces what out holds. -ENODATA when there is none. */
int xattr_get(int fd, const char *name, struct buf *out);
/* Names as a string list on the heap; NULL when there are none. */
int xattr_list(int fd, char ***ret_names);
/* Copies those attributes for which want() says so (NULL: all). */
int xattr_copy(int from_fd, int to_fd, bool (*want)(const char *name));

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is an unpacked layer what its archive says? Two trees are compared, the one that has just been
 * unpacked and the one of the store: names, types, owners, modes, times, attributes, overlayfs's
 * marks, contents.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* Appends a letter and a path, a NUL behind each, for all that differs: '-' is missing in other_fd,
 * '+' is there alone, 't' has another type, 'a' other attributes, 'm' another time alone, 'c' other
 * contents. */
int compare_trees(int dir_fd, int other_fd, bool userns, struct buf *out, struct err *err);

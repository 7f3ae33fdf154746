/* SPDX-License-Identifier: Apache-2.0 */
/* "tmpcopyup": the content of a directory copied into the tmpfs that will cover it. */
#pragma once

#include "base/err.h"

/* Copies the tree below from (O_PATH) to to: files, directories, symlinks, with owner, mode and
 * times; other types are left out. Nothing is followed, no mount is crossed. 0 or -errno. */
int copyup(int from, int to, struct err *err);

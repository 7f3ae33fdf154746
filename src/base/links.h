/* SPDX-License-Identifier: Apache-2.0 */
/* The first names of files that have several: who walks over a tree meets each file by each name.
 */
#pragma once

#include <sys/types.h>

#include "base/util.h"

struct links {
	struct links_slot *slots; /* by hash */
	size_t n, cap;            /* cap: a power of two */
};
void links_done(struct links *links);

/* The name that the file was met by before; NULL: none, it is name from now on. */
const char *links_find(struct links *links, dev_t dev, ino_t ino, const char *name);

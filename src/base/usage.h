/* SPDX-License-Identifier: Apache-2.0 */
/* How much room a tree takes on the disk: what the file system says, whatever its files claim. */
#pragma once

#include "base/util.h"

struct usage {
	uint64_t bytes, inodes; /* a file with several names is one as a whole */
	bool partly;            /* something could not be looked at */
};
/* Adds what the directory and all below it take. Links are not followed. */
void usage_tree(int dir_fd, struct usage *inout);

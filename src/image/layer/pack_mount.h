/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree that a container sees, for reading it without the container: an overlay without an upper
 * directory, in which that is one more lower layer. In a mount namespace of this process's own.
 */
#pragma once

#include "base/err.h"

struct pack_layers {
	size_t n;      /* the fds from LAYER_FD_LOWER on, topmost first */
	bool with_dir; /* the directory is the topmost layer */
	int idmap_fd;  /* then: a user namespace by which its ids are mapped, or negative */
	bool userns;
};
/* To be called before the fence. *dir_fd is reopened in the new namespace. Returns the tree's fd;
 * the layers' are closed. */
int pack_mount(int *dir_fd, const struct pack_layers *layers, struct err *err);

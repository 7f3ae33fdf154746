/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree that a container sees, for reading it without the container: an overlay without an upper
 * directory, in which that is one more lower layer. In a mount namespace of this process's own.
 */
#pragma once

#include "base/err.h"

/* To be called before the fence. The layers are the fds from LAYER_FD_LOWER on, topmost first;
 * *dir_fd is reopened in the new namespace. with_dir: it is the topmost layer. Returns the tree's
 * fd; the layers' are closed. */
int pack_mount(int *dir_fd, size_t n_layers, bool with_dir, bool userns, struct err *err);

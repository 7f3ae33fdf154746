/* SPDX-License-Identifier: Apache-2.0 */
/* --rootfs: a directory of this machine in place of an image. */
#pragma once

#include "engine/record.h"

/* "DIR[:O][:idmap]" into rootfs, rootfs_overlay, rootfs_idmap; DIR stays as it was given. */
int rootfs_dir_parse(const char *word, struct record_options *ret, struct err *err);
/* The directory, as the one layer below the container's own. *ret_fds: heap. */
int rootfs_dir_open(const struct record_options *o, int **ret_fds, size_t *ret_n, struct err *err);
/* Gives a new upper directory owner and mode of the directory, which overlayfs shows. */
int rootfs_dir_init_upper(int dir_fd, int upper_fd, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/* glibc >= 2.36 has the calls on detached mounts in here, musl not yet. */
#pragma once

#include_next <sys/mount.h>
#include <linux/mount.h>
#include <stddef.h>

int fsopen(const char *fs_name, unsigned int flags);
int fsconfig(int fd, unsigned int cmd, const char *key, const void *value, int aux);
int fsmount(int fd, unsigned int flags, unsigned int attr_flags);
int open_tree(int fd, const char *path, unsigned int flags);
int move_mount(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags);
int mount_setattr(int fd, const char *path, unsigned int flags, struct mount_attr *attr,
		  size_t size);

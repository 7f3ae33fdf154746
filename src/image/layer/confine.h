/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fence around inro-layer, put up before the first byte of an archive is looked at: what a bug
 * in libarchive or a decompressor could reach is the one directory it works in. In order: a user
 * namespace when rootless; own mount, network, IPC and UTS namespaces with that directory as the
 * whole file system, whose device nodes can't be opened; resource limits; capabilities;
 * no_new_privs; Landlock; a seccomp allow-list.
 */
#pragma once

#include "base/err.h"

enum { CONFINE_UNPACK = 1 << 0 /* keep the capabilities that unpacking a layer needs */ };

/* Rootless: enters a new user namespace and waits until the engine has written its mappings. */
int confine_userns(int sync_fd, struct err *err);
/* dir_fd is replaced by one that is inside the new root. Where this process may not make namespaces
 * (rootless without mappings), Landlock and seccomp remain. */
int confine(int *dir_fd, unsigned int flags, struct err *err);

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

enum {
	CONFINE_UNPACK = 1 << 0, /* keep the capabilities that unpacking a layer needs */
	CONFINE_READING = 1 << 1 /* those that reading any tree needs */
};

/* Rootless: enters a new user namespace and waits until the engine has written its mappings. */
int confine_userns(int sync_fd, struct err *err);
/* A mount namespace with the directory as the whole file system. dir_fd is replaced by one that is
 * inside it. idmap_fd: a user namespace by which its files' ids are mapped, or negative. Where this
 * process may not make namespaces (rootless without mappings), the rest of the fence remains. */
int confine_root(int *dir_fd, int idmap_fd, bool *ret_apart, struct err *err);
/* The rest of it. max_file: bytes of one file, at most. */
int confine(int dir_fd, unsigned int flags, bool apart, uint64_t max_file, struct err *err);
/* In the place of confine(), for what reads the directory and the tree more_fd (negative: none),
 * writes to fds that it has, and makes nothing. */
int confine_reading(int dir_fd, int more_fd, struct err *err);
/* The fence around a process that reads and writes the fds that it has: no files, no capabilities,
 * no other calls. It dies with its parent. max_file: bytes of one file, at most. */
int confine_stage(pid_t parent, uint64_t max_file, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process of ours in a container's file tree, for who reads and writes files there: it sees the
 * container's mounts, and is root of its user namespace, so that owners mean there what they mean
 * inside. Everything in the tree may be hostile and change at any time: nothing of it is executed
 * or loaded, names are resolved below the root only. The process is not in the container's pid
 * namespace, can't be traced from there, and has nothing open but what it is told to keep.
 *
 * In a container that runs it joins the namespaces. For one that does not the tree is built as a
 * start would, the container's own filesystems (/proc, a tmpfs) left out, in a mount namespace that
 * ends with the process.
 */
#pragma once

#include "runtime/container.h"

#define VISIT_KEEP_MAX 8

struct visit_args {
	const char *id;
	const struct spec *spec; /* of its config.json */
	/* What the process does. root: the container's (O_PATH). fds_dir: its own /proc/self/fd, of
	 * the host's procfs. */
	int (*fn)(int root, int fds_dir, void *data, struct err *err);
	void *data;
	int keep[VISIT_KEEP_MAX]; /* fds that fn needs; negative: none */
	bool rootfs_idmap;        /* as in struct create_args, for one that does not run */
	/* It does not die with its maker or by Ctrl-C: fn sees for itself that nobody is there any
	 * more, and tidies up. */
	bool tidies;
};

struct visit {
	int pidfd, answer;
};
#define VISIT_INIT                                                                                 \
	{                                                                                          \
		.pidfd = -EBADF, .answer = -EBADF                                                  \
	}

/* ERR_CONFLICT, -ESRCH: it does not run, or is just about to, or to end. */
int visit_begin(const struct runtime *rt, const struct visit_args *args, struct visit *ret,
		struct err *err);
/* The caller sees to it that it is not started meanwhile. overlay NULL: the configuration's root
 * directory. */
int visit_begin_stopped(const struct runtime *rt, const struct visit_args *args, const char *bundle,
			const struct mount_layers *overlay, struct visit *ret, struct err *err);
/* From within fn: a second process like this one, with all that it has open but not_fd; one that
 * tidies up. proc: an fd of the host's /proc, which fn was told to keep. */
int visit_second(const struct visit_args *args, int root, int proc, int not_fd, struct visit *ret,
		 struct err *err);
/* Waits for fn's end, which is what this returns. */
int visit_end(struct visit *v, struct err *err);
/* Kills it; what a filesystem of the container's holds up is left to end by itself. */
void visit_abort(struct visit *v);

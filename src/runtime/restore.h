/* SPDX-License-Identifier: Apache-2.0 */
/* Between restore.c and its parts. */
#pragma once

#include "runtime/cgroup.h"
#include "runtime/checkpoint.h"
#include "runtime/console.h"
#include "runtime/state.h"

/* A restoration under way; everything that has to be undone is visible here. */
struct restoration {
	const struct runtime *rt;
	const struct create_args *create;
	const struct criu_args *args;
	const struct spec *spec;
	char *bundle, *rootfs, *root, *notify;
	struct state st;
	struct cgroup cg;
	struct criu_dirs dirs;
	struct criu_opts opts;
	struct criu criu;
	struct restore_child child;
	char *program;
	int dir; /* state directory, locked */
	struct console_target console;
	struct container init;
	bool dir_made, cgroup_made, pid_file_made, hooks_ran;
};

/* restore_start.c: the cgroup, and the process in it that becomes criu. */
int restore_start(struct restoration *r, struct err *err);
/* restore_notify.c: what is done when criu says how far it is; data is the restoration. */
int restore_notify(void *data, const struct criu_resp *resp, const int *fds, size_t n_fds,
		   struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/* Between create.c and its part. */
#pragma once

#include "runtime/cgroup.h"
#include "runtime/console.h"
#include "runtime/prepare.h"
#include "runtime/state.h"
#include "runtime/sync.h"

/* A creation under way; everything that has to be undone is visible here. */
struct creation {
	const struct runtime *rt;
	const struct create_args *args;
	struct init in;
	struct buf bpf;
	struct state st;
	struct cgroup cg;
	int dir;  /* state directory, locked */
	int sync; /* our end */
	struct console_target console;
	int notify;                   /* socket in the container's directory */
	struct container stage, init; /* the init may be the stage first (in.outside) */
	int netns_helper;             /* pidfd */
	unsigned int due;             /* sync_admit() */
	bool has_pidfds;              /* pidfd_open(2) works; looked at where it matters */
	bool dir_made, cgroup_made, pid_file_made, exec_seen, entered;
	bool joins_late; /* cgroup2: not cloned into it, but moved there when it is on record */
	bool unlocked;   /* wait_ready() gave the lock away, and did not get it back */
	bool lost;       /* the container was deleted meanwhile */
};

/* create_follow.c, behind the clone: what is set up while the init mounts, and what it asks for
 * until it waits for start, or has executed the program. */
int create_set_up(struct creation *c, struct err *err);
int create_follow(struct creation *c, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside runtime/exec*.c. A process enters a container that belongs to somebody else, so it is made
 * in two steps. The first, the stage, joins the cgroups and namespaces, finds the user, opens the
 * terminal, and gives up what it can, all without being in the container's pid namespace: nobody in
 * there sees it, can trace it or look at what it has open. Only then it makes the process that
 * finds and executes the program, as a child of the runtime (CLONE_PARENT).
 */
#pragma once

#include "runtime/init.h"
#include "runtime/state.h"
#include "runtime/sync.h"

struct exec {
	struct init in; /* first: the steps of the init get it; exec_of() */
	const struct exec_args *args;
	struct create_args create; /* what the init's steps know of args */
	struct spec spec;          /* of the container, with the new process in place of its own */
	struct state st;
	struct buf bpf;
	int pidfd;         /* the container's first process */
	uint64_t ns_flags; /* of its namespaces */
	int root_fd;       /* of its first process, when the container is chrooted; or -EBADF */
	char *user;        /* names for the stage to look up, or NULL */
	int join_fds[CGROUP_HIERARCHIES_MAX + 1]; /* the stage writes "0" to */
	size_t n_join;
	int clone_cgroup; /* for CLONE_INTO_CGROUP, owned, or -EBADF */
	bool by_systemd;  /* the stage waits until systemd has moved it */
};

static inline struct exec *exec_of(struct init *in)
{
	return (struct exec *)(void *)in;
}

/* exec_process.c: sets e->spec.process and e->user. */
int exec_process_make(struct exec *e, struct err *err);
int exec_affinity_set(const char *list, struct err *err); /* "0-3,7" */
/* Reads user and groups from the files of the root that this process is in. */
int exec_user_find(struct exec *e, struct err *err);

/* exec_cgroup.c: fills join_fds and clone_cgroup. */
int exec_cgroup_open(struct exec *e, struct err *err);
/* After clone3(2) has refused clone_cgroup with r: another way, or the error. */
int exec_cgroup_retry(struct exec *e, int r, struct err *err);

/* exec_child.c */
_Noreturn void exec_stage_main(struct exec *e);

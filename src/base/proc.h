/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running other programs: the only place that forks and executes one (containers' own processes
 * come from sys/clone.h). The child shares memory until exec (CLONE_VM | CLONE_VFORK on its own
 * stack), so the cost does not grow with the heap; all is prepared before, the child reports {step,
 * errno}.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct proc_fd {
	int fd;     /* in the parent */
	int target; /* number in the child, below 1024 */
};

struct proc_spawn {
	const char *path; /* program, an absolute path; or NULL: exec_fd */
	int exec_fd;      /* program as fd, used when path is NULL */
	char *const *argv;
	char *const *envp; /* NULL: inherit */
	const struct proc_fd
	    *fds; /* all other fds are closed on exec; 0,1,2 not named: inherited */
	size_t n_fds;
	int cwd_fd; /* directory to start in, or negative */
	bool new_session;
	int pdeath_signal; /* 0: none */
	int cgroup_fd;     /* of cgroup2, to begin in if that can be done; <= 0: the caller's */
	int cancel_fd;     /* proc_run() gives up when it becomes readable; <= 0: none */
};
#define PROC_SPAWN_INIT                                                                            \
	{                                                                                          \
		.exec_fd = -EBADF, .cwd_fd = -EBADF                                                \
	}

struct proc {
	pid_t pid;
	int pidfd; /* owned; -EBADF where the kernel has none */
};
#define PROC_INIT                                                                                  \
	{                                                                                          \
		.pid = -1, .pidfd = -EBADF                                                         \
	}

/* 0 or -errno; a failed exec is reported here, not by the child's exit status. The program starts
 * with no signal blocked and no handler; ignored signals stay so, but for SIGPIPE. */
int proc_spawn(const struct proc_spawn *spec, struct proc *ret, struct err *err);
/* Waits; timeout_ms < 0: for ever. Returns 0 and the wait status (see proc_exit_code), -ETIME after
 * the timeout (still running), or -errno. Reaps and closes p on success. */
int proc_wait(struct proc *p, int timeout_ms, int *ret_status);
/* Shell-style: exit code, or 128 + signal. */
int proc_exit_code(int wait_status);
/* Runs, feeds in (may be NULL), collects stdout into out (may be NULL) up to limit, waits. Returns
 * the exit code >= 0, or -errno. stderr is inherited. timeout_ms as proc_wait; the child is killed
 * after it, and with -ECANCELED once cancel_fd is readable. */
int proc_run(const struct proc_spawn *spec, const struct buf *in, struct buf *out, size_t limit,
	     int timeout_ms, struct err *err);

/*
 * Calls fn(data) in a process of its own that shares this one's memory and files, while the caller
 * stands still: for what changes a process for good, as setns(2). What fn allocates and opens is
 * the caller's. Signals are blocked meanwhile, so fn must not wait for long. Returns what fn
 * returned; -ECHILD: it was killed, anything may be half done; or -errno: no process could be made.
 */
int proc_call(int (*fn)(void *data), void *data);

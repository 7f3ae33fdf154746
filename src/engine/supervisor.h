/* SPDX-License-Identifier: Apache-2.0 */
/* Starting inro-monitor and telling it what to run: the client's end of runtime/monitor_proto.h. */
#pragma once

#include "base/proc.h"
#include "engine/engine.h"
#include "runtime/monitor_proto.h"

struct supervisor {
	struct proc proc;
	int sock; /* owned */
	int pid;  /* of the container's init, once it has started */
	int exe;  /* the detached mount that the monitor runs from; owned */
};
#define SUPERVISOR_INIT                                                                            \
	{                                                                                          \
		.proc = PROC_INIT, .sock = -EBADF, .exe = -EBADF                                   \
	}

/* Spawns the monitor, which waits for its orders. stay: in our cgroup. netns: the container will
 * want a network namespace of its own, which can be made meanwhile. */
int supervisor_spawn(const struct engine *eng, bool stay, bool netns, struct supervisor *ret,
		     struct err *err);
/* Sends the fds (in the order of enum monitor_fd) and START. */
int supervisor_send(struct supervisor *s, struct monitor_start *start, const int *fds, size_t n,
		    struct err *err);
/* Waits for STARTED; the fds go to ret_fds (up to 3), which the caller closes. -errno with the
 * monitor's own error when it FAILED. A signal at cancel_fd (runtime/cancel.h) has the monitor undo
 * what it has made, which is waited for unless another signal comes. */
int supervisor_wait_started(struct supervisor *s, int cancel_fd, int ret_fds[3], size_t *ret_n,
			    struct err *err);
/* Has the monitor undo what it has made, which is waited for, up to a limit. */
void supervisor_undo(struct supervisor *s);
/* The container is recorded or removed: the monitor may go when it has done its part. */
void supervisor_release(struct supervisor *s);
/* After GONE and a release: the monitor ends at once. There may be no init here that would reap it.
 */
void supervisor_reap(struct supervisor *s);
void supervisor_done(struct supervisor *s);

/* SPDX-License-Identifier: Apache-2.0 */
/* Processes as pidfds: no signal or wait ever reaches a recycled pid. pidfd_open(2), kernel >= 5.3.
 */
#pragma once

#include <signal.h>

#include "base/util.h"

int pidfd_of(pid_t pid);                        /* fd or -errno (-ESRCH: gone) */
int pidfd_kill(int pidfd, int signo);           /* 0 or -errno */
int pidfd_poll(int pidfd, int timeout_ms);      /* 1: exited, 0: timeout, -errno */
int pidfd_wait(int pidfd, siginfo_t *ret_info); /* waitid(P_PIDFD, WEXITED); children only */
/* Waits so long for a child's end and reaps it. False: it has not ended in this time, or whoever
 * traces it has not let it go, before which it can't be reaped. */
bool pidfd_reap(int pidfd, int timeout_ms);
/* SIGKILL to a child that nobody has waited for, waits for its end and closes *pidfd; true when
 * *pidfd is negative. False: it lives after this time (-1: no limit), frozen say or traced, and
 * *pidfd stays. */
bool pidfd_kill_child(int *pidfd, pid_t pid, int timeout_ms);
/* The pid as this process's pid namespace sees it; -ESRCH when it has exited. Kernel >= 6.13, else
 * from /proc/self/fdinfo. */
pid_t pidfd_pid(int pidfd);
/* Duplicates fd number fd of that process, CLOEXEC. Needs ptrace rights over it. fd or -errno. */
int pidfd_steal_fd(int pidfd, int fd);
/* How a process has ended that need not be a child: known once its parent has waited for it, which
 * may take so long. Kernel >= 6.15. 0 and a wait status, or -errno. */
int pidfd_status(int pidfd, int timeout_ms, int *ret_status);

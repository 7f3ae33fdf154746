/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes as pidfds: no signal or wait ever reaches a recycled pid. pidfd_open(2), kernel >= 5.3.
 *
 * What says that a process is at its end. It dies in steps, each call looks at one of them, and
 * some have a word of their own for one that is just being reaped, which passes for lack of rights
 * or a wrong argument:
 *
 *   call                        dying or a zombie           while it is reaped  gone
 *   pidfd_open                  a pidfd that polls as ended EINVAL              ESRCH
 *    (a thread's id)                                        EINVAL, 6.16 ENOENT ESRCH
 *   kill, pidfd_send_signal     0                           ESRCH               ESRCH
 *   PIDFD_GET_INFO              its pid                     ESRCH               ESRCH, 6.15: end
 *   pidfd_getfd                 EBADF, 6.9 ESRCH            ESRCH               ESRCH
 *   setns(pidfd)                ESRCH                       ESRCH               ESRCH
 *   waitid(P_PIDFD) by others   ECHILD                      ECHILD              ECHILD
 *   open /proc/PID/FILE         0                           ENOENT              ENOENT
 *    and read it                what there is               ESRCH               ESRCH
 *   open /proc/PID/ns/NAME      ENOENT; user, pid: 0        EACCES              ENOENT
 *   open /proc/PID/root, exe    ENOENT                      EACCES              ENOENT
 *   open /proc/PID/mountinfo    EINVAL                      EINVAL              ENOENT
 *   open /proc/PID/uid_map      0                           EINVAL              ENOENT
 *   clone into its pid ns       ENOMEM                      ENOMEM              ENOMEM
 *   its cgroup, once removed: open ENOENT (at this moment ENODEV), read, write, clone ENODEV
 *
 * A process leaves its cgroup, and drops its namespaces, before it polls as ended.
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

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The raw system calls, not glibc's clone(): the child goes on in the same function on a copy of
 * the stack, as after fork(2). What fork(2) would do besides does not matter in a single-threaded
 * program: there are no atfork handlers, getpid(2) is not cached, and the thread id that glibc
 * keeps in the thread's control block stays the parent's, which only robust and error-checking
 * mutexes look at.
 */
#include "sys/clone.h"

#include <fcntl.h>
#include <signal.h>

#include "base/fd.h"
#include "sys/uapi.h"

/* What clone(2) does not know: above 32 bits, or in the bits of the exit signal. */
#define CLONE3_ONLY (CLONE_NEWTIME | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP)

static pid_t clone3_raw(const struct clone_spec *spec, int *pidfd)
{
	struct clone_args args = {
		.flags = spec->flags | CLONE_PIDFD,
		.pidfd = (uintptr_t)pidfd,
		/* A sibling (CLONE_PARENT) takes its exit signal from us; naming one is EINVAL. */
		.exit_signal = spec->flags & CLONE_PARENT ? 0 : SIGCHLD,
	};
	size_t size = CLONE_ARGS_SIZE_VER0; /* what 5.3 knows; longer is E2BIG there if not 0 */

	if (spec->cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)spec->cgroup_fd;
		size = CLONE_ARGS_SIZE_VER2;
	}
	long r = syscall(SYS_clone3, &args, size);
	if (r < 0)
		return errno == E2BIG ? -ENOSYS : -errno;
	return (pid_t)r;
}

static pid_t clone_raw(uint64_t flags, int *pidfd)
{
	unsigned long f = (unsigned long)(flags & ~CLONE3_ONLY) | CLONE_PIDFD | SIGCHLD;
#if defined(__s390x__)
	long r = syscall(SYS_clone, NULL, f, pidfd, NULL, NULL);
#else
	long r = syscall(SYS_clone, f, NULL, pidfd, NULL, NULL);
#endif
	return r < 0 ? -errno : (pid_t)r;
}

/* CLONE_CLEAR_SIGHAND by hand, in the child. SIG_IGN stays, as there. */
static void signals_clear_handlers(void)
{
	struct sigaction sa;

	for (int signo = 1; signo < NSIG; signo++) {
		if (sigaction(signo, NULL, &sa) < 0 || sa.sa_handler == SIG_IGN ||
		    sa.sa_handler == SIG_DFL)
			continue;
		sa.sa_handler = SIG_DFL;
		sa.sa_flags = 0;
		sigaction(signo, &sa, NULL);
	}
}

/* The handlers must not run in the child before they are cleared, so signals are blocked. */
static pid_t clone_raw_clear_signals(uint64_t flags, int *pidfd)
{
	sigset_t all, old;

	if (!(flags & CLONE_CLEAR_SIGHAND))
		return clone_raw(flags, pidfd);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid_t pid = clone_raw(flags, pidfd);
	if (pid == 0)
		signals_clear_handlers();
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

/*
 * clone(2) has no bit for CLONE_NEWTIME: the caller's *children* get a new time namespace through
 * unshare(2). Once the child is made the caller goes back, so that its next ones do not; without
 * rights over the old namespace's owner it can't, which does the child no harm.
 */
static pid_t clone_raw_newtime(uint64_t flags, int *pidfd)
{
	cleanup_fd int old = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);

	if (old < 0 || unshare(CLONE_NEWTIME) < 0)
		return -errno;
	pid_t pid = clone_raw_clear_signals(flags, pidfd);
	if (pid != 0)
		(void)setns(old, CLONE_NEWTIME);
	return pid;
}

pid_t clone_process(const struct clone_spec *spec, int *ret_pidfd)
{
	int pidfd = -EBADF;
	pid_t pid = clone3_raw(spec, &pidfd);

	if (pid == -ENOSYS) {
		if (spec->cgroup_fd >= 0)
			return -ENOSYS;
		pid = spec->flags & CLONE_NEWTIME ? clone_raw_newtime(spec->flags, &pidfd)
						  : clone_raw_clear_signals(spec->flags, &pidfd);
	}
	if (pid > 0)
		*ret_pidfd = pidfd;
	return pid;
}

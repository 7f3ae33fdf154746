/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"

#define STACK_SIZE (64 * 1024)
/* of a function of this program, which may start one itself */
#define CALL_STACK_SIZE (1024 * 1024)
#define TARGET_MAX      1024
#define FDS_MAX         64

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/*
 * All that the child needs, made before it exists. The child shares this memory and the parent
 * stands still until the exec, so what the child writes here is the report.
 */
struct child {
	const struct proc_spawn *spec;
	char *const *envp;
	int from[FDS_MAX]; /* source fds, out of the way of all targets */
	int exec_fd, cwd_fd;
	pid_t parent;
	const char *step; /* what failed, NULL while nothing has */
	int errnum;
};

/*
 * The caller's handlers must not run in a process that shares its memory. They are gone after the
 * exec anyway; SIGPIPE, ignored by servers, has to work in the programs that we run.
 */
static int child_signals(struct child *c)
{
	const struct sigaction dfl = { .sa_handler = SIG_DFL };
	struct sigaction sa;
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++) {
		if (sigaction(sig, NULL, &sa) < 0)
			continue;
		if (sig == SIGPIPE || (sa.sa_handler != SIG_DFL && sa.sa_handler != SIG_IGN))
			sigaction(sig, &dfl, NULL);
	}
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL);
}

static int child_session(struct child *c)
{
	if (c->spec->new_session && setsid() < 0)
		return -1;
	if (c->spec->pdeath_signal) {
		if (prctl(PR_SET_PDEATHSIG, c->spec->pdeath_signal) < 0)
			return -1;
		/* the parent may have died before the call; 0: it is in another pid namespace */
		if (getppid() != c->parent && getppid() != 0) {
			errno = ESRCH;
			return -1;
		}
	}
	return 0;
}

/* Keeps what lies where a target will be: copies it above all targets. */
static int move_away(int fd, int above)
{
	return fd >= 0 && fd < above ? fcntl(fd, F_DUPFD_CLOEXEC, above) : fd;
}

static int child_fds(struct child *c)
{
	const struct proc_fd *fds = c->spec->fds;
	int above = STDERR_FILENO + 1;

	for (size_t i = 0; i < c->spec->n_fds; i++) {
		if (fds[i].target >= above)
			above = fds[i].target + 1;
	}
	/* All fds are CLOEXEC from creation; this is for those that others let slip in. Before
	 * 5.11 the rule has to do. */
	syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	for (size_t i = 0; i < c->spec->n_fds; i++) {
		c->from[i] = move_away(fds[i].fd, above);
		if (c->from[i] < 0)
			return -1;
	}
	if (c->exec_fd >= 0 && (c->exec_fd = move_away(c->exec_fd, above)) < 0)
		return -1;
	if (c->cwd_fd >= 0 && (c->cwd_fd = move_away(c->cwd_fd, above)) < 0)
		return -1;
	for (size_t i = 0; i < c->spec->n_fds; i++) {
		/* never equal, so the copy has no CLOEXEC */
		if (dup2(c->from[i], fds[i].target) < 0)
			return -1;
	}
	return 0;
}

static int child_cwd(struct child *c)
{
	return c->cwd_fd >= 0 ? fchdir(c->cwd_fd) : 0;
}

static int child_exec(struct child *c)
{
	if (c->spec->path)
		return execve(c->spec->path, c->spec->argv, c->envp);
	return (int)syscall(SYS_execveat, c->exec_fd, "", c->spec->argv, c->envp, AT_EMPTY_PATH);
}

static int child_main(void *arg)
{
	static const struct {
		const char *name;
		int (*run)(struct child *c);
	} steps[] = {
		{ "setting up its session", child_session },
		{ "placing file descriptors", child_fds },
		{ "entering its working directory", child_cwd },
		{ "resetting signals", child_signals },
		{ "executing", child_exec },
	};
	struct child *c = arg;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		if (steps[i].run(c) < 0) {
			c->errnum = errno;
			c->step = steps[i].name;
			break;
		}
	}
	/* no exit handlers, which are the parent's */
	syscall(SYS_exit_group, 127);
	return 0;
}

/* A child that shares this memory and has a stack of stack_size; back when it has executed or
 * ended. Returns the pid, or -errno. */
static pid_t clone_sharing(int (*fn)(void *), void *data, int flags, size_t stack_size,
			   int *ret_pidfd)
{
	const long page = sysconf(_SC_PAGESIZE);
	size_t size = stack_size + (size_t)page;
	char *stack = mmap(NULL, size, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	pid_t pid = -1;

	if (stack == MAP_FAILED)
		return -errno;
	/* the lowest page stays unusable: the stack grows down to it */
	if (mprotect(stack + page, stack_size, PROT_READ | PROT_WRITE) == 0)
		pid = clone(fn, stack + size, CLONE_VM | CLONE_VFORK | flags, data, ret_pidfd);
	if (pid < 0)
		pid = -errno;
	munmap(stack, size);
	return pid;
}

static pid_t clone_child(struct child *c, int *ret_pidfd)
{
	pid_t pid = clone_sharing(child_main, c, CLONE_PIDFD | SIGCHLD, STACK_SIZE, ret_pidfd);

	/* before 5.2 */
	if (pid == -EINVAL)
		pid = clone_sharing(child_main, c, SIGCHLD, STACK_SIZE, ret_pidfd);
	return pid;
}

/* As large as the kernel's of 5.7. */
struct clone3_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	uint64_t set_tid, set_tid_size, cgroup;
};

/* Only clone3(2) knows of cgroups, and libc has no function for it that takes a stack: so the child
 * has memory of its own, but for *c. Moving a process later waits for RCU. */
static pid_t clone_into_cgroup(struct child *c, int *ret_pidfd)
{
	int pidfd = -EBADF;
	struct clone3_args args = {
		.flags = CLONE_VFORK | CLONE_PIDFD | CLONE_INTO_CGROUP,
		.pidfd = (uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)c->spec->cgroup_fd,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		child_main(c);
	*ret_pidfd = pidfd;
	return pid < 0 ? -errno : (pid_t)pid;
}

static pid_t clone_any(struct child *c, int *ret_pidfd)
{
	struct child *shared = MAP_FAILED;
	pid_t pid = -EINVAL;

	if (c->spec->cgroup_fd > 0)
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared != MAP_FAILED) {
		*shared = *c;
		pid = clone_into_cgroup(shared, ret_pidfd);
		*c = *shared;
		munmap(shared, sizeof(*shared));
	}
	return pid > 0 ? pid : clone_child(c, ret_pidfd);
}

static int check_spec(const struct proc_spawn *spec, struct err *err)
{
	if (spec->n_fds > FDS_MAX || !spec->argv || (!spec->path && spec->exec_fd < 0))
		return err_errno(err, EINVAL, "starting a program");
	for (size_t i = 0; i < spec->n_fds; i++) {
		if (spec->fds[i].target < 0 || spec->fds[i].target >= TARGET_MAX)
			return err_errno(err, EBADF, "starting a program");
		for (size_t j = 0; j < i; j++) {
			if (spec->fds[i].target == spec->fds[j].target)
				return err_errno(err, EINVAL, "starting a program");
		}
	}
	return 0;
}

int proc_spawn(const struct proc_spawn *spec, struct proc *ret, struct err *err)
{
	struct child c = { .spec = spec,
			   .envp = spec->envp ? spec->envp : environ,
			   .exec_fd = spec->exec_fd,
			   .cwd_fd = spec->cwd_fd,
			   .parent = getpid() };
	const char *name = spec->path ? spec->path : spec->argv ? spec->argv[0] : NULL;
	sigset_t all, old;
	int pidfd = -EBADF, r;
	pid_t pid;

	r = check_spec(spec, err);
	if (r < 0)
		return r;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = clone_any(&c, &pidfd);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (pid < 0)
		return err_errno(err, -pid, "creating a process for %s", name ? name : "a program");
	if (c.step) {
		NO_EINTR(waitpid(pid, NULL, 0));
		fd_close(pidfd);
		return err_errno(err, c.errnum, "%s %s", c.step, name ? name : "a program");
	}
	ret->pid = pid;
	ret->pidfd = pidfd;
	return 0;
}

struct call {
	int (*fn)(void *data);
	void *data;
	int result;
};

static int call_main(void *arg)
{
	struct call *c = arg;

	c->result = c->fn(c->data);
	syscall(SYS_exit_group, 0);
	return 0;
}

int proc_call(int (*fn)(void *data), void *data)
{
	struct call c = { .fn = fn, .data = data, .result = -ECHILD };
	sigset_t all, old;

	/* No signal at its end: a caller that waits for its children doesn't know this one. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid_t pid = clone_sharing(call_main, &c, CLONE_FILES, CALL_STACK_SIZE, NULL);
	if (pid > 0)
		NO_EINTR(waitpid(pid, NULL, __WCLONE));
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return pid < 0 ? (int)pid : c.result;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * killat [-1] [-e ERRNO] [-d MS] [-p WORD] [-o REPORT] N -- COMMAND [ARG...]
 * Runs COMMAND and, at its N-th system call, kills it; with -e that call, and it alone, fails with
 * the number ERRNO instead and is not made. -1: not COMMAND's calls count but those of the first
 * process that it makes, up to that one's execve. N = 0: never, to learn how many there are. With
 * -e only calls count that can fail for want of something (not close(2), say, or getpid(2)). With
 * -d the process stands still for that long first, and without -e it then goes on. -p: only
 * openat(2) of paths with this word in them counts.
 *
 * REPORT gets "hit CALL" or "no hit", and "calls COUNT". Exits as COMMAND does, 137 when killed.
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

struct driver {
	unsigned long n; /* the call to hit, 0: none */
	unsigned long count;
	bool child; /* -1 */
	int errnum; /* -e, 0: kill */
	unsigned int delay_ms;
	const char *path; /* -p, NULL: all calls */
	pid_t main, target;
	bool started, target_gone, in_call, failing;
	long hit; /* the call's number, -1: none yet */
	int status;
};

/* Never fail in real life, or only by a bug of the caller. */
static const long cannot_fail[] = {
	SYS_close,
	SYS_exit,
	SYS_exit_group,
	SYS_mmap,
	SYS_munmap,
	SYS_mprotect,
	SYS_brk,
	SYS_futex,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_set_tid_address,
	SYS_set_robust_list,
	SYS_getpid,
	SYS_gettid,
	SYS_getppid,
	SYS_getuid,
	SYS_geteuid,
	SYS_getgid,
	SYS_getegid,
	SYS_umask,
	SYS_lseek,
	SYS_setsid,
	SYS_prctl,
	SYS_wait4,
	SYS_waitid,
	SYS_ppoll,
	SYS_prlimit64,
	SYS_sched_getaffinity,
	SYS_clock_gettime,
	SYS_nanosleep,
	SYS_clock_nanosleep,
	SYS_close_range,
	SYS_uname,
	SYS_madvise,
	SYS_mremap,
#ifdef SYS_arch_prctl
	SYS_arch_prctl,
	SYS_poll,
#endif
#ifdef SYS_rseq
	SYS_rseq,
#endif
};

#if defined(__x86_64__)
static long call_number(pid_t pid)
{
	struct user_regs_struct regs;

	return ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0 ? -1 : (long)regs.orig_rax;
}

static unsigned long call_argument(pid_t pid)
{
	struct user_regs_struct regs;

	return ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0 ? 0 : regs.rsi;
}

static void call_skip(pid_t pid)
{
	struct user_regs_struct regs;

	ptrace(PTRACE_GETREGS, pid, NULL, &regs);
	regs.orig_rax = (unsigned long)-1;
	ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}

static void call_result(pid_t pid, long result)
{
	struct user_regs_struct regs;

	ptrace(PTRACE_GETREGS, pid, NULL, &regs);
	regs.rax = (unsigned long)result;
	ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}
#elif defined(__aarch64__)
static void regset(pid_t pid, int request, unsigned long type, void *data, size_t size)
{
	struct iovec iov = { .iov_base = data, .iov_len = size };

	ptrace(request, pid, type, &iov);
}

static long call_number(pid_t pid)
{
	int nr = -1;

	regset(pid, PTRACE_GETREGSET, NT_ARM_SYSTEM_CALL, &nr, sizeof(nr));
	return nr;
}

static unsigned long call_argument(pid_t pid)
{
	struct user_regs_struct regs = { 0 };

	regset(pid, PTRACE_GETREGSET, NT_PRSTATUS, &regs, sizeof(regs));
	return regs.regs[1];
}

static void call_skip(pid_t pid)
{
	int none = -1;

	regset(pid, PTRACE_SETREGSET, NT_ARM_SYSTEM_CALL, &none, sizeof(none));
}

static void call_result(pid_t pid, long result)
{
	struct user_regs_struct regs;

	regset(pid, PTRACE_GETREGSET, NT_PRSTATUS, &regs, sizeof(regs));
	regs.regs[0] = (unsigned long long)result;
	regset(pid, PTRACE_SETREGSET, NT_PRSTATUS, &regs, sizeof(regs));
}
#else
#error "unknown architecture"
#endif

static bool opens_path(const struct driver *d, long nr)
{
	char text[512] = { 0 };
	struct iovec to = { text, sizeof(text) - 1 };
	struct iovec from = { (void *)call_argument(d->target), sizeof(text) - 1 };

	/* Up to the end of the mapping, if that comes first. */
	return nr == SYS_openat && process_vm_readv(d->target, &to, 1, &from, 1, 0) > 0 &&
	       strstr(text, d->path);
}

static bool counts(const struct driver *d, long nr)
{
	if (d->path && !opens_path(d, nr))
		return false;
	for (size_t i = 0; d->errnum && i < sizeof(cannot_fail) / sizeof(cannot_fail[0]); i++)
		if (cannot_fail[i] == nr)
			return false;
	return true;
}

static void at_call(struct driver *d)
{
	long nr;

	d->in_call = !d->in_call;
	if (!d->in_call) {
		if (d->failing)
			call_result(d->target, -d->errnum);
		d->failing = false;
		return;
	}
	if (!d->started)
		return;
	nr = call_number(d->target);
	if (!counts(d, nr) || ++d->count != d->n)
		return;
	d->hit = nr;
	usleep(d->delay_ms * 1000);
	if (d->errnum) {
		d->failing = true;
		call_skip(d->target);
	} else if (!d->delay_ms) {
		kill(d->target, SIGKILL);
	}
}

/* What to do after a stop: with what request the process goes on, and with what signal. */
static int on_stop(struct driver *d, pid_t pid, int status, int *ret_signal)
{
	int sig = WSTOPSIG(status), event = status >> 16;
	bool target = pid == d->target;

	*ret_signal = 0;
	if (sig == (SIGTRAP | 0x80)) {
		if (target)
			at_call(d);
	} else if (event == PTRACE_EVENT_EXEC) {
		/* COMMAND, or */
		d->started = true;
		/* the container's own program */
		if (target && d->child) {
			d->target_gone = true;
			return PTRACE_DETACH;
		}
	} else if (event != 0 && pid == d->main && d->target == 0) {
		/* The next one may be seen to stop before this one is. */
		unsigned long made;
		if (ptrace(PTRACE_GETEVENTMSG, pid, NULL, &made) == 0)
			d->target = (pid_t)made;
	} else if (event == 0 && sig == SIGSTOP && pid != d->main && !target) {
		/* a process that was just made */
		if (d->target != 0)
			return PTRACE_DETACH;
		d->target = pid;
		target = true;
	} else if (event == 0 && sig == SIGSTOP && target && d->child && d->count == 0) {
		*ret_signal = 0;
	} else if (event == 0 && sig != SIGTRAP) {
		*ret_signal = sig;
	}
	return target && !d->target_gone ? PTRACE_SYSCALL : PTRACE_CONT;
}

static void follow(struct driver *d)
{
	for (;;) {
		int status, sig;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0)
			return;
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (pid != d->main)
				continue;
			d->status =
			    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			return;
		}
		int request = on_stop(d, pid, status, &sig);
		ptrace(request, pid, NULL, (void *)(long)sig);
	}
}

static void report(const struct driver *d, const char *path)
{
	FILE *f = path ? fopen(path, "w") : stderr;

	if (!f)
		return;
	if (d->hit >= 0)
		fprintf(f, "hit %ld\n", d->hit);
	else
		fprintf(f, "no hit\n");
	fprintf(f, "calls %lu\n", d->count);
	if (path)
		fclose(f);
}

static int run(struct driver *d, char **argv)
{
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC;
	int status;

	d->main = fork();
	if (d->main == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	if (d->main < 0 || waitpid(d->main, &status, 0) < 0 || !WIFSTOPPED(status))
		return -1;
	if (d->child)
		options |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
	else
		d->target = d->main;
	if (ptrace(PTRACE_SETOPTIONS, d->main, NULL, (void *)options) < 0)
		return -1;
	ptrace(d->child ? PTRACE_CONT : PTRACE_SYSCALL, d->main, NULL, NULL);
	follow(d);
	return 0;
}

int main(int argc, char **argv)
{
	struct driver d = { .hit = -1 };
	const char *out = NULL;
	int c;

	while ((c = getopt(argc, argv, "+1d:e:o:p:")) != -1) {
		if (c == '1')
			d.child = true;
		else if (c == 'e')
			d.errnum = (int)strtol(optarg, NULL, 10);
		else if (c == 'o')
			out = optarg;
		else if (c == 'd')
			d.delay_ms = (unsigned int)strtoul(optarg, NULL, 10);
		else if (c == 'p')
			d.path = optarg;
		else
			return 125;
	}
	if (argc - optind < 2) {
		fprintf(
		    stderr,
		    "usage: killat [-1] [-e ERRNO] [-d MS] [-p WORD] [-o REPORT] N -- COMMAND\n");
		return 125;
	}
	d.n = strtoul(argv[optind++], NULL, 10);
	if (strcmp(argv[optind], "--") == 0)
		optind++;
	if (run(&d, argv + optind) < 0) {
		perror("killat");
		return 125;
	}
	report(&d, out);
	return d.status;
}

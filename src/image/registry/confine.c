/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry/confine.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sanitized.h"
#include "base/strv.h"
#include "sys/cap.h"
#include "sys/landlock.h"
#include "sys/prctl.h"
#include "sys/rlimit.h"
#include "sys/seccomp.h"

#define NOBODY     65534 /* by number: no name service is asked for it */
#define MEMORY_MAX (2048ull << 20)
#define FILES_MAX  1024
#define EXTRA_MAX  8

/* ---- who it is ---- */

static int confine_user(struct err *err)
{
	const struct cap_sets none = { 0 };

	if (geteuid() == 0 && setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
	    setresuid(NOBODY, NOBODY, NOBODY) == 0)
		return 0;
	/* Root of a user namespace that has no such user stays what it is, without rights. */
	if (geteuid() == 0 && errno != EINVAL && errno != EPERM)
		return err_errno(err, errno, "becoming user %d", NOBODY);
	return cap_apply(&none, err);
}

static int confine_limits(struct err *err)
{
	const struct rlimit_value limits[] = {
		{ RLIMIT_AS, SANITIZED ? UINT64_MAX : MEMORY_MAX },
		{ RLIMIT_NOFILE, FILES_MAX },
		{ RLIMIT_CORE, 0 },
	};

	return rlimit_lower(limits, ARRAY_SIZE(limits), err);
}

/* ---- files ---- */

/* What OpenSSL and libc read. Directories of libraries: name service modules. */
static const char *const readable[] = {
	"/etc/ssl",
	"/etc/pki",
	"/etc/ca-certificates",
	"/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates",
	"/usr/share/pki",
	"/var/lib/ca-certificates",
	"/usr/lib/ssl",
	"/etc/resolv.conf",
	"/etc/hosts",
	"/etc/host.conf",
	"/etc/gai.conf",
	"/etc/nsswitch.conf",
	"/etc/services",
	"/etc/ld.so.cache",
	"/lib",
	"/lib64",
	"/usr/lib",
	"/usr/lib64",
	"/run/systemd/resolve",
	"/dev/urandom",
};

static int confine_files(const char *const *extra, size_t n_extra, struct err *err)
{
	struct landlock_rule rules[ARRAY_SIZE(readable) + EXTRA_MAX];
	size_t n = 0;

	if (n_extra > EXTRA_MAX)
		return err_fail(err, ERR_LIMIT, "more than %d paths", EXTRA_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(readable) + n_extra; i++) {
		const char *path =
		    i < ARRAY_SIZE(readable) ? readable[i] : extra[i - ARRAY_SIZE(readable)];
		int fd = path ? open(path, O_PATH | O_CLOEXEC) : -1;
		if (fd >= 0)
			rules[n++] = (struct landlock_rule){ .fd = fd, .access = LANDLOCK_READ };
	}
	int r = landlock_restrict(rules, n, LANDLOCK_SCOPED, err);
	while (n > 0)
		fd_close(rules[--n].fd);
	return r < 0 ? r : 0;
}

/* ---- system calls ---- */

static const char plain_calls[] =
    "read write readv writev pread64 close lseek fstat newfstatat stat lstat statx open openat "
    "access faccessat faccessat2 readlink readlinkat getdents64 dup pipe2 eventfd2 "
    "poll ppoll select pselect6 epoll_create1 epoll_ctl epoll_wait epoll_pwait connect sendto "
    "sendmsg sendmmsg recvfrom recvmsg recvmmsg shutdown getsockopt setsockopt getsockname "
    "getpeername mmap munmap mremap mprotect madvise brk futex futex_waitv set_robust_list rseq "
    "sched_yield sched_getaffinity getrandom clock_gettime clock_nanosleep nanosleep gettimeofday "
    "time uname sysinfo getpid gettid getppid getuid geteuid getgid getegid rt_sigaction "
    "rt_sigprocmask rt_sigreturn sigaltstack exit exit_group restart_syscall";

#define EQ(i, value)                                                                               \
	{                                                                                          \
		.index = (i), .op = SECCOMP_OP_EQ, .a = (uint64_t)(value)                          \
	}
#define MASKED(i, mask, value)                                                                     \
	{                                                                                          \
		.index = (i), .op = SECCOMP_OP_MASKED_EQ, .a = (mask), .b = (value)                \
	}

/* Unix sockets are left out: what listens on them trusts whoever runs as the same user. So are
 * netlink's, which libc does without. */
static const struct seccomp_arg families[] = { EQ(0, AF_INET), EQ(0, AF_INET6) };
/* libcurl's threads wake each other by one; a datagram one could be connected to others. */
static const struct seccomp_arg pairs[] = { EQ(0, AF_UNIX), MASKED(1, 0xf, SOCK_STREAM) };
static const struct seccomp_arg threads[] = { MASKED(0, CLONE_THREAD, CLONE_THREAD) };
/* Not those that have the kernel signal a process. */
static const struct seccomp_arg fcntls[] = {
	EQ(1, F_GETFD), EQ(1, F_SETFD), EQ(1, F_GETFL),
	EQ(1, F_SETFL), EQ(1, F_DUPFD), EQ(1, F_DUPFD_CLOEXEC)
};
/* Not those that put words into a terminal. */
static const struct seccomp_arg ioctls[] = { EQ(1, FIONBIO), EQ(1, FIONREAD) };

static const struct {
	const char *names; /* with spaces between */
	uint32_t action;
	const struct seccomp_arg *args;
	size_t n_args;
} allowed[] = {
	{ plain_calls, SECCOMP_RET_ALLOW, NULL, 0 },
	{ "socket", SECCOMP_RET_ALLOW, families, ARRAY_SIZE(families) },
	{ "socketpair", SECCOMP_RET_ALLOW, pairs, ARRAY_SIZE(pairs) },
	{ "clone", SECCOMP_RET_ALLOW, threads, ARRAY_SIZE(threads) },
	{ "fcntl", SECCOMP_RET_ALLOW, fcntls, ARRAY_SIZE(fcntls) },
	{ "ioctl", SECCOMP_RET_ALLOW, ioctls, ARRAY_SIZE(ioctls) },
	/* its flags are in memory: libc takes clone() then */
	{ "clone3", SECCOMP_RET_ERRNO | ENOSYS, NULL, 0 },
};

static int confine_calls(struct err *err)
{
	/* One more: abort() signals this process. */
	const struct seccomp_arg self[] = { EQ(0, getpid()) };
	struct seccomp_rule rules[ARRAY_SIZE(allowed) + 1];
	char **names[ARRAY_SIZE(rules)];
	const struct seccomp_policy policy = { .default_action = SECCOMP_RET_ERRNO | EPERM,
					       .rules = rules,
					       .n_rules = ARRAY_SIZE(rules) };
	cleanup_buf struct buf bpf = BUF_INIT;
	size_t n = 0;

	for (; n < ARRAY_SIZE(allowed); n++) {
		names[n] = strv_split(allowed[n].names, ' ');
		rules[n] = (struct seccomp_rule){ names[n], allowed[n].action, allowed[n].args,
						  allowed[n].n_args };
	}
	names[n] = strv_split("tgkill", ' ');
	rules[n] = (struct seccomp_rule){ names[n], SECCOMP_RET_ALLOW, self, ARRAY_SIZE(self) };
	int r = seccomp_compile(&policy, &bpf, err);
	for (size_t i = 0; i <= n; i++)
		strv_free(names[i]);
	return r < 0 ? r : seccomp_install(bpf.data, bpf.len, 0, err);
}

int confine(const char *const *extra, size_t n_extra, struct err *err)
{
	int r = confine_limits(err);

	if (r == 0)
		r = confine_user(err);
	if (r == 0 && (r = prctl_no_new_privs()) < 0)
		r = err_errno(err, -r, "setting no_new_privs");
	/* It holds credentials, and others run as nobody, too. */
	if (r == 0 && (r = prctl_dumpable(false)) < 0)
		r = err_errno(err, -r, "forbidding to be traced");
	if (r == 0)
		r = confine_files(extra, n_extra, err);
	/* The sanitizers' runtimes make calls of their own. */
	if (r == 0 && !SANITIZED)
		r = confine_calls(err);
	return r < 0 ? err_wrap(err, r, "confining inro-registry") : 0;
}

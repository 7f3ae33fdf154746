/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Without no_new_privs loading a filter takes CAP_SYS_ADMIN. A process that the container can see,
 * and trace if it has CAP_SYS_PTRACE, should not have it: so the filter is loaded before that, if
 * it is known to let everything through that the runtime does behind it.
 */
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/syscall.h>

#include "runtime/init.h"
#include "sys/seccomp.h"

#define ALWAYS(nr)                                                                                 \
	{                                                                                          \
		(nr), false, 0                                                                     \
	}

/* From here to execve, by whichever libc; also the fallbacks. */
static const struct seccomp_call needed[] = {
	ALWAYS(SYS_accept4),
	ALWAYS(SYS_brk),
	ALWAYS(SYS_capget),
	ALWAYS(SYS_capset),
	ALWAYS(SYS_chdir),
	ALWAYS(SYS_close),
	ALWAYS(SYS_execve),
	ALWAYS(SYS_exit),
	ALWAYS(SYS_exit_group),
	ALWAYS(SYS_faccessat),
	ALWAYS(SYS_fcntl),
	ALWAYS(SYS_getcwd),
	ALWAYS(SYS_getpid),
	ALWAYS(SYS_getsockopt),
	ALWAYS(SYS_ioctl),
	ALWAYS(SYS_lseek),
	ALWAYS(SYS_madvise),
	ALWAYS(SYS_mmap),
	ALWAYS(SYS_mprotect),
	ALWAYS(SYS_mremap),
	ALWAYS(SYS_munmap),
	ALWAYS(SYS_openat),
	ALWAYS(SYS_prctl),
	ALWAYS(SYS_prlimit64),
	ALWAYS(SYS_read),
	ALWAYS(SYS_readlinkat),
	ALWAYS(SYS_readv),
	ALWAYS(SYS_recvmsg),
	ALWAYS(SYS_restart_syscall),
	ALWAYS(SYS_rt_sigaction),
	ALWAYS(SYS_rt_sigprocmask),
	ALWAYS(SYS_rt_sigreturn),
	ALWAYS(SYS_sendmsg),
	ALWAYS(SYS_setsid),
	ALWAYS(SYS_statx),
	ALWAYS(SYS_write),
#ifdef SYS_newfstatat
	ALWAYS(SYS_fstat),
	ALWAYS(SYS_newfstatat),
#endif
#ifdef SYS_access
	ALWAYS(SYS_access),
	ALWAYS(SYS_lstat),
	ALWAYS(SYS_open),
	ALWAYS(SYS_readlink),
	ALWAYS(SYS_stat),
#endif
#ifdef SYS_setrlimit
	ALWAYS(SYS_getrlimit),
	ALWAYS(SYS_setrlimit),
#endif
};
/* Known to be missing sometimes: the runtime then has another way. */
static const struct seccomp_call newer[] = {
	ALWAYS(SYS_clone3), ALWAYS(437), /* openat2 */
	ALWAYS(439),                     /* faccessat2 */
};

static bool passes(const struct init *in, const struct seccomp_call *call, bool may_miss)
{
	uint32_t answer;

	if (!seccomp_answer(in->bpf, in->bpf_len, call, &answer))
		return false;
	return answer == SECCOMP_RET_ALLOW || (may_miss && answer == (SECCOMP_RET_ERRNO | ENOSYS));
}

bool seccomp_is_early(const struct init *in)
{
	const struct seccomp_call clone = { SYS_clone, true, CLONE_PARENT | CLONE_PIDFD | SIGCHLD };

	/* With it there is no need. An agent has to be told, and then answers whatever it wants. */
	if (!in->bpf || in->spec->process->no_new_privileges ||
	    (in->bpf_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!passes(in, &needed[i], false))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(newer); i++)
		if (!passes(in, &newer[i], true))
			return false;
	return passes(in, &clone, false);
}

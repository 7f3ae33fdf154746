/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp(2). */
#include "sys/seccomp.h"

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

int seccomp_install(const void *bpf, size_t len, unsigned int flags, struct err *err)
{
	struct sock_fprog prog = {
		.len = (unsigned short)(len / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)(uintptr_t)bpf, /* only read */
	};
	const unsigned int both = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER;

	if (len == 0 || len % sizeof(struct sock_filter) ||
	    len / sizeof(struct sock_filter) > BPF_MAXINSNS)
		return err_fail(err, ERR_CORRUPT, "seccomp filter of %zu bytes", len);
	/* An fd and a thread's id can't both be returned. */
	if ((flags & both) == both)
		flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
	long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	if (r < 0 && errno == ENOSYS && flags == 0)
		r = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
	if (r < 0 && errno == EACCES) {
		err_errno(err, EACCES, "loading seccomp filter");
		return err_hint(err, -EACCES, "it needs CAP_SYS_ADMIN or no_new_privs");
	}
	if (r < 0)
		return err_errno(err, errno, "loading seccomp filter");
	if (r > 0 && !(flags & SECCOMP_FILTER_FLAG_NEW_LISTENER))
		return err_fail(err, ERR_CONFLICT,
				"loading seccomp filter: thread %ld has another one", r);
	return (int)r;
}

bool seccomp_flags_available(unsigned int flags)
{
	/* Flags are looked at before the filter, which is nowhere. */
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, NULL) < 0 && errno == EFAULT;
}

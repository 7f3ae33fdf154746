/* SPDX-License-Identifier: Apache-2.0 */
/* What the service keeps of its rights once it has what it needs: sockets of IPv4 and IPv6, and
 * ports below 1024 where it is root. */
#include <linux/capability.h>
#include <linux/seccomp.h>

#include "base/sanitized.h"
#include "net/service/confine.h"
#include "sys/cap.h"
#include "sys/landlock.h"
#include "sys/prctl.h"
#include "sys/rlimit.h"
#include "sys/seccomp.h"

#define MEMORY_MAX (256u << 20)

static const char *const calls[] = { "read",       "recvfrom",
				     "recvmsg",    "sendto",
				     "sendmsg",    "splice",
				     "pipe2",      "close",
				     "accept4",    "bind",
				     "connect",    "listen",
				     "shutdown",   "setsockopt",
				     "getsockopt", "epoll_ctl",
				     "epoll_wait", "epoll_pwait",
				     "poll",       "ppoll",
				     "flock",      "clock_gettime",
				     "brk",        "mmap",
				     "munmap",     "mremap",
				     "madvise",    "exit",
				     "exit_group", "rt_sigreturn",
				     "geteuid",    "futex",
				     "writev",     "restart_syscall",
				     NULL };
static const char *const socket_call[] = { "socket", NULL };

static int confine_caps(struct err *err)
{
	struct cap_sets have;

	int r = cap_get(&have);
	if (r < 0)
		return err_errno(err, -r, "reading capabilities");
	const uint64_t keep = have.permitted & 1ull << CAP_NET_BIND_SERVICE;
	const struct cap_sets sets = { .effective = keep, .permitted = keep };
	if (have.permitted & 1ull << CAP_SETPCAP)
		r = cap_drop_bounding(keep, err);
	return r < 0 ? r : cap_apply(&sets, err);
}

static int confine_calls(struct err *err)
{
	static const struct seccomp_arg v4 = { 0, SECCOMP_OP_EQ, AF_INET, 0 },
					v6 = { 0, SECCOMP_OP_EQ, AF_INET6, 0 };
	const struct seccomp_rule rules[] = {
		{ (char *const *)calls, SECCOMP_RET_ALLOW, NULL, 0 },
		{ (char *const *)socket_call, SECCOMP_RET_ALLOW, &v4, 1 },
		{ (char *const *)socket_call, SECCOMP_RET_ALLOW, &v6, 1 },
	};
	const struct seccomp_policy policy = { .default_action = SECCOMP_RET_ERRNO | EPERM,
					       .rules = rules,
					       .n_rules = ARRAY_SIZE(rules) };
	cleanup_buf struct buf bpf = BUF_INIT;

	/* The sanitizers' run-time libraries make calls of their own. */
	if (SANITIZED)
		return 0;
	int r = seccomp_compile(&policy, &bpf, err);
	return r < 0 ? r : seccomp_install(bpf.data, bpf.len, 0, err);
}

int confine_service(struct err *err)
{
	const struct rlimit_value limits[] = { { RLIMIT_AS, SANITIZED ? UINT64_MAX : MEMORY_MAX },
					       { RLIMIT_CORE, 0 },
					       { RLIMIT_FSIZE, 0 } };

	int r = rlimit_lower(limits, ARRAY_SIZE(limits), err);
	if (r == 0)
		r = confine_caps(err);
	if (r == 0 && (r = prctl_no_new_privs()) < 0)
		r = err_errno(err, -r, "setting no_new_privs");
	if (r == 0)
		r = landlock_restrict(NULL, 0, LANDLOCK_SCOPED, err);
	return r < 0 ? r : confine_calls(err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/init.h"
#include "runtime/sync.h"
#include "sys/clone.h"
#include "sys/netlink.h"
#include "sys/ns.h"
#include "sys/pidfd.h"
#include "sys/uapi.h"

bool netns_is_made(const struct init *in)
{
	return (in->new_ns & CLONE_NEWNET) && !in->userns && in->args->netns_fd > 0;
}

int netns_make(struct err *err)
{
	cleanup_fd int own = ns_open("/proc/self/ns/net", CLONE_NEWNET, err);
	cleanup_fd int fd = -EBADF;
	int r;

	if (own < 0)
		return own;
	if (unshare(CLONE_NEWNET) < 0)
		return err_errno(err, errno, "making a network namespace");
	fd = ns_open("/proc/self/ns/net", CLONE_NEWNET, err);
	r = fd < 0 ? fd : netlink_loopback_up(err);
	if (ns_join(own, CLONE_NEWNET, NULL) < 0)
		_exit(1); /* this one is the container's */
	return r < 0 ? r : take_fd(fd);
}

bool netns_needs_helper(const struct init *in)
{
	cpu_set_t cpus;

	if (!(in->new_ns & CLONE_NEWNET) || in->userns)
		return false;
	return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) > 1;
}

/* The child. What it sends comes to the init as if from the runtime. */
static int make_and_send(const struct init *in, struct err *err)
{
	cleanup_fd int fd = -EBADF;
	int r;

	if (unshare(CLONE_NEWNET) < 0)
		return err_errno(err, errno, "making the network namespace");
	fd = ns_open("/proc/self/ns/net", CLONE_NEWNET, err);
	if (fd < 0)
		return fd;
	r = sync_send(in->sync_parent, SYNC_NETNS, 0, &fd, 1);
	/* An init that has failed meanwhile has told the runtime why. */
	if (r == -EPIPE || r == -ECONNRESET)
		return 0;
	return r < 0 ? err_errno(err, -r, "handing on the network namespace") : 0;
}

int netns_helper_start(const struct init *in, int *ret_pidfd, struct err *err)
{
	struct clone_spec spec = { .flags = CLONE_CLEAR_SIGHAND, .cgroup_fd = -EBADF };
	struct err own = ERR_INIT;
	pid_t pid = clone_process(&spec, ret_pidfd);

	if (pid == 0)
		_exit(make_and_send(in, &own) < 0 ? (own.errnum ? own.errnum : EIO) : 0);
	return pid < 0 ? err_errno(err, -pid, "making a process for the network namespace") : 0;
}

int netns_helper_done(int *pidfd, struct err *err)
{
	siginfo_t info = { 0 };
	int r;

	if (*pidfd < 0)
		return 0;
	r = pidfd_wait(*pidfd, &info);
	*pidfd = fd_close(*pidfd);
	if (r < 0)
		return err_errno(err, -r, "waiting for the network namespace");
	if (info.si_code == CLD_EXITED && info.si_status == 0)
		return 0;
	return err_errno(err, info.si_code == CLD_EXITED ? info.si_status : EIO,
			 "making the network namespace");
}

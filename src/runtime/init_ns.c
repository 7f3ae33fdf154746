/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <grp.h>
#include <linux/limits.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "oci/spec.h"
#include "runtime/init.h"
#include "runtime/prepare.h"
#include "runtime/sync.h"
#include "sys/clone.h"
#include "sys/netlink.h"
#include "sys/ns.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"
#include "sys/prctl.h"
#include "sys/uapi.h"

/* The namespaces that the init makes itself with unshare(2): the runtime gets control back sooner
 * and works on the cgroups meanwhile. */
#define UNSHARE_FLAGS (CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

static bool has_time_offsets(const struct init *in)
{
	const struct spec_time_offsets *t = in->spec->linux_->time_offsets;

	return t && (t->monotonic || t->boottime);
}

bool init_needs_stage(const struct init *in)
{
	if (in->joined_ns & (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWTIME))
		return true;
	if ((in->new_ns & CLONE_NEWUSER) && in->args->userns_above > 0)
		return true;
	if ((in->new_ns & CLONE_NEWTIME) && has_time_offsets(in))
		return true;
	/* Namespaces of the host can't be joined any more from within a new user namespace. */
	return (in->new_ns & CLONE_NEWUSER) && in->joined_ns;
}

int init_become_root(struct err *err)
{
	/* An unprivileged mapping denies setgroups(2): the groups then stay what they are. */
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return err_errno(err, errno, "dropping supplementary groups");
	if (setresgid(0, 0, 0) < 0)
		return err_errno(err, errno, "becoming group 0 of the user namespace");
	if (setresuid(0, 0, 0) < 0)
		return err_errno(err, errno, "becoming user 0 of the user namespace");
	return 0;
}

/* Root of a user namespace in which the runtime's user is nobody may not pass that user's
 * directories: they are opened before, in the mount namespace that is to use them. */
static int leave_user(struct init *in, struct err *err)
{
	int r = 0;

	if (in->stranger) {
		if (unshare(CLONE_NEWNS) < 0)
			return err_errno(err, errno, "making a mount namespace");
		in->mntns_made = true;
		r = rootfs_reopen(in, err);
		if (r >= 0)
			r = prepare_inside(in, err);
	}
	return r < 0 ? r : init_become_root(err);
}

int init_enter_userns(struct init *in, struct err *err)
{
	int r;

	if (!(in->new_ns & CLONE_NEWUSER) || init_needs_stage(in))
		return 0;
	r = sync_expect(in->sync, SYNC_MAPS_DONE, NULL, err);
	return r < 0 ? r : leave_user(in, err);
}

/* Joins what can be joined now; with must set, everything that is left. */
static int join_paths(struct init *in, bool must, struct err *err)
{
	/* The mount namespace last, as it changes what paths mean; user namespaces are done apart.
	 */
	static const enum spec_ns order[] = { NS_NETWORK, NS_IPC,  NS_UTS,  NS_CGROUP,
					      NS_PID,     NS_TIME, NS_MOUNT };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		int *fd = &in->ns_fds[order[i]];
		const struct ns_type *type = ns_by_name(spec_ns_names[order[i]]);
		int r;

		if (*fd < 0 || (order[i] == NS_PID && in->pid_ns_pending))
			continue;
		r = ns_join(*fd, type->flag, err);
		if (r < 0 && (must || r != -EPERM))
			return r;
		if (r >= 0)
			*fd = fd_close(*fd);
	}
	return 0;
}

int init_make_namespaces(struct init *in, struct err *err)
{
	uint64_t flags = in->new_ns & UNSHARE_FLAGS;
	int r;

	if (in->netns_by_helper || in->netns_made)
		flags &= ~(uint64_t)CLONE_NEWNET;
	if (in->mntns_made)
		flags &= ~(uint64_t)CLONE_NEWNS;

	if (!init_needs_stage(in) && in->joined_ns) {
		r = join_paths(in, true, err);
		if (r < 0)
			return r;
	}
	if (flags && unshare((int)flags) < 0) {
		r = err_errno(err, errno, "making namespaces");
		if (errno == EPERM)
			err_hint(err, r, "an unprivileged container needs a user namespace");
		return r;
	}
	return 0;
}

static int join_cgroup(struct init *in, struct sync_msg *msg, struct err *err)
{
	in->state->pid = (pid_t)msg->number;
	in->cgroup_joined = true;
	for (size_t i = 0; i < msg->n_fds; i++)
		if (write(msg->fds[i], "0", 1) < 0)
			return err_errno(err, errno, "moving the process into its cgroup");
	/* The cgroup namespace's root is the cgroup that its maker is in. */
	if ((in->new_ns & CLONE_NEWCGROUP) && unshare(CLONE_NEWCGROUP) < 0)
		return err_errno(err, errno, "making the cgroup namespace");
	return 0;
}

static int join_netns(struct init *in, struct sync_msg *msg, struct err *err)
{
	int r;

	in->netns_joined = true;
	r = msg->n_fds == 1 ? ns_join(msg->fds[0], CLONE_NEWNET, err) : -EPROTO;
	return r < 0 ? r : netlink_loopback_up(err);
}

/* The runtime and its helper for the network namespace send when they are ready, in any order. */
static int join_until(struct init *in, const bool *done, struct err *err)
{
	while (!*done) {
		struct sync_msg msg;
		int r = sync_recv(in->sync, &msg, err);

		if (r == 0)
			return err_errno(err, EPIPE, "waiting for the runtime");
		if (r < 0)
			return r;
		if (msg.type == SYNC_CGROUP)
			r = join_cgroup(in, &msg, err);
		else if (msg.type == SYNC_NETNS)
			r = join_netns(in, &msg, err);
		else
			r = err_errno(err, EPROTO, "unexpected message %d", (int)msg.type);
		sync_msg_done(&msg);
		if (r < 0)
			return r;
	}
	return 0;
}

int init_join_cgroup(struct init *in, struct err *err)
{
	int r = join_until(in, &in->cgroup_joined, err);

	return r < 0 ? err_wrap(err, r, "joining the cgroup") : 0;
}

int init_join_netns(struct init *in, struct err *err)
{
	int r = 0;

	if (!(in->new_ns & CLONE_NEWNET) || in->netns_joined)
		return 0;
	if (in->netns_made) {
		in->netns_joined = true;
		r = ns_join(in->args->netns_fd, CLONE_NEWNET, err);
	} else if (in->netns_by_helper) {
		r = join_until(in, &in->netns_joined, err);
	} else {
		in->netns_joined = true;
		r = netlink_loopback_up(err);
	}
	return r < 0 ? err_wrap(err, r, "setting up the network namespace") : 0;
}

int init_offer_netns(struct init *in, struct err *err)
{
	int r, fds[2] = { in->args->netns_fd };
	cleanup_fd int own = -EBADF, pidfd = -EBADF;

	/* A helper's arrives later. */
	if (in->args->network_fd <= 0 || in->netns_offered ||
	    (in->netns_by_helper && !in->netns_joined))
		return 0;
	if (!in->netns_made)
		fds[0] = own = ns_open("/proc/self/ns/net", CLONE_NEWNET, err);
	if (fds[0] < 0)
		return fds[0];
	fds[1] = pidfd = pidfd_of(getpid());
	in->netns_offered = true;
	r = sync_send(in->args->network_fd, SYNC_NETNS, 0, fds, pidfd < 0 || in->outside ? 1 : 2);
	return r < 0 ? err_errno(err, -r, "handing on the network namespace") : 0;
}

int init_await_network(struct init *in, struct err *err)
{
	int r;

	if (in->args->network_fd <= 0)
		return 0;
	r = init_offer_netns(in, err);
	if (r >= 0)
		r = sync_expect(in->args->network_fd, SYNC_GO, NULL, err);
	return r < 0 ? err_wrap(err, r, "waiting for the network") : 0;
}

static int stage_userns(struct init *in, struct err *err)
{
	int r;

	if (in->ns_fds[NS_USER] >= 0) {
		r = ns_join(in->ns_fds[NS_USER], CLONE_NEWUSER, err);
		return r < 0 ? r : leave_user(in, err);
	}
	if (!(in->new_ns & CLONE_NEWUSER))
		return 0;
	r = in->args->userns_above > 0 ? ns_join(in->args->userns_above, CLONE_NEWUSER, err) : 0;
	if (r < 0)
		return r;
	if (unshare(CLONE_NEWUSER) < 0)
		return err_errno(err, errno, "making the user namespace");
	r = sync_send(in->sync, SYNC_USERNS_MADE, 0, NULL, 0);
	if (r < 0)
		return err_errno(err, -r, "asking for the id mappings");
	r = sync_expect(in->sync, SYNC_MAPS_DONE, NULL, err);
	return r < 0 ? r : leave_user(in, err);
}

int init_join_all(struct init *in, struct err *err)
{
	int r = join_paths(in, false, err);

	if (r >= 0 && in->ns_fds[NS_USER] >= 0) {
		r = ns_join(in->ns_fds[NS_USER], CLONE_NEWUSER, err);
		in->ns_fds[NS_USER] = fd_close(in->ns_fds[NS_USER]);
		if (r >= 0)
			r = init_become_root(err);
	}
	return r < 0 ? r : join_paths(in, true, err);
}

/* While the file is this process's and the rights to write to it are there. In a mount namespace
 * that was joined, /proc is whatever its owner made it. */
static int open_time_offsets(struct init *in, struct err *err)
{
	cleanup_fd int procfd = -EBADF;

	if (!(in->new_ns & CLONE_NEWTIME) || !has_time_offsets(in))
		return 0;
	procfd = procfs_open(0, err);
	if (procfd < 0)
		return procfd;
	in->time_offsets = procfs_open_at(procfd, NS_TIME_OFFSETS, O_WRONLY, err);
	return in->time_offsets < 0 ? in->time_offsets : 0;
}

static int make_time_ns(struct init *in, struct err *err)
{
	const struct spec_time_offsets *t = in->spec->linux_->time_offsets;
	struct ns_time_offset offsets[2];
	size_t n = 0;
	int r;

	if (!(in->new_ns & CLONE_NEWTIME) || (!in->outside && !has_time_offsets(in)))
		return 0;
	if (t && t->monotonic)
		offsets[n++] = (struct ns_time_offset){ CLOCK_MONOTONIC, t->monotonic->secs,
							t->monotonic->nanosecs };
	if (t && t->boottime)
		offsets[n++] = (struct ns_time_offset){ CLOCK_BOOTTIME, t->boottime->secs,
							t->boottime->nanosecs };
	r = ns_unshare_time(in->time_offsets, offsets, n, err);
	in->time_offsets = fd_close(in->time_offsets);
	return r;
}

/* For children: so it waits until no more hooks run. A process that is in another time namespace
 * than its children will be may make none that shares its memory, before 6.1. */
int init_make_time_ns(struct init *in, struct err *err)
{
	return in->outside ? make_time_ns(in, err) : 0;
}

/* Whether it can still be joined from within the container's user namespace: that of a pod, say,
 * which owns it. Where this can't be told it is joined before. */
static bool pid_ns_can_wait(const struct init *in)
{
	cleanup_fd int owner = -EBADF;
	struct stat user, its;

	if (!in->userns)
		return true;
	if (in->ns_fds[NS_USER] < 0)
		return false;
	owner = ns_owner(in->ns_fds[NS_PID]);
	return owner >= 0 && fstat(owner, &its) == 0 && fstat(in->ns_fds[NS_USER], &user) == 0 &&
	       its.st_dev == user.st_dev && its.st_ino == user.st_ino;
}

int init_join_pid_ns(struct init *in, struct err *err)
{
	if (!in->pid_ns_pending)
		return 0;
	in->pid_ns_pending = false;
	return ns_join(in->ns_fds[NS_PID], CLONE_NEWPID, err);
}

int init_clone_last(struct init *in, struct err *err)
{
	/* The filter may be loaded: seccomp_early.c knows these flags. */
	struct clone_spec spec = { .flags = CLONE_PARENT, .cgroup_fd = -EBADF };
	struct sync_msg msg;
	int pidfd = -EBADF, r;
	pid_t pid = clone_process(&spec, &pidfd);

	if (pid == -ENOMEM)
		return err_errno(err, ENOMEM,
				 "making the container's first process (has the pid namespace "
				 "that it joins just ended?)");
	if (pid < 0)
		return err_errno(err, -pid, "making the container's first process");
	if (pid > 0) {
		r = sync_send(in->sync, SYNC_INIT_PID, pid, &pidfd, 1);
		if (r < 0)
			return err_errno(err, -r, "reporting to the runtime");
		_exit(0);
	}
	in->entered = true;
	r = sync_expect(in->sync, SYNC_PID, &msg, err);
	if (r >= 0) {
		in->state->pid = (pid_t)msg.number;
		sync_msg_done(&msg);
	}
	return r;
}

/*
 * setns(2) for pid and time namespaces works for children only, and a user namespace that is joined
 * must be there before the others: so a process in between does that and clones the init as its
 * sibling (CLONE_PARENT), the runtime's own child. Where it joins a pid namespace it does all that
 * the init would do first, because whoever is in there with CAP_SYS_PTRACE could take over a
 * process that sets up: the init comes into being with no more rights than its program gets.
 */
static int stage_run(struct init *in, struct err *err)
{
	/* This process was cloned into the cgroup; children are born into it. */
	struct clone_spec spec = { .flags = CLONE_PARENT | CLONE_CLEAR_SIGHAND,
				   .cgroup_fd = -EBADF };
	int pidfd = -EBADF;
	pid_t pid;
	int r;

	in->dir_fd = fd_close(in->dir_fd);
	in->sync_parent = fd_close(in->sync_parent);
	in->idle_close_fd = fd_close(in->idle_close_fd);
	in->pid_ns_pending = in->outside && pid_ns_can_wait(in);
	r = join_paths(in, false, err);
	if (r >= 0)
		r = stage_userns(in, err);
	if (r >= 0)
		r = join_paths(in, true, err);
	if (r >= 0)
		r = open_time_offsets(in, err);
	if (r >= 0 && !in->outside)
		r = make_time_ns(in, err);
	if (r < 0)
		return r;
	if (in->outside) {
		r = sync_send(in->sync, SYNC_JOINED, 0, NULL, 0);
		if (r >= 0)
			init_main(in);
		return err_errno(err, -r, "reporting to the runtime");
	}
	spec.flags |= in->new_ns & CLONE_NEWPID;
	if ((in->new_ns & CLONE_NEWTIME) && !has_time_offsets(in))
		spec.flags |= CLONE_NEWTIME;
	pid = clone_process(&spec, &pidfd);
	if (pid < 0)
		return err_errno(err, -pid, "making the container's first process");
	if (pid == 0)
		init_main(in);
	r = sync_send(in->sync, SYNC_INIT_PID, pid, &pidfd, 1);
	return r < 0 ? err_errno(err, -r, "reporting to the runtime") : 0;
}

_Noreturn void stage_main(struct init *in)
{
	struct err err = ERR_INIT;
	int r;

	r = stage_run(in, &err);
	if (r < 0)
		sync_send_error(in->sync, &err);
	_exit(r < 0 ? 1 : 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "runtime/live_internal.h"
#include "runtime/prepare.h"
#include "sys/clone.h"
#include "sys/ns.h"
#include "sys/pidfd.h"
#include "sys/prctl.h"
#include "sys/uapi.h"

#define PROC_FDS "/proc/self/fd"

/* What the child says: 0 or 1, or the error. */
struct answer {
	int r;
	struct err err;
};

static int end_with(pid_t parent)
{
	return prctl_parent_death_signal(SIGKILL, parent);
}

/* Nobody but the container's own root may mount for an unprivileged user: in a copy of the host's
 * mount namespace that is his. */
static int clone_source(struct live *l, struct err *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_errno(err, errno, "making a mount namespace");
	return live_is_overlay(l) ? prepare_overlay_mount(&l->in, l->m, &l->im, err)
				  : prepare_bind(&l->in, l->m, &l->im, err);
}

int live_join(struct live *l, struct err *err)
{
	bool apart = l->in.rt->rootless && l->verb->adds && (live_is_bind(l) || live_is_overlay(l));
	/* What overlayfs writes is written by who mounts it. All else is opened by the user, whose
	 * directories may be shut to the container's root. */
	bool by_root = live_is_overlay(l) && mount_opts_data(&l->im.opts, "upperdir");
	unsigned int first = apart ? CLONE_NEWUSER : l->ns_flags;
	int r = first & l->ns_flags ? ns_join_pidfd(l->pidfd, first & l->ns_flags, err) : 0;

	if (r >= 0 && apart && !by_root)
		r = clone_source(l, err);
	if (r >= 0 && (l->ns_flags & CLONE_NEWUSER))
		r = init_become_root(err);
	if (r >= 0 && apart && by_root)
		r = clone_source(l, err);
	if (r >= 0 && apart)
		r = ns_join_pidfd(l->pidfd, CLONE_NEWNS, err);
	return r == -ESRCH ? live_not_running(err) : r;
}

static int child_run(struct live *l, int sock, pid_t parent, struct err *err)
{
	const int keep[] = { sock, l->pidfd, l->im.fd };
	int r;

	prctl_dumpable(false);
	r = end_with(parent);
	if (r >= 0)
		r = fd_close_from(3, keep, ARRAY_SIZE(keep));
	if (r < 0)
		return err_errno(err, -r, "preparing to enter the container");
	log_setup("inro-runtime", -EBADF, LOG_PLAIN, LOG_ERROR);
	l->fds_dir = open(PROC_FDS, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l->fds_dir < 0)
		return err_errno(err, errno, "opening " PROC_FDS);
	r = live_join(l, err);
	if (r < 0)
		return r;
	/* New credentials have ended both. */
	prctl_dumpable(false);
	if (end_with(parent) < 0)
		return err_errno(err, ESRCH, "waiting for the command");
	l->in.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l->in.root < 0)
		return err_errno(err, errno, "opening the container's root");
	umask(0022);
	return l->verb->fn(l, err);
}

static _Noreturn void child_main(struct live *l, int sock, pid_t parent)
{
	struct answer a = { .err = ERR_INIT };

	a.r = child_run(l, sock, parent, &a.err);
	fd_send(sock, &a, sizeof(a), &l->out_fd, l->out_fd >= 0);
	_exit(0);
}

int live_in_child(struct live *l, struct err *err)
{
	const struct clone_spec spec = { .flags = CLONE_CLEAR_SIGHAND, .cgroup_fd = -EBADF };
	cleanup_fd int pidfd = -EBADF;
	pid_t parent = getpid(), pid;
	struct answer a;
	size_t n_fds = 1;
	int pair[2];
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, errno, "making a socket pair");
	pid = clone_process(&spec, &pidfd);
	if (pid == 0)
		child_main(l, pair[1], parent);
	fd_close(pair[1]);
	n = pid < 0 ? 0 : fd_recv(pair[0], &a, sizeof(a), &l->out_fd, &n_fds);
	fd_close(pair[0]);
	if (pid < 0)
		return err_errno(err, -(int)pid, "making a process");
	pidfd_wait(pidfd, NULL);
	if (n != (ssize_t)sizeof(a))
		return err_fail(err, ERR_SYSTEM,
				"the process that entered the container was killed");
	err_sanitize(&a.err);
	if (a.r < 0 && err)
		*err = a.err;
	return a.r < 0 ? a.r : a.r > 0;
}

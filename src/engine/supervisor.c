/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/supervisor.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "runtime/cancel.h"
#include "runtime/cgroup.h"
#include "runtime/selfexe.h"

#define REAP_TIMEOUT_MS 1000
#define UNDO_TIMEOUT_MS 10000

/* The monitor outlives us and must not keep a pipe or terminal of ours open. */
static int spawn(const struct engine *eng, const char *path, bool stay, bool netns, int sock,
		 struct supervisor *ret, struct err *err)
{
	cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	cleanup_fd int cgroup = -EBADF;
	const char *argv[] = { "inro-monitor", NULL, NULL, NULL };
	const struct proc_fd fds[] = {
		{ null, STDIN_FILENO },
		{ null, STDOUT_FILENO },
		{ eng->debug ? STDERR_FILENO : null, STDERR_FILENO },
		{ sock, MONITOR_SOCKET_FD },
	};
	struct proc_spawn spec = PROC_SPAWN_INIT;
	size_t n = 1;

	if (stay)
		argv[n++] = MONITOR_STAY;
	if (netns)
		argv[n++] = MONITOR_NETNS;
	if (null < 0)
		return err_errno(err, errno, "opening /dev/null");
	/* The container's root may be able to write what this user can (runtime/selfexe.h). */
	if (!selfexe_path_is_safe(path)) {
		ret->exe = selfexe_open(path, err);
		if (ret->exe < 0)
			return ret->exe;
		spec.exec_fd = ret->exe;
	} else {
		spec.path = path;
	}
	spec.argv = (char **)argv;
	spec.fds = fds;
	spec.n_fds = ARRAY_SIZE(fds);
	spec.new_session = true;
	spec.cwd_fd = eng->root_fd; /* it keeps no directory of the user's busy */
	if (!stay)
		spec.cgroup_fd = cgroup = cgroup_monitors_open(eng->rootless);
	return proc_spawn(&spec, &ret->proc, err);
}

int supervisor_spawn(const struct engine *eng, bool stay, bool netns, struct supervisor *ret,
		     struct err *err)
{
	cleanup_free char *path = NULL;
	int pair[2], r;

	r = engine_program(eng, "inro-monitor", &path, err);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, errno, "making a socket pair for the monitor");
	r = spawn(eng, path, stay, netns, pair[1], ret, err);
	fd_close(pair[1]);
	if (r < 0) {
		fd_close(pair[0]);
		return err_wrap(err, r, "starting the monitor");
	}
	ret->sock = pair[0];
	return 0;
}

int supervisor_send(struct supervisor *s, struct monitor_start *start, const int *fds, size_t n,
		    struct err *err)
{
	struct monitor_msg msg = { .type = MONITOR_FDS };
	size_t i, batch;
	ssize_t r = 0;

	for (i = 0; r >= 0 && i < n; i += batch) {
		batch = n - i < MONITOR_FDS_MAX ? n - i : MONITOR_FDS_MAX;
		r = fd_send(s->sock, &msg, sizeof(msg), fds + i, batch);
	}
	start->type = MONITOR_START;
	start->version = MONITOR_VERSION;
	start->n_fds = (uint32_t)n;
	if (r >= 0)
		r = fd_send(s->sock, start, sizeof(*start), NULL, 0);
	return r < 0 ? err_errno(err, (int)-r, "giving the monitor its orders") : 0;
}

void supervisor_undo(struct supervisor *s)
{
	shutdown(s->sock, SHUT_WR);
	cancel_poll(0, s->sock, UNDO_TIMEOUT_MS);
}

/* 0: it has said something. -ECANCELED: a signal has come, and the monitor has seen to that. */
static int wait_answer(struct supervisor *s, int cancel_fd, struct err *err)
{
	int r = cancel_poll(cancel_fd, s->sock, -1);

	if (r == -ECANCELED) {
		cancel_error(cancel_fd, err);
		shutdown(s->sock, SHUT_WR);
		cancel_poll(cancel_fd, s->sock, UNDO_TIMEOUT_MS);
		return r;
	}
	return r < 0 ? err_errno(err, -r, "waiting for the container to start") : 0;
}

int supervisor_wait_started(struct supervisor *s, int cancel_fd, int ret_fds[3], size_t *ret_n,
			    struct err *err)
{
	union {
		uint32_t type;
		struct monitor_msg msg;
		struct monitor_failed failed;
	} in = { 0 };
	ssize_t len;
	int r;

	/* Taking a mount apart waits for the kernel; here there is time. */
	s->exe = fd_close(s->exe);
	*ret_n = 0;
	r = wait_answer(s, cancel_fd, err);
	if (r < 0)
		return r;
	*ret_n = 3;
	len = fd_recv(s->sock, &in, sizeof(in), ret_fds, ret_n);
	if (len < 0)
		return err_errno(err, (int)-len, "waiting for the container to start");
	if (len == sizeof(in.msg) && in.type == MONITOR_STARTED) {
		s->pid = in.msg.value;
		return 0;
	}
	*ret_n = 0;
	if (len != sizeof(in.failed) || in.type != MONITOR_FAILED)
		return err_fail(
		    err, ERR_SYSTEM,
		    "waiting for the container to start: the monitor ended unexpectedly");
	err_sanitize(&in.failed.err);
	if (err)
		*err = in.failed.err;
	return in.failed.err.errnum ? -in.failed.err.errnum : -EINVAL;
}

void supervisor_release(struct supervisor *s)
{
	struct monitor_msg msg = { .type = MONITOR_DONE };

	fd_send(s->sock, &msg, sizeof(msg), NULL, 0);
}

void supervisor_reap(struct supervisor *s)
{
	int status;

	proc_wait(&s->proc, REAP_TIMEOUT_MS, &status);
}

void supervisor_done(struct supervisor *s)
{
	s->sock = fd_close(s->sock);
	s->exe = fd_close(s->exe);
	s->proc.pidfd = fd_close(s->proc.pidfd);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/log.h"
#include "runtime/cancel.h"
#include "runtime/cgroup.h"
#include "runtime/hooks.h"
#include "runtime/listener.h"
#include "runtime/notify.h"
#include "runtime/state.h"
#include "runtime/sync.h"
#include "sys/pidfd.h"

#define KILL_TIMEOUT_MS 10000
#define KILL_EVERY_MS   100

static int check_created(const struct state *st, struct err *err)
{
	switch (st->pub.status) {
	case CONTAINER_CREATED:
		return 0;
	case CONTAINER_STOPPED:
		return err_fail(err, ERR_CONFLICT, "cannot start a container that has stopped");
	case CONTAINER_RUNNING:
		return err_fail(err, ERR_CONFLICT, "cannot start an already running container");
	default:
		return err_fail(err, ERR_CONFLICT, "cannot start a container in the %s state",
				container_status_names[st->pub.status]);
	}
}

/* The socket is unlinked before the init gets its word: whoever comes later finds a container that
 * is running, and an init whose starter dies in between ends. */
static int connect_init(int dir, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	cleanup_fd int fd = -EBADF;
	char path[FD_PATH_MAX];

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", fd_proc_path(dir, path),
		 STATE_CREATED);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_errno(err, errno, "connecting to the container's first process");
	if (unlinkat(dir, STATE_CREATED, 0) < 0)
		return err_errno(err, errno, "removing the start socket");
	return take_fd(fd);
}

static int deliver_listener(int conn, const struct state *st, const struct sync_msg *msg,
			    int cancel_fd, struct err *err)
{
	cleanup_fd int pidfd = state_pidfd(st);
	const struct container process = { .pid = st->pub.pid, .pidfd = pidfd };

	return listener_deliver(&process, conn, msg, st, cancel_fd, err);
}

/* What it has to say before it executes the program. */
static int handle(int conn, const struct state *st, const struct sync_msg *msg, int cancel_fd,
		  struct err *err)
{
	int r;

	if (msg->type != SYNC_LISTENER)
		return 0;
	r = deliver_listener(conn, st, msg, cancel_fd, err);
	if (r < 0)
		return r;
	r = sync_send(conn, SYNC_GO, 0, NULL, 0);
	return r == 0 || r == -EPIPE || r == -ECONNRESET
		   ? 0
		   : err_errno(err, -r, "answering the first process");
}

static int follow(int conn, const struct state *st, int cancel_fd, struct err *err)
{
	unsigned int due = SYNC_BIT(SYNC_EXEC) | (st->listener_path ? SYNC_BIT(SYNC_LISTENER) : 0);
	bool exec_seen = false;

	for (;;) {
		struct sync_msg msg;
		int r = cancel_wait(cancel_fd, conn, err);

		/* What was executed in the container since it was created may have traced it. */
		if (r >= 0)
			r = sync_recv_plain(conn, &msg, err);
		if (r < 0)
			return r;
		if (r == 0)
			return exec_seen ? 0
					 : err_fail(err, ERR_SYSTEM,
						    "the container's first process was killed");
		if (msg.type == SYNC_ERROR)
			return sync_take_error(&msg, err);
		exec_seen |= msg.type == SYNC_EXEC;
		r = sync_admit(&due, msg.type)
			? handle(conn, st, &msg, cancel_fd, err)
			: err_errno(err, EPROTO, "unexpected message %d", (int)msg.type);
		sync_msg_done(&msg);
		if (r < 0)
			return r;
	}
}

static int run_poststart(const struct state *st, int cancel_fd, struct err *err)
{
	CLEANUP(hooks_saved_done) struct hooks_saved hooks = { 0 };
	int r = hooks_load(st->hooks, &hooks, err);

	if (r >= 0)
		r = hooks_run("poststart", &hooks.poststart, &st->pub, CONTAINER_RUNNING, cancel_fd,
			      err);
	return r;
}

static void kill_init(const struct state *st)
{
	CLEANUP(cgroup_done) struct cgroup cg = { 0 };

	if (state_kill(st, SIGKILL) < 0)
		return;
	cgroup_open(st->pub.cgroup_paths, &cg, NULL);
	/* Whoever looks next shall see it stopped. A hook may have paused it. */
	for (int waited = 0; waited < KILL_TIMEOUT_MS; waited += KILL_EVERY_MS) {
		if (state_wait_end(st, KILL_EVERY_MS) != 0)
			return;
		cgroup_thaw_to_die(&cg);
		/* By a cgroup above: it dies when that is thawed. */
		if (waited && cgroup_is_held(&cg))
			break;
	}
	log_warn("container %s was killed, but its first process does not end", st->pub.id);
}

/* The container's socket, before its program can miss it. A container that was created without
 * NOTIFY_SOCKET will never say anything. */
static int listen_ready(int dir, const char *host, int *ret_sock, struct err *err)
{
	int sock = host ? notify_listen(dir, err) : -ENOENT;

	*ret_sock = sock < 0 ? -EBADF : sock;
	return sock == -ENOENT ? 0 : sock;
}

static int wait_ready(int sock, const char *host, const struct state *st, int cancel_fd,
		      struct err *err)
{
	cleanup_fd int pidfd = state_pidfd(st);
	const struct container process = { .pid = st->pub.pid, .pidfd = pidfd };

	if (pidfd == -ESRCH)
		return 0;
	return notify_wait(sock, host, &process, cancel_fd, err);
}

static int start(const struct runtime *rt, const char *id, const char *notify_host, int cancel_fd,
		 struct err *err)
{
	cleanup_state struct state st = { 0 };
	cleanup_fd int dir = state_dir_open(rt, id, 0, err);
	cleanup_fd int conn = -EBADF;
	cleanup_fd int notify = -EBADF;
	int r;

	r = dir < 0 ? dir : state_lock_cancel(dir, id, cancel_fd, err);
	if (r >= 0)
		r = state_read(dir, id, &st, err);
	if (r >= 0)
		r = state_settle(dir, &st, err);
	if (r >= 0)
		r = check_created(&st, err);
	if (r >= 0)
		r = listen_ready(dir, notify_host, &notify, err);
	if (r < 0)
		return r;
	conn = connect_init(dir, err);
	if (conn < 0)
		return conn;
	r = sync_send(conn, SYNC_GO, 0, NULL, 0);
	if (r < 0)
		return err_errno(err, -r, "starting the container's first process");
	r = follow(conn, &st, cancel_fd, err);
	if (r >= 0)
		r = run_poststart(&st, cancel_fd, err);
	if (r >= 0 && notify >= 0) {
		/* For long, maybe, and others may want to do something with what runs. */
		state_unlock(dir);
		r = wait_ready(notify, notify_host, &st, cancel_fd, err);
	}
	/* runtime-spec runtime.md: a hook that fails stops the container. */
	if (r < 0)
		kill_init(&st);
	return r;
}

int container_start(const struct runtime *rt, const char *id, const char *notify_host,
		    int cancel_fd, struct err *err)
{
	int r = start(rt, id, notify_host, cancel_fd, err);

	return r < 0 ? err_wrap(err, r, "starting container %s", id) : 0;
}

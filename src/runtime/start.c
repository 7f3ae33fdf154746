/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "runtime/hooks.h"
#include "runtime/listener.h"
#include "runtime/state.h"
#include "runtime/sync.h"
#include "sys/pidfd.h"

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

/* linux.seccomp.listenerPath of the bundle: only for filters that notify. */
static int deliver_listener(const struct state *st, int number, struct err *err)
{
	cleanup_fd int pidfd = state_pidfd(st);
	cleanup_free char *path = path_join(st->pub.bundle, "config.json");
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	CLEANUP(spec_free) struct spec spec = { 0 };
	int r;

	r = io_read_file(AT_FDCWD, path, &text, SPEC_BYTES_MAX, err);
	if (r >= 0)
		r = spec_parse(buf_str(&text), text.len, &spec, err);
	if (r < 0)
		return r;
	if (!spec.linux_ || !spec.linux_->seccomp || !spec.linux_->seccomp->listener_path)
		return err_fail(err, ERR_INVALID, "linux.seccomp.listenerPath: missing in %s",
				path);
	return listener_deliver(pidfd, number, spec.linux_->seccomp, &st->pub, err);
}

static int follow(int conn, const struct state *st, struct err *err)
{
	bool exec_seen = false;

	for (;;) {
		struct sync_msg msg;
		int r = sync_recv(conn, &msg, err);

		if (r < 0)
			return r;
		if (r == 0)
			return exec_seen ? 0
					 : err_fail(err, ERR_SYSTEM,
						    "the container's first process was killed");
		sync_msg_done(&msg);
		if (msg.type == SYNC_ERROR) {
			if (err)
				*err = msg.err;
			return msg.err.errnum > 0 ? -msg.err.errnum : -EINVAL;
		}
		if (msg.type == SYNC_EXEC)
			exec_seen = true;
		if (msg.type == SYNC_LISTENER) {
			r = deliver_listener(st, (int)msg.number, err);
			if (r < 0)
				return r;
			sync_send(conn, SYNC_GO, 0, NULL, 0);
		}
	}
}

static int run_poststart(const struct state *st, struct err *err)
{
	CLEANUP(hooks_saved_done) struct hooks_saved hooks = { 0 };
	int r = hooks_load(st->hooks, &hooks, err);

	if (r >= 0)
		r = hooks_run("poststart", &hooks.poststart, &st->pub, CONTAINER_RUNNING, err);
	if (r < 0) {
		cleanup_fd int pidfd = state_pidfd(st);

		pidfd_kill(pidfd, SIGKILL);
	}
	return r;
}

static int start(const struct runtime *rt, const char *id, struct err *err)
{
	cleanup_fd int dir = state_dir_open(rt, id, LOCK_EX, err);
	cleanup_state struct state st = { 0 };
	cleanup_fd int conn = -EBADF;
	int r;

	if (dir < 0)
		return dir;
	r = state_read(dir, id, &st, err);
	if (r >= 0)
		r = check_created(&st, err);
	if (r < 0)
		return r;
	conn = connect_init(dir, err);
	if (conn < 0)
		return conn;
	r = sync_send(conn, SYNC_GO, 0, NULL, 0);
	if (r < 0)
		return err_errno(err, -r, "starting the container's first process");
	r = follow(conn, &st, err);
	return r < 0 ? r : run_poststart(&st, err);
}

int container_start(const struct runtime *rt, const char *id, struct err *err)
{
	int r = start(rt, id, err);

	return r < 0 ? err_wrap(err, r, "starting container %s", id) : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/listener.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "runtime/cancel.h"
#include "runtime/peer.h"
#include "sys/clone.h"
#include "sys/pidfd.h"
#include "sys/prctl.h"
#include "sys/uapi.h"

#define END_TIMEOUT_MS 100

static int send_fd(const struct state *st, pid_t pid, int fd, struct err *err)
{
	CLEANUP(buf_done) struct buf state_text = BUF_INIT;
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	const char *path = st->listener_path;
	cleanup_fd int sock = peer_connect("linux.seccomp.listenerPath", path, -EBADF, err);
	int r;

	if (sock < 0)
		return sock;
	container_state_write(&st->pub, &state_text);
	buf_adds(&text, "{\"ociVersion\":");
	json_write_string(&text, st->pub.oci_version);
	buf_addf(&text, ",\"fds\":[\"seccompFd\"],\"pid\":%d,\"metadata\":", pid);
	json_write_string(&text, st->listener_metadata ? st->listener_metadata : "");
	buf_addf(&text, ",\"state\":%s}", buf_str(&state_text));
	r = peer_send(sock, text.data, text.len, fd, -EBADF, err);
	return r < 0 ? err_wrap(err, r, "sending to %s", path) : 0;
}

/* An agent trusts what it reads from it. A file of the container's, on a FUSE too, has a type; that
 * of an anonymous inode is none. Nobody is asked for it, whose answer would have to be waited for.
 */
static bool is_notify_fd(int fd)
{
	uint64_t no_notification = 0;
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 &&
	       (st.stx_mode & S_IFMT) == 0 &&
	       ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &no_notification) < 0 && errno == ENOENT;
}

/* Nothing is closed here: first it has to be said what is wrong. */
static int receive(int sock, struct err *err)
{
	struct sync_msg msg;
	int r = sync_recv(sock, &msg, err);

	if (r < 0)
		return r;
	return r > 0 && msg.type == SYNC_LISTENER && msg.n_fds == 1
		   ? msg.fds[0]
		   : err_errno(err, EPROTO, "receiving the seccomp notify fd");
}

static int fetch(int pidfd, int64_t number, struct err *err)
{
	int fd = number <= INT_MAX ? pidfd_steal_fd(pidfd, (int)number) : -EBADF;
	int r;

	if (fd >= 0)
		return fd;
	r = err_errno(err, -fd, "taking the seccomp notify fd");
	return err_hint(err, r, "it is sent where the filter allows sendmsg");
}

/* The child. It may hang when it ends: nothing that others wait for may be left open in it, the
 * lock on the container's directory before all. */
static int hand_over(const struct container *process, const int socks[2], int64_t number,
		     const struct state *st, struct err *err)
{
	const int keep[] = { process->pidfd, socks[0], socks[1] };
	int fd, r;

	log_setup("inro-runtime", -EBADF, LOG_PLAIN, LOG_ERROR);
	r = fd_close_from(0, keep, ARRAY_SIZE(keep));
	if (r < 0)
		return err_errno(err, -r, "closing what is not needed");
	fd = number == LISTENER_FOLLOWS ? receive(socks[0], err)
					: fetch(process->pidfd, number, err);
	if (fd < 0)
		return fd;
	if (!is_notify_fd(fd))
		return err_fail(err, ERR_DENIED, "what came as the seccomp notify fd is none");
	return send_fd(st, process->pid, fd, err);
}

static int follow(int sock, const struct state *st, int cancel_fd, struct err *err)
{
	int r = cancel_wait(cancel_fd, sock, err);

	if (r < 0)
		return err_wrap(err, r, "waiting for linux.seccomp.listenerPath %s",
				st->listener_path);
	return sync_expect(sock, SYNC_GO, NULL, err);
}

int listener_deliver(const struct container *process, int sock, const struct sync_msg *msg,
		     const struct state *st, int cancel_fd, struct err *err)
{
	struct clone_spec spec = { .flags = CLONE_CLEAR_SIGHAND, .cgroup_fd = -EBADF };
	struct container helper = { .pidfd = -EBADF };
	struct err own = ERR_INIT;
	pid_t parent = getpid();
	int pair[2], r;

	/* The specification's check of the configuration lets none through. */
	if (!st->listener_path)
		return err_fail(err, ERR_INVALID, "linux.seccomp.listenerPath: needed");
	r = sync_pair(pair, err);
	if (r < 0)
		return r;
	helper.pid = clone_process(&spec, &helper.pidfd);
	if (helper.pid == 0) {
		const int socks[] = { sock, pair[1] };

		if (prctl_parent_death_signal(SIGKILL, parent) < 0)
			_exit(1);
		if (hand_over(process, socks, msg->number, st, &own) < 0)
			sync_send_error(pair[1], &own);
		else
			sync_send(pair[1], SYNC_GO, 0, NULL, 0);
		_exit(0);
	}
	fd_close(pair[1]);
	r = helper.pid < 0 ? err_errno(err, -helper.pid, "making a process for the seccomp agent")
			   : follow(pair[0], st, cancel_fd, err);
	fd_close(pair[0]);
	if (!pidfd_kill_child(&helper.pidfd, helper.pid, END_TIMEOUT_MS)) {
		log_warn("process %d was killed, but something in the kernel holds it: it ends "
			 "with that",
			 helper.pid);
		fd_close(helper.pidfd);
	}
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/listener.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "runtime/peer.h"
#include "sys/pidfd.h"

static int send_fd(const struct state *st, pid_t pid, int fd, int cancel_fd, struct err *err)
{
	CLEANUP(buf_done) struct buf state_text = BUF_INIT;
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	const char *path = st->listener_path;
	cleanup_fd int sock = peer_connect("linux.seccomp.listenerPath", path, cancel_fd, err);
	int r;

	if (sock < 0)
		return sock;
	container_state_write(&st->pub, &state_text);
	buf_adds(&text, "{\"ociVersion\":");
	json_write_string(&text, st->pub.oci_version);
	buf_addf(&text, ",\"fds\":[\"seccompFd\"],\"pid\":%d,\"metadata\":", pid);
	json_write_string(&text, st->listener_metadata ? st->listener_metadata : "");
	buf_addf(&text, ",\"state\":%s}", buf_str(&state_text));
	r = peer_send(sock, text.data, text.len, fd, cancel_fd, err);
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

static int deliver(const struct container *process, int fd, const struct state *st, int cancel_fd,
		   struct err *err)
{
	if (!is_notify_fd(fd))
		return err_fail(err, ERR_DENIED, "what came as the seccomp notify fd is none");
	return send_fd(st, process->pid, fd, cancel_fd, err);
}

int listener_deliver(const struct container *process, const struct sync_msg *msg,
		     const struct state *st, int cancel_fd, struct err *err)
{
	cleanup_fd int taken = -EBADF;
	int r;

	/* The specification's check of the configuration lets none through. */
	if (!st->listener_path)
		return err_fail(err, ERR_INVALID, "linux.seccomp.listenerPath: needed");
	if (msg->n_fds == 1)
		return deliver(process, msg->fds[0], st, cancel_fd, err);
	taken = pidfd_steal_fd(process->pidfd, (int)msg->number);
	if (taken < 0) {
		r = err_errno(err, -taken, "taking the seccomp notify fd");
		return err_hint(err, r, "it is sent where the filter allows sendmsg");
	}
	return deliver(process, taken, st, cancel_fd, err);
}

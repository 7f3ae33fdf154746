/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/listener.h"

#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "sys/pidfd.h"

static int send_fd(const struct state *st, pid_t pid, int fd, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	CLEANUP(buf_done) struct buf state_text = BUF_INIT;
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	const char *path = st->listener_path;
	cleanup_fd int sock = -EBADF;
	ssize_t n;

	if (strlen(path) >= sizeof(addr.sun_path))
		return err_fail(err, ERR_INVALID,
				"linux.seccomp.listenerPath: longer than %zu bytes",
				sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_errno(err, errno, "connecting to linux.seccomp.listenerPath %s", path);
	container_state_write(&st->pub, &state_text);
	buf_adds(&text, "{\"ociVersion\":");
	json_write_string(&text, st->pub.oci_version);
	buf_addf(&text, ",\"fds\":[\"seccompFd\"],\"pid\":%d,\"metadata\":", pid);
	json_write_string(&text, st->listener_metadata ? st->listener_metadata : "");
	buf_addf(&text, ",\"state\":%s}", buf_str(&state_text));
	n = fd_send(sock, text.data, text.len, &fd, 1);
	return n < 0 ? err_errno(err, (int)-n, "sending to %s", path) : 0;
}

/* An agent trusts what it reads from it. A file of the container's, on a FUSE too, has a type; that
 * of an anonymous inode is none. */
static bool is_notify_fd(int fd)
{
	uint64_t no_notification = 0;
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == 0 &&
	       ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &no_notification) < 0 && errno == ENOENT;
}

static int deliver(const struct container *process, int fd, const struct state *st, struct err *err)
{
	if (!is_notify_fd(fd))
		return err_fail(err, ERR_DENIED, "what came as the seccomp notify fd is none");
	return send_fd(st, process->pid, fd, err);
}

int listener_deliver(const struct container *process, const struct sync_msg *msg,
		     const struct state *st, struct err *err)
{
	cleanup_fd int taken = -EBADF;
	int r;

	/* The specification's check of the configuration lets none through. */
	if (!st->listener_path)
		return err_fail(err, ERR_INVALID, "linux.seccomp.listenerPath: needed");
	if (msg->n_fds == 1)
		return deliver(process, msg->fds[0], st, err);
	taken = pidfd_steal_fd(process->pidfd, (int)msg->number);
	if (taken < 0) {
		r = err_errno(err, -taken, "taking the seccomp notify fd");
		return err_hint(err, r, "it is sent where the filter allows sendmsg");
	}
	return deliver(process, taken, st, err);
}

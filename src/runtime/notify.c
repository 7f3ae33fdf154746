/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/notify.h"

#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "runtime/cancel.h"
#include "runtime/state.h"
#include "sys/procfs.h"
#include "sys/xattr.h"

#define SEND_TIMEOUT_S     5
#define BARRIER_TIMEOUT_MS 30000 /* runc's and crun's */
#define LOOK_EVERY_MS      100   /* without pidfds */
#define BURST              64    /* datagrams taken before looking at anything else */

bool notify_says_ready(const char *text, size_t len)
{
	static const char ready[] = "READY=1";
	const char *line = text, *end;

	if (len && text[len - 1] == '\0')
		len--;
	if (len > NOTIFY_BYTES_MAX || memchr(text, '\0', len))
		return false;
	end = text + len;
	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t n = (size_t)((newline ? newline : end) - line);

		if (n == sizeof(ready) - 1 && memcmp(line, ready, n) == 0)
			return true;
		line += n + 1;
	}
	return false;
}

int notify_address(const char *name, struct sockaddr_un *ret)
{
	size_t len = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(ret->sun_path))
		return -EINVAL;
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret->sun_path, name, len);
	/* An abstract name has no end but the address's. */
	if (name[0] == '@')
		ret->sun_path[0] = '\0';
	else
		len++;
	return (int)(offsetof(struct sockaddr_un, sun_path) + len);
}

/* SELinux: files made from here on get this label, "" as usual. As with crun not worth a failure.
 */
static void label_new_files(const char *label)
{
	cleanup_fd int procfs = procfs_open(PROCFS_MOUNTED, NULL);

	if (procfs >= 0)
		procfs_write_attr(procfs, "fscreate", label, NULL);
}

int notify_make_dir(int state_dir, const char *label, struct err *err)
{
	bool labelled = label && label[0];

	if (labelled)
		label_new_files(label);
	mode_t old = umask(0);
	int r = mkdirat(state_dir, STATE_NOTIFY, 0755);
	int e = errno;

	umask(old);
	if (labelled)
		label_new_files("");
	return r < 0 ? err_errno(err, e, "making the directory of the notification socket") : 0;
}

/* Open to all users of the container. By the mask, not by a later chmod(2): the container may own
 * the directory and have put a link in the socket's place. */
static int bind_for_all(int sock, const struct sockaddr_un *addr)
{
	mode_t old = umask(0);
	int r = bind(sock, (const struct sockaddr *)addr, sizeof(*addr)) < 0 ? -errno : 0;

	umask(old);
	return r;
}

/* The directory's label, given when it is made: a name in it may be the container's by now. */
static int bind_with_label(int sock, const struct sockaddr_un *addr, int dir)
{
	CLEANUP(buf_done) struct buf label = BUF_INIT;
	bool labelled = xattr_get(dir, "security.selinux", &label) >= 0;

	if (labelled)
		label_new_files(buf_str(&label));
	int r = bind_for_all(sock, addr);
	if (labelled)
		label_new_files("");
	return r;
}

int notify_listen(int state_dir, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	cleanup_fd int dir = -EBADF;
	cleanup_fd int sock = -EBADF;
	char path[FD_PATH_MAX];
	int r;

	dir = openat(state_dir, STATE_NOTIFY, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_errno(err, errno, "opening the directory of the notification socket");
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", fd_proc_path(dir, path),
		 NOTIFY_FILE);
	unlinkat(dir, NOTIFY_FILE, 0);
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	r = sock < 0 ? -errno : bind_with_label(sock, &addr, dir);
	return r < 0 ? err_errno(err, -r, "making the notification socket") : take_fd(sock);
}

/* 1: ready, 0: something else, -EAGAIN: there is nothing. */
static int receive_one(int sock)
{
	char text[NOTIFY_BYTES_MAX + 1];
	/* No room for control messages: the kernel closes the fds in them. */
	ssize_t n = NO_EINTR(recv(sock, text, sizeof(text), MSG_DONTWAIT | MSG_TRUNC));

	if (n < 0)
		return errno == EAGAIN ? -EAGAIN : 0;
	return (size_t)n <= sizeof(text) && notify_says_ready(text, (size_t)n);
}

bool notify_receive(int sock)
{
	int r = 0;

	for (int i = 0; i < BURST && r == 0; i++)
		r = receive_one(sock);
	return r > 0;
}

static int host_connect(const char *host, struct err *err)
{
	const struct timeval timeout = { .tv_sec = SEND_TIMEOUT_S };
	struct sockaddr_un addr;
	cleanup_fd int sock = -EBADF;
	int len = notify_address(host, &addr);

	if (len < 0)
		return err_errno(err, -len, "connecting to %s", host);
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&addr, (socklen_t)len) < 0)
		return err_errno(err, errno, "connecting to %s", host);
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	return take_fd(sock);
}

/* The socket, for a barrier. One datagram: a service that is ready and has not this main process is
 * nothing that systemd should see. */
static int tell(const char *host, bool ready, pid_t main_pid, struct err *err)
{
	cleanup_fd int sock = host_connect(host, err);
	char text[64];
	ssize_t r;
	int n;

	if (sock < 0)
		return sock;
	n = snprintf(text, sizeof(text), "%sMAINPID=%d\n", ready ? "READY=1\n" : "", main_pid);
	r = fd_send(sock, text, (size_t)n, NULL, 0);
	return r < 0 ? err_errno(err, (int)-r, "writing to %s", host) : take_fd(sock);
}

void notify_tell(const char *host, pid_t main_pid)
{
	struct err err = ERR_INIT;
	int sock = tell(host, true, main_pid, &err);

	if (sock < 0)
		log_warn("telling systemd that the container is ready: %s", err.msg);
	fd_close(sock);
}

/* sd_notify_barrier(3): who reads the messages before it closes the pipe's end. */
static int barrier(int sock, int cancel_fd, struct err *err)
{
	static const char text[] = "BARRIER=1";
	struct pollfd p[] = {
		{ .fd = -1 },
		{ .fd = cancel_fd > 0 ? cancel_fd : -1, .events = POLLIN },
	};
	cleanup_fd int read_end = -EBADF;
	int ends[2];
	ssize_t n;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(err, errno, "making a pipe");
	read_end = p[0].fd = ends[0];
	n = fd_send(sock, text, sizeof(text) - 1, &ends[1], 1);
	fd_close(ends[1]);
	if (n < 0 || poll(p, ARRAY_SIZE(p), BARRIER_TIMEOUT_MS) <= 0)
		return 0;
	return p[1].revents ? cancel_error(cancel_fd, err) : 0;
}

int notify_tell_and_wait(const char *host, pid_t main_pid, int cancel_fd, struct err *err)
{
	struct err warning = ERR_INIT;
	cleanup_fd int sock = tell(host, true, main_pid, &warning);

	if (sock >= 0)
		return barrier(sock, cancel_fd, err);
	log_warn("telling systemd that the container is ready: %s", warning.msg);
	return 0;
}

void notify_main_pid(const char *host, pid_t main_pid)
{
	struct err err = ERR_INIT;
	cleanup_fd int sock = tell(host, false, main_pid, &err);

	if (sock >= 0)
		barrier(sock, -EBADF, NULL);
	else
		log_warn("telling systemd which process is the service's: %s", err.msg);
}

static bool process_gone(pid_t pid)
{
	uint64_t start;
	char status = 'X';

	return procfs_stat(pid, &status, &start) < 0 || status == 'Z' || status == 'X';
}

int notify_wait(int sock, const char *host, const struct container *c, int cancel_fd,
		struct err *err)
{
	enum { SOCK, CANCEL, PROCESS, COUNT };

	for (;;) {
		struct pollfd p[COUNT] = {
			[SOCK] = { .fd = sock, .events = POLLIN },
			[CANCEL] = { .fd = cancel_fd > 0 ? cancel_fd : -1, .events = POLLIN },
			[PROCESS] = { .fd = c->pidfd, .events = POLLIN },
		};
		int n = poll(p, COUNT, c->pidfd >= 0 ? -1 : LOOK_EVERY_MS);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "waiting for the container to be ready");
		if (p[CANCEL].revents)
			return cancel_error(cancel_fd, err);
		/* Before its end is looked at: it may have said it as its last word. */
		if (p[SOCK].revents && notify_receive(sock))
			return notify_tell_and_wait(host, c->pid, cancel_fd, err);
		if (p[PROCESS].revents || (n == 0 && process_gone(c->pid)))
			return 0;
	}
}

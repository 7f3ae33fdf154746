/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/peer.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "runtime/cancel.h"

#define TRY_EVERY_MS 20

/* Until something may have changed, or a signal has come. */
static int pause_for(int cancel_fd, int timeout_ms, struct err *err)
{
	int r = cancel_poll(cancel_fd, -1, timeout_ms);

	return r == -ECANCELED ? cancel_error(cancel_fd, err) : 0;
}

int peer_connect(const char *what, const char *path, int cancel_fd, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	cleanup_fd int fd = -EBADF;
	int r;

	if (strlen(path) >= sizeof(addr.sun_path))
		return err_fail(err, ERR_INVALID, "path of %s %s is longer than %zu bytes", what,
				path, sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(err, errno, "making a socket");
	/* Where too many wait to be accepted there is nothing to poll. */
	while (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return err_errno(err, errno, "connecting to %s %s", what, path);
		r = pause_for(cancel_fd, TRY_EVERY_MS, err);
		if (r < 0)
			return err_wrap(err, r, "connecting to %s %s", what, path);
	}
	return take_fd(fd);
}

static int wait_room(int sock, int cancel_fd, struct err *err)
{
	struct pollfd p[] = {
		{ .fd = sock, .events = POLLOUT },
		{ .fd = cancel_fd > 0 ? cancel_fd : -1, .events = POLLIN },
	};

	if (NO_EINTR(poll(p, ARRAY_SIZE(p), -1)) < 0)
		return err_errno(err, errno, "waiting for the other side");
	return p[0].revents ? 0 : cancel_error(cancel_fd, err);
}

int peer_send(int sock, const void *data, size_t len, int fd, int cancel_fd, struct err *err)
{
	const char *rest = data;
	size_t n_fds = 1;

	while (len > 0) {
		ssize_t n = fd_send(sock, rest, len, &fd, n_fds);
		int r;

		if (n >= 0) {
			rest += n;
			len -= (size_t)n;
			n_fds = 0;
			continue;
		}
		if (n != -EAGAIN)
			return err_errno(err, (int)-n, "sending");
		r = wait_room(sock, cancel_fd, err);
		if (r < 0)
			return r;
	}
	return 0;
}

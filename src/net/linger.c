/* SPDX-License-Identifier: Apache-2.0 */
#include "net/linger.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

#define SOCKET   "linger"
#define QUIET_MS 100 /* several times what the kernel takes */
#define KEPT_MAX 256

/* Never waits: the socket's queue is short (net.unix.max_dgram_qlen). */
static int make_socket(int run_dir, struct sockaddr_un *ret)
{
	char dir[FD_PATH_MAX];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/" SOCKET, fd_proc_path(run_dir, dir));
	return fd < 0 ? -errno : fd;
}

void net_linger(int run_dir, int sock)
{
	struct sockaddr_un a;
	cleanup_fd int to = sock < 0 ? -EBADF : make_socket(run_dir, &a);

	if (to >= 0 && connect(to, (const struct sockaddr *)&a, sizeof(a)) == 0)
		(void)fd_send(to, "", 1, &sock, 1);
	fd_close(sock);
}

int net_linger_listen(int run_dir)
{
	struct sockaddr_un a;
	cleanup_fd int fd = make_socket(run_dir, &a);

	if (fd < 0)
		return fd;
	(void)unlinkat(run_dir, SOCKET, 0);
	return bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : take_fd(fd);
}

void net_linger_until(int listen, int pidfd)
{
	struct pollfd p[] = { { .fd = pidfd, .events = POLLIN },
			      { .fd = listen, .events = POLLIN } };
	int kept[KEPT_MAX];
	size_t n = 0;

	for (;;) {
		int r = poll(p, 2, n ? QUIET_MS : -1);
		size_t more = 1;
		char byte;

		if (r > 0 && p[0].revents)
			return;
		if (r > 0 && fd_recv(listen, &byte, 1, &kept[n], &more) >= 0)
			n += more;
		if (r == 0 || n == KEPT_MAX)
			while (n > 0)
				fd_close(kept[--n]);
	}
}

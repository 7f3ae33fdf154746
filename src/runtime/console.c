/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/console.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"

int console_connect(const char *path, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	cleanup_fd int fd = -EBADF;

	if (strlen(path) >= sizeof(addr.sun_path))
		return err_fail(err, ERR_USAGE, "path of socket %s is longer than %zu bytes", path,
				sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_errno(err, errno, "connecting to console socket %s", path);
	return take_fd(fd);
}

int console_send(int sock, int master, struct err *err)
{
	static const char name[] = "/dev/ptmx";
	ssize_t n = fd_send(sock, name, sizeof(name) - 1, &master, 1);

	return n < 0 ? err_errno(err, (int)-n, "sending the terminal to the console socket") : 0;
}

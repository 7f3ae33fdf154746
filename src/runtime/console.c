/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/console.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "sys/tty.h"

void console_set_size(const struct spec_process *p, int master)
{
	struct winsize size = { 0 };

	if (p->console_size) {
		size.ws_row = (unsigned short)p->console_size->height;
		size.ws_col = (unsigned short)p->console_size->width;
	} else if (tty_get_size(0, &size) < 0) {
		return;
	}
	tty_set_size(master, &size);
}

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

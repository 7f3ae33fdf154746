/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/console.h"

#include "base/fd.h"
#include "runtime/peer.h"
#include "sys/tty.h"

void console_set_size(const struct spec_process *p, int master)
{
	struct winsize size = { 0 };

	if (p->console_size) {
		size.ws_row = (unsigned short)p->console_size->height;
		size.ws_col = (unsigned short)p->console_size->width;
	} else if (tty_get_size(0, &size) < 0 && tty_get_size(1, &size) < 0) {
		return;
	}
	tty_set_size(master, &size);
}

int console_connect(const char *path, int cancel_fd, struct err *err)
{
	return peer_connect("console socket", path, cancel_fd, err);
}

int console_send(int sock, int master, int cancel_fd, struct err *err)
{
	static const char name[] = "/dev/ptmx";
	int r = peer_send(sock, name, sizeof(name) - 1, master, cancel_fd, err);

	return r < 0 ? err_wrap(err, r, "sending the terminal to the console socket") : 0;
}

int console_prepare(struct console_target *to, struct err *err)
{
	if (to->fd_out)
		return 0;
	if (!to->socket_path)
		return err_fail(err, ERR_USAGE,
				"a terminal needs --console-socket when the runtime does not stay");
	to->sock = console_connect(to->socket_path, to->cancel_fd, err);
	return to->sock < 0 ? to->sock : 0;
}

int console_give(const struct console_target *to, struct sync_msg *msg, struct err *err)
{
	if (msg->n_fds != 1)
		return err_errno(err, EPROTO, "receiving the terminal");
	if (!to->fd_out)
		return console_send(to->sock, msg->fds[0], to->cancel_fd, err);
	*to->fd_out = msg->fds[0];
	msg->n_fds = 0;
	return 0;
}

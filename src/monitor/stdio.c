/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/fd.h"
#include "monitor/monitor.h"

static int make_pipe(int *ret_read, int *ret_write)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	*ret_read = p[0];
	*ret_write = p[1];
	return 0;
}

/* Never does a read wait: the container can open its end for reading as well, and take what poll(2)
 * has promised to us. */
static int output_pair(int *ret_read, int *ret_write, struct err *err)
{
	int r = make_pipe(ret_read, ret_write);

	if (r == 0)
		r = fd_set_nonblock(*ret_read, true);
	return r < 0 ? err_errno(err, -r, "making a pipe") : 0;
}

int stdio_open(struct stdio *io, bool tty, bool with_stdin, struct err *err)
{
	int r;

	if (tty)
		return 0; /* the runtime makes the pty inside the container */
	if (with_stdin) {
		r = make_pipe(&io->child.in, &io->in);
		if (r < 0)
			return err_errno(err, -r, "making a pipe");
	} else {
		io->child.in = open("/dev/null", O_RDONLY | O_CLOEXEC);
		r = io->child.in < 0 ? err_errno(err, errno, "opening /dev/null") : 0;
	}
	if (r == 0)
		r = output_pair(&io->out, &io->child.out, err);
	if (r == 0)
		r = output_pair(&io->err, &io->child.err, err);
	return r;
}

void stdio_pass(struct stdio *io, int fds[3])
{
	io->child.in = take_fd(fds[0]);
	io->child.out = take_fd(fds[1]);
	io->child.err = take_fd(fds[2]);
}

void stdio_close_child(struct stdio *io)
{
	io->child.in = fd_close(io->child.in);
	io->child.out = fd_close(io->child.out);
	io->child.err = fd_close(io->child.err);
}

void stdio_done(struct stdio *io)
{
	stdio_close_child(io);
	fd_close(io->in);
	fd_close(io->out);
	fd_close(io->err);
	fd_close(io->pty);
	*io = (struct stdio)STDIO_INIT;
}

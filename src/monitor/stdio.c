/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/fd.h"
#include "monitor/monitor.h"

static int pipe_pair(int *ret_read, int *ret_write, struct err *err)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_errno(err, errno, "making a pipe");
	*ret_read = p[0];
	*ret_write = p[1];
	return 0;
}

int stdio_open(struct stdio *io, bool tty, bool with_stdin, struct err *err)
{
	int r;

	if (tty)
		return 0; /* the runtime makes the pty inside the container */
	if (with_stdin) {
		r = pipe_pair(&io->child.in, &io->in, err);
	} else {
		io->child.in = open("/dev/null", O_RDONLY | O_CLOEXEC);
		r = io->child.in < 0 ? err_errno(err, errno, "opening /dev/null") : 0;
	}
	if (r == 0)
		r = pipe_pair(&io->out, &io->child.out, err);
	if (r == 0)
		r = pipe_pair(&io->err, &io->child.err, err);
	return r;
}

void stdio_close_child(struct stdio *io)
{
	io->child.in = fd_close(io->child.in);
	io->child.out = fd_close(io->child.out);
	io->child.err = fd_close(io->child.err);
}

size_t stdio_client_fds(const struct stdio *io, int fds[3])
{
	size_t n = 0;

	if (io->pty >= 0) {
		fds[0] = io->pty;
		return 1;
	}
	if (io->in >= 0)
		fds[n++] = io->in;
	fds[n++] = io->out;
	fds[n++] = io->err;
	return n;
}

void stdio_release_stdin(struct stdio *io)
{
	io->in = fd_close(io->in);
}

void stdio_release_output(struct stdio *io, int number)
{
	if (io->pty >= 0)
		io->pty = fd_close(io->pty);
	else if (number == STDOUT_FILENO)
		io->out = fd_close(io->out);
	else if (number == STDERR_FILENO)
		io->err = fd_close(io->err);
}

void stdio_discard(int *fd)
{
	char buf[4096];
	ssize_t n;

	if (*fd < 0)
		return;
	n = read(*fd, buf, sizeof(buf));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		*fd = fd_close(*fd); /* EIO of a pty: its last user is gone */
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

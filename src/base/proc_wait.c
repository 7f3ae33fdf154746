/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/proc.h"
#include "base/timeutil.h"

#define NS_PER_MS INT64_C(1000000)

/* What is left of the time until deadline_ns (-1: none) for poll(2). */
static int left_ms(int64_t deadline_ns)
{
	int64_t left;

	if (deadline_ns < 0)
		return -1;
	left = deadline_ns - time_monotonic_ns();
	return left <= 0 ? 0 : (int)((left + NS_PER_MS - 1) / NS_PER_MS);
}

static int64_t deadline(int timeout_ms)
{
	return timeout_ms < 0 ? -1 : time_monotonic_ns() + timeout_ms * NS_PER_MS;
}

static int reap(struct proc *p, int *ret_status)
{
	int status;

	if (NO_EINTR(waitpid(p->pid, &status, 0)) < 0)
		return -errno;
	p->pidfd = fd_close(p->pidfd);
	p->pid = -1;
	*ret_status = status;
	return 0;
}

/* Without a pidfd nothing can be polled: looks often at first, then every 10 ms. */
static int wait_polling(const struct proc *p, int64_t until)
{
	struct timespec ts = { .tv_nsec = 100000 };

	for (;;) {
		siginfo_t info = { 0 };

		if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 &&
		    errno != EINTR)
			return -errno;
		if (info.si_pid == p->pid)
			return 0;
		if (left_ms(until) == 0)
			return -ETIME;
		nanosleep(&ts, NULL);
		if (ts.tv_nsec < 10 * NS_PER_MS)
			ts.tv_nsec *= 2;
	}
}

static struct pollfd poll_cancel(int cancel_fd)
{
	return (struct pollfd){ .fd = cancel_fd > 0 ? cancel_fd : -1, .events = POLLIN };
}

static int wait_until(struct proc *p, int64_t until, int cancel_fd, int *ret_status)
{
	bool plain = until < 0 && cancel_fd <= 0;
	int r = 0;

	if (p->pid <= 0)
		return -ESRCH;
	if (until >= 0 && p->pidfd < 0)
		r = wait_polling(p, until);
	while (!plain && p->pidfd >= 0) {
		struct pollfd pfds[] = { { .fd = p->pidfd, .events = POLLIN },
					 poll_cancel(cancel_fd) };

		r = poll(pfds, ARRAY_SIZE(pfds), left_ms(until));
		if (r < 0 && errno == EINTR)
			continue;
		r = r < 0 ? -errno : r == 0 ? -ETIME : pfds[0].revents ? 0 : -ECANCELED;
		break;
	}
	return r < 0 ? r : reap(p, ret_status);
}

int proc_wait(struct proc *p, int timeout_ms, int *ret_status)
{
	return wait_until(p, deadline(timeout_ms), -1, ret_status);
}

int proc_exit_code(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/* Reads once. Returns 1 at the end of the output, 0 to go on, or -errno. */
static int read_some(int fd, struct buf *out, size_t limit)
{
	char chunk[4096];
	ssize_t n = NO_EINTR(read(fd, chunk, sizeof(chunk)));

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return 1;
	if ((size_t)n > limit - out->len)
		return -EFBIG;
	buf_add(out, chunk, (size_t)n);
	return 0;
}

/*
 * Collects output until its end. A grandchild may hold the pipe open for long, so the program's
 * own end is the end too, once the pipe is empty.
 */
static int collect(const struct proc *p, int fd, int cancel_fd, struct buf *out, size_t limit,
		   int64_t until)
{
	struct pollfd pfds[] = { { .fd = fd, .events = POLLIN },
				 { .fd = p->pidfd, .events = POLLIN },
				 poll_cancel(cancel_fd) };

	limit = limit > SIZE_MAX - out->len ? SIZE_MAX : limit + out->len;
	for (;;) {
		int r = poll(pfds, ARRAY_SIZE(pfds), left_ms(until));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			return -ETIME;
		if (pfds[2].revents)
			return -ECANCELED;
		if (pfds[0].revents) {
			r = read_some(fd, out, limit);
			if (r)
				return r < 0 ? r : 0;
		} else if (pfds[1].revents) {
			return 0;
		}
	}
}

/* Input travels as a memfd: no pipe to fill while the output has to be emptied, no SIGPIPE. */
static int make_input(const struct buf *in)
{
	cleanup_fd int fd = memfd_create("stdin", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = io_write(fd, in->data, in->len);
	if (r < 0)
		return r;
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : take_fd(fd);
}

struct pipes {
	int in, out_read, out_write;
	struct proc_fd *fds;
	size_t n;
};

static void pipes_done(struct pipes *p)
{
	fd_close(p->in);
	fd_close(p->out_read);
	fd_close(p->out_write);
	free(p->fds);
}

static int pipes_init(struct pipes *p, const struct proc_spawn *spec, const struct buf *in,
		      bool out)
{
	int ends[2];

	p->fds = xcalloc(spec->n_fds + 2, sizeof(*p->fds));
	for (; p->n < spec->n_fds; p->n++)
		p->fds[p->n] = spec->fds[p->n];
	if (in) {
		p->in = make_input(in);
		if (p->in < 0)
			return p->in;
		p->fds[p->n++] = (struct proc_fd){ .fd = p->in, .target = STDIN_FILENO };
	}
	if (out) {
		if (pipe2(ends, O_CLOEXEC) < 0)
			return -errno;
		p->out_read = ends[0];
		p->out_write = ends[1];
		p->fds[p->n++] = (struct proc_fd){ .fd = ends[1], .target = STDOUT_FILENO };
	}
	return 0;
}

int proc_run(const struct proc_spawn *spec, const struct buf *in, struct buf *out, size_t limit,
	     int timeout_ms, struct err *err)
{
	CLEANUP(pipes_done)
	struct pipes pipes = { .in = -EBADF, .out_read = -EBADF, .out_write = -EBADF };
	const char *name = spec->path ? spec->path : spec->argv[0];
	struct proc_spawn run = *spec;
	struct proc p = PROC_INIT;
	int64_t until = deadline(timeout_ms);
	int r, status;

	r = pipes_init(&pipes, spec, in, out);
	if (r < 0)
		return err_errno(err, -r, "making pipes for %s", name);
	run.fds = pipes.fds;
	run.n_fds = pipes.n;
	r = proc_spawn(&run, &p, err);
	if (r < 0)
		return r;
	pipes.out_write = fd_close(pipes.out_write);
	if (out)
		r = collect(&p, pipes.out_read, spec->cancel_fd, out, limit, until);
	if (r == 0)
		r = wait_until(&p, until, spec->cancel_fd, &status);
	if (r < 0) {
		kill(p.pid, SIGKILL);
		reap(&p, &status);
		return err_errno(err, -r, "running %s", name);
	}
	return proc_exit_code(status);
}

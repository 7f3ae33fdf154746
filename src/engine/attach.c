/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/attach.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>

#include "base/fd.h"
#include "base/io.h"
#include "runtime/monitor_proto.h"
#include "sys/tty.h"

#define CHUNK_MAX (64u << 10)
#define TTY_CHUNK 4096 /* what a terminal takes without waiting for long */

static const int forwarded[] = { SIGHUP,  SIGINT,  SIGQUIT,   SIGTERM, SIGUSR1,
				 SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO };

int attach_block_signals(bool proxy, struct err *err)
{
	sigset_t set;
	size_t i;
	int fd;

	sigemptyset(&set);
	for (i = 0; proxy && i < ARRAY_SIZE(forwarded); i++)
		sigaddset(&set, forwarded[i]);
	sigaddset(&set, SIGWINCH);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	/* A reader that went away is seen as EPIPE. */
	sigaddset(&set, SIGPIPE);
	if (fd < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_errno(err, errno, "preparing to forward signals");
	return fd;
}

static void pump_init(struct pump *p, int from, int to, bool owns_from, bool owns_to)
{
	*p = (struct pump){ .from = from, .to = to, .owns_from = owns_from, .owns_to = owns_to };
}

static void pump_close(struct pump *p)
{
	if (p->owns_from)
		fd_close(p->from);
	if (p->owns_to)
		fd_close(p->to);
	p->from = p->to = -EBADF;
	p->ready = false;
}

void attach_init(struct attach *a, int sock, int signal_fd, const int *fds, size_t n_fds, bool tty,
		 bool with_stdin)
{
	*a = (struct attach){ .sock = sock, .signal_fd = signal_fd, .pty = -EBADF };
	pump_init(&a->in, -EBADF, -EBADF, false, false);
	pump_init(&a->out, -EBADF, -EBADF, false, false);
	pump_init(&a->err, -EBADF, -EBADF, false, false);
	if (tty && n_fds == 2) {
		a->pty = fds[0];
		pump_init(&a->out, fds[1], STDOUT_FILENO, true, false);
		if (with_stdin)
			pump_init(&a->in, STDIN_FILENO, a->pty, false, false);
		return;
	}
	if (with_stdin && n_fds == 3)
		pump_init(&a->in, STDIN_FILENO, fds[0], false, true);
	if (n_fds >= 2) {
		pump_init(&a->out, fds[n_fds - 2], STDOUT_FILENO, true, false);
		pump_init(&a->err, fds[n_fds - 1], STDERR_FILENO, true, false);
	}
}

static int hide(struct pump *p, struct err *err)
{
	int null;

	if (p->to < 0)
		return 0;
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null < 0)
		return err_errno(err, errno, "opening /dev/null");
	p->to = null;
	p->owns_to = true;
	return 0;
}

int attach_hide(struct attach *a, bool out, bool err_too, struct err *err)
{
	int r = out ? hide(&a->out, err) : 0;

	return r == 0 && err_too ? hide(&a->err, err) : r;
}

int attach_set_keys(struct attach *a, const char *keys, struct err *err)
{
	int r = detach_keys_parse(keys, &a->keys, err);

	if (r == 0 && a->keys.n && a->pty >= 0 && a->in.from >= 0) {
		a->in.keys = &a->keys;
		a->in.nosplice = true;
	}
	return r;
}

/* What was read goes on. -ECANCELED: the keys that end the session were among it. */
static int pump_write(struct pump *p, const char *data, size_t len)
{
	char out[TTY_CHUNK + DETACH_KEYS_MAX];
	size_t n = len;
	bool end;
	int r;

	if (!p->keys)
		return io_write(p->to, data, len);
	end = detach_keys_filter(p->keys, data, len, out, &n);
	r = n ? io_write(p->to, out, n) : 0;
	return r == 0 && end ? -ECANCELED : r;
}

/* >0: moved; 0: end of input; -EAGAIN: nothing now; else -errno, to_failed says on which side. */
static ssize_t pump_copy(struct pump *p, bool *to_failed)
{
	char buf[TTY_CHUNK];
	ssize_t n;
	int r;

	*to_failed = false;
	if (!p->nosplice) {
		n = splice(p->from, NULL, p->to, NULL, CHUNK_MAX,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n >= 0)
			return n;
		if (errno == EPIPE) {
			*to_failed = true;
			return -errno;
		}
		if (errno == EAGAIN || errno == EINTR)
			return -errno;
		/* No pipe on either side, a file opened for appending, a terminal: by hand. So is
		 * anything else, as that tells on which side it is. */
		p->nosplice = true;
	}
	n = read(p->from, buf, sizeof(buf));
	if (n < 0)
		return -errno;
	r = n ? pump_write(p, buf, (size_t)n) : 0;
	if (r < 0) {
		*to_failed = true;
		return r;
	}
	return n;
}

static void tell_closed(struct attach *a, int number)
{
	struct monitor_msg msg = { .type = MONITOR_CLOSE_OUTPUT, .value = number };

	fd_send(a->sock, &msg, sizeof(msg), NULL, 0);
}

/* A reader that has gone has seen what it wanted. */
static void output_failed(struct attach *a, int error)
{
	if (error != -EPIPE && a->lost == 0)
		a->lost = error;
}

static void pump_step(struct attach *a, struct pump *p)
{
	bool to_failed;
	ssize_t n = pump_copy(p, &to_failed);

	if (n > 0 || n == -EAGAIN || n == -EINTR) {
		p->ready = false;
		return;
	}
	if (n == -ECANCELED) {
		a->left = true;
		return;
	}
	if (to_failed && p != &a->in) {
		output_failed(a, (int)n);
		tell_closed(a, p->to);
	}
	if (to_failed && p == &a->out && a->pty >= 0) {
		/* The terminal hangs up; else its writers would wait for ever. */
		pump_close(&a->in);
		a->pty = fd_close(a->pty);
	}
	if (n == 0 && p == &a->in && a->pty >= 0)
		n = 1; /* the end of our input is not the end of the container's terminal */
	pump_close(p);
}

/* By which the user says that enough has been read. */
static bool is_ending(const struct signalfd_siginfo *si)
{
	static const uint32_t ending[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };

	for (size_t i = 0; i < ARRAY_SIZE(ending); i++)
		if (si->ssi_signo == ending[i])
			return true;
	return false;
}

static void forward_signal(struct attach *a)
{
	struct monitor_msg msg = { .type = MONITOR_SIGNAL };
	struct signalfd_siginfo si;
	struct winsize ws;

	if (read(a->signal_fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	if (si.ssi_signo == SIGWINCH) {
		if (a->pty >= 0 &&
		    (tty_get_size(STDIN_FILENO, &ws) == 0 || tty_get_size(STDOUT_FILENO, &ws) == 0))
			tty_set_size(a->pty, &ws);
		return;
	}
	msg.value = (int32_t)si.ssi_signo;
	fd_send(a->sock, &msg, sizeof(msg), NULL, 0);
}

static int receive(struct attach *a, struct err *err)
{
	struct monitor_msg msg = { 0 };
	size_t n_fds = 0;
	ssize_t len = fd_recv(a->sock, &msg, sizeof(msg), NULL, &n_fds);

	/* -ECONNRESET: it has ended without having read all of ours. What it said before that, or
	 * nothing, comes next. */
	if (len == -EAGAIN || len == -EINTR || len == -ECONNRESET)
		return 0;
	if (len < 0)
		return err_errno(err, (int)-len, "listening to the container's monitor");
	if (len == 0) {
		err_fail(err, ERR_SYSTEM, "the container's monitor was killed");
		return -EPIPE;
	}
	if (msg.type == MONITOR_EXITED && !a->exited) {
		a->exited = true;
		a->status = msg.value;
		a->finished_ns = msg.finished_ns;
		a->oom_killed = msg.flags & MONITOR_EXIT_OOM;
		pump_close(&a->in);
		a->gone = a->guest;
		if (a->on_exit)
			a->on_exit(a);
	} else if (msg.type == MONITOR_GONE) {
		a->gone = true;
	} else if (msg.type == MONITOR_LET_GO) {
		err_fail(err, ERR_SYSTEM,
			 "the container's monitor shows no more: for long nobody read here");
		return err_hint(err, -EPIPE, "`inro logs` shows what is kept of it");
	}
	return 0;
}

static void poll_add(struct pollfd *p, const struct pump *pump)
{
	*p = (struct pollfd){ .fd = pump->ready ? pump->to : pump->from,
			      .events = pump->ready ? POLLOUT : POLLIN };
}

static void pump_event(struct attach *a, struct pump *p, const struct pollfd *fd)
{
	if (!fd->revents || p->from < 0)
		return;
	if (!p->ready)
		p->ready = true;
	else
		pump_step(a, p);
}

/* Until fd has the event. False: the user wants no more of it. */
static bool wait_for(struct attach *a, int fd, short events)
{
	struct signalfd_siginfo si;

	while (!a->enough) {
		struct pollfd fds[] = { { .fd = fd, .events = events },
					{ .fd = a->signal_fd, .events = POLLIN } };

		if (NO_EINTR(poll(fds, ARRAY_SIZE(fds), -1)) < 0)
			return false;
		if (fds[0].revents)
			return true;
		if (read(a->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
			a->enough = is_ending(&si);
	}
	return false;
}

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return NO_EINTR(poll(&p, 1, 0)) > 0 && (p.revents & POLLIN);
}

/* The monitor closes our pipe when it has handed on all that the container has written. A reader
 * that is slow is waited for: splice says EAGAIN for a full pipe as for an empty one. */
static void drain(struct attach *a, struct pump *p)
{
	bool to_failed = false;

	while (p->from >= 0) {
		ssize_t n = pump_copy(p, &to_failed);

		if (to_failed)
			output_failed(a, (int)n);
		if (to_failed || (n <= 0 && n != -EAGAIN && n != -EINTR))
			break;
		if (n > 0)
			continue;
		if (!(is_readable(p->from) ? wait_for(a, p->to, POLLOUT)
					   : wait_for(a, p->from, POLLIN))) {
			output_failed(a, -EINTR);
			break;
		}
	}
	pump_close(p);
}

static int attach_loop(struct attach *a, struct err *err)
{
	struct pump *pumps[] = { &a->in, &a->out, &a->err };
	size_t i;
	int r = 0;

	while (!a->gone && !a->left && r == 0) {
		/* Behind the end a signal is for us: wait_for(). */
		struct pollfd p[5] = { { .fd = a->sock, .events = POLLIN },
				       { .fd = a->exited ? -1 : a->signal_fd, .events = POLLIN } };

		for (i = 0; i < ARRAY_SIZE(pumps); i++)
			poll_add(&p[2 + i], pumps[i]);
		if (NO_EINTR(poll(p, ARRAY_SIZE(p), -1)) < 0)
			return err_errno(err, errno, "waiting for the container");
		for (i = 0; i < ARRAY_SIZE(pumps); i++)
			pump_event(a, pumps[i], &p[2 + i]);
		if (p[1].revents)
			forward_signal(a);
		if (p[0].revents)
			r = receive(a, err);
	}
	if (a->exited && !a->left) {
		drain(a, &a->out);
		drain(a, &a->err);
	}
	return r;
}

int attach_run(struct attach *a, struct err *err)
{
	int r;

	if (a->pty >= 0 && a->in.from >= 0)
		a->raw = tty_make_raw(STDIN_FILENO, &a->saved) >= 0;
	r = attach_loop(a, err);
	if (a->raw)
		tty_restore(STDIN_FILENO, &a->saved);
	a->raw = false;
	return r;
}

void attach_done(struct attach *a)
{
	pump_close(&a->in);
	pump_close(&a->out);
	pump_close(&a->err);
	a->pty = fd_close(a->pty);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal in place of a file. One that is slow is waited for as a full disk is, but not for
 * ever: then, and while there is none, records are dropped and counted.
 */
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/timeutil.h"
#include "monitor/logfile_internal.h"
#include "runtime/journal.h"

#define SLOW_MS     500
#define PATIENCE_NS (10 * INT64_C(1000000000))

_Static_assert(JOURNAL_RECORD_MAX <= LOGFILE_OUT_MAX, "it is built in the buffer of the file's");

static int open_socket(struct logfile *l)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };

	l->fd = fd_close(l->fd);
	l->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd >= 0 && connect(l->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		l->fd = fd_close(l->fd);
	return l->fd < 0 ? -ENOTCONN : 0;
}

static int try_send(const struct logfile *l, size_t len)
{
	if (NO_EINTR(send(l->fd, l->out, len, MSG_NOSIGNAL)) >= 0)
		return 0;
	return errno == ENOBUFS || errno == ENOMEM ? -EAGAIN : -errno;
}

/* -EAGAIN for a while, then -ENOTCONN. */
static int wait_slow(struct logfile *l, size_t len)
{
	int64_t now = time_monotonic_ns();
	struct pollfd p = { .fd = l->fd, .events = POLLOUT };
	int r;

	if (!l->stuck_ns)
		l->stuck_ns = now;
	l->stuck = now - l->stuck_ns < PATIENCE_NS;
	if (!l->stuck)
		return -ENOTCONN;
	r = poll(&p, 1, SLOW_MS) > 0 ? try_send(l, len) : -EAGAIN;
	return r;
}

int logfile_send(struct logfile *l, enum logline_stream stream, const char *text, size_t len,
		 bool partial)
{
	size_t n =
	    journal_put(l->out, l->o.attrs ? l->o.attrs : "", l->stamp, stream, text, len, partial);
	int r = l->fd < 0 ? open_socket(l) : 0;

	if (r == 0)
		r = try_send(l, n);
	/* It was started again meanwhile. */
	if (r < 0 && r != -EAGAIN && r != -EMSGSIZE && open_socket(l) == 0)
		r = try_send(l, n);
	if (r == -EAGAIN)
		r = wait_slow(l, n);
	if (r == 0) {
		l->stuck = false;
		l->stuck_ns = 0;
	}
	return r < 0 && r != -EAGAIN ? -ENOTCONN : r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the container's pipes or terminal to everybody's own pipe. A buffer is read when all have
 * taken the last one: whoever started the container in the foreground may hold it up for as long as
 * it likes, as in a pipeline, others for a while.
 */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "base/fd.h"
#include "base/timeutil.h"
#include "monitor/monitor.h"

#define STUCK_NS   (10 * INT64_C(1000000000))
#define WIDER_PIPE (256 * 1024) /* what was in the container's pipe fits beside what is in it */

static size_t stream_index(const struct monitor *m, const struct stream *s)
{
	return (size_t)(s - m->streams);
}

void relay_init(struct monitor *m)
{
	m->streams[0].from = m->io.pty >= 0 ? m->io.pty : m->io.out;
	m->streams[1].from = m->io.err;
}

bool relay_pending(const struct monitor *m, const struct client *c, size_t stream)
{
	return c->out[stream] >= 0 && c->taken[stream] < m->streams[stream].len;
}

static void close_out(struct client *c, size_t i)
{
	c->out[i] = fd_close(c->out[i]);
	c->stuck_ns = 0; /* the other one will tell */
}

static ssize_t give(struct monitor *m, struct client *c, const struct stream *s)
{
	size_t i = stream_index(m, s);
	ssize_t n = write(c->out[i], m->bufs[i] + c->taken[i], s->len - c->taken[i]);

	if (n < 0 && errno == EAGAIN && m->ended && !c->widened) {
		/* The rest need not wait for its reader. */
		c->widened = true;
		for (size_t k = 0; k < STREAMS; k++)
			if (c->out[k] >= 0)
				fcntl(c->out[k], F_SETPIPE_SZ, WIDER_PIPE);
		n = write(c->out[i], m->bufs[i] + c->taken[i], s->len - c->taken[i]);
	}
	return n < 0 ? -errno : n;
}

static void deliver_to(struct monitor *m, struct client *c, const struct stream *s)
{
	size_t i = stream_index(m, s);

	while (relay_pending(m, c, i)) {
		ssize_t n = give(m, c, s);

		if (n == -EAGAIN) {
			if (!c->stuck_ns)
				c->stuck_ns = time_monotonic_ns();
			return;
		}
		if (n == -EINTR)
			continue;
		if (n < 0) {
			close_out(c, i); /* its reader is gone */
			return;
		}
		c->taken[i] += (size_t)n;
		c->stuck_ns = 0;
	}
}

void relay_deliver(struct monitor *m, struct stream *s)
{
	size_t i = stream_index(m, s);
	bool all = output_log_take(m, s);

	for (size_t k = 0; k < m->n_clients; k++) {
		deliver_to(m, &m->clients[k], s);
		all = all && !relay_pending(m, &m->clients[k], i);
	}
	if (!all)
		return;
	s->len = s->logged = 0;
	for (size_t k = 0; k < m->n_clients; k++)
		m->clients[k].taken[i] = 0;
}

void relay_close(struct monitor *m, struct stream *s)
{
	size_t i = stream_index(m, s);

	output_log_take(m, s);
	/* A terminal's master stays open: it is for input, too. */
	if (i == 0 && m->io.pty < 0)
		m->io.out = fd_close(m->io.out);
	else if (i == 1)
		m->io.err = fd_close(m->io.err);
	s->from = -EBADF;
	s->len = s->logged = 0;
	for (size_t k = 0; k < m->n_clients; k++)
		close_out(&m->clients[k], i);
}

void relay_fill(struct monitor *m, struct stream *s)
{
	size_t max = m->ended && s->left < STREAM_SIZE ? s->left : STREAM_SIZE;
	ssize_t n = read(s->from, m->bufs[stream_index(m, s)], max);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { /* EIO of a pty: its last user is gone */
		relay_close(m, s);
		return;
	}
	s->len = (size_t)n;
	if (m->ended && s->left != SIZE_MAX)
		s->left -= (size_t)n;
	relay_deliver(m, s);
}

void relay_end(struct monitor *m)
{
	for (size_t i = 0; i < STREAMS; i++) {
		struct stream *s = &m->streams[i];
		int n;

		/* Of a terminal the kernel does not tell all. */
		s->left = m->io.pty < 0 && ioctl(s->from, FIONREAD, &n) == 0 ? (size_t)n : SIZE_MAX;
	}
}

/* Once the container has ended, nothing but the starter that sees to the end is waited for. */
static bool is_patient(const struct monitor *m, const struct client *c)
{
	return c->starter && !(m->ended && (m->start.options & MONITOR_OPT_OWN_END));
}

int relay_expire(struct monitor *m)
{
	const struct monitor_msg let_go = { .type = MONITOR_LET_GO };
	int64_t left, least = -1, now = 0;
	bool dropped = false;

	for (size_t k = m->n_clients; k-- > 0;) {
		struct client *c = &m->clients[k];

		if (!c->stuck_ns || is_patient(m, c))
			continue;
		now = now ? now : time_monotonic_ns();
		left = c->stuck_ns + STUCK_NS - now;
		if (left <= 0) {
			client_tell(c, &let_go, NULL, 0);
			client_remove(m, c);
			dropped = true;
		} else if (least < 0 || left < least) {
			least = left;
		}
	}
	for (size_t i = 0; dropped && i < STREAMS; i++)
		if (m->streams[i].len)
			relay_deliver(m, &m->streams[i]);
	return least < 0 ? -1 : (int)(least / 1000000) + 1;
}

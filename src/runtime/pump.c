/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/pump.h"

#include "base/io.h"

void pump_init(struct pump *p, int from, int to)
{
	p->from = from;
	p->to = to;
	p->eof = p->left = false;
	p->keys = NULL;
	p->start = p->end = 0;
}

void pump_poll(const struct pump *p, struct pollfd *fds)
{
	bool full = p->end > p->start;

	fds[0] = (struct pollfd){ .fd = p->eof || full ? -1 : p->from, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = full ? p->to : -1, .events = POLLOUT };
}

static void fill(struct pump *p)
{
	char typed[sizeof(p->buf) - DETACH_KEYS_MAX];
	ssize_t n =
	    p->keys ? read(p->from, typed, sizeof(typed)) : read(p->from, p->buf, sizeof(p->buf));

	if (n > 0) {
		p->start = 0;
		p->end = (size_t)n;
		if (p->keys)
			p->left = detach_keys_filter(p->keys, typed, (size_t)n, p->buf, &p->end);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		/* EIO of a pty's master: the last slave was closed. */
		p->eof = true;
	}
}

static void flush(struct pump *p)
{
	ssize_t n = write(p->to, p->buf + p->start, p->end - p->start);

	if (n > 0)
		p->start += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		p->start = p->end; /* nobody listens any more */
}

void pump_move(struct pump *p, const struct pollfd *fds)
{
	if (fds[0].revents)
		fill(p);
	if (fds[1].revents)
		flush(p);
}

void pump_drain(struct pump *p)
{
	for (;;) {
		if (p->end > p->start)
			io_write(p->to, p->buf + p->start, p->end - p->start);
		p->start = p->end = 0;
		if (p->eof)
			return;
		fill(p);
		if (p->end == 0)
			return;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "net/service/service.h"

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

#define EVENTS   64
#define SWEEP_MS 500

void source_init(struct source *src, int fd,
		 void (*ready)(struct service *s, struct source *src, uint32_t events))
{
	src->fd = fd;
	src->events = 0;
	src->ready = ready;
}

int source_want(struct service *s, struct source *src, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = src };
	const int op = !events ? EPOLL_CTL_DEL : src->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (src->fd < 0 || events == src->events)
		return 0;
	if (epoll_ctl(s->epoll, op, src->fd, &e) < 0)
		return -errno;
	src->events = events;
	return 0;
}

/* Not by its close alone: a copy of the socket with somebody else would keep it in the epoll. */
void source_close(struct service *s, struct source *src)
{
	source_want(s, src, 0);
	src->fd = fd_close(src->fd);
}

void service_bury(struct service *s, struct source *first)
{
	first->dead = s->dead;
	s->dead = first;
}

static void bury_all(struct service *s)
{
	while (s->dead) {
		struct source *d = s->dead;

		s->dead = d->dead;
		free(d);
	}
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What is due by time; how long nothing else is, -1: for ever. */
static int sweep(struct service *s)
{
	uint64_t next = earlier(view_sweep(s), members_sweep(s));

	if (s->n_flows + s->n_timed > 0 && s->now_ms - s->swept_ms >= SWEEP_MS) {
		relay_sweep(s);
		s->swept_ms = s->now_ms;
	}
	if (s->n_flows + s->n_timed > 0)
		next = earlier(next, s->swept_ms + SWEEP_MS);
	if (next == UINT64_MAX)
		return -1;
	return next <= s->now_ms ? 0 : (int)earlier(next - s->now_ms, 60000);
}

int service_loop(struct service *s, struct err *err)
{
	struct epoll_event events[EVENTS];

	s->idle_ms = now();
	for (;;) {
		s->now_ms = now();
		int timeout = sweep(s);

		bury_all(s);
		int n = epoll_wait(s->epoll, events, EVENTS, timeout);
		if (n < 0 && errno != EINTR)
			return err_errno(err, errno, "waiting for events");
		s->now_ms = now();
		for (int i = 0; i < n; i++) {
			struct source *src = events[i].data.ptr;

			/* closed by what came before it */
			if (src->fd >= 0 && src->events)
				src->ready(s, src, events[i].events);
		}
	}
}

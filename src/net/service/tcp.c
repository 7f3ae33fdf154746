/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: spliced through a pipe, so that no byte comes into this process. A direction has a
 * pipe only while what it read could not be written yet. */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"
#include "net/service/service.h"

#define ACCEPTS 16
#define ROUNDS  16 /* of a direction, before it is another's turn */
#define CHUNK   (64 * 1024)

struct conn;
struct side {
	struct source src;
	struct conn *conn;
	int pipe[2];      /* of what was read here, or negative */
	size_t pending;   /* in it */
	bool ended, shut; /* nothing more comes; nothing more may be sent */
};
struct conn {
	struct side client, server;
	struct list link; /* of relay->users */
	struct relay *relay;
	uint64_t used_ms;
	bool connecting;
	bool has_other; /* address to be tried when this one refuses */
};

static int pipe_get(struct service *s, int ret[2])
{
	if (s->n_pipes > 0) {
		s->n_pipes--;
		ret[0] = s->pipes[s->n_pipes][0];
		ret[1] = s->pipes[s->n_pipes][1];
		return 0;
	}
	return pipe2(ret, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
}

static void pipe_put(struct service *s, struct side *d)
{
	if (d->pipe[0] < 0)
		return;
	if (d->pending == 0 && s->n_pipes < POOL_MAX) {
		s->pipes[s->n_pipes][0] = d->pipe[0];
		s->pipes[s->n_pipes++][1] = d->pipe[1];
	} else {
		fd_close(d->pipe[0]);
		fd_close(d->pipe[1]);
	}
	d->pipe[0] = d->pipe[1] = -EBADF;
	d->pending = 0;
}

static bool is_timed(const struct relay *r)
{
	return r->kind != RELAY_PORT;
}

static void side_close(struct service *s, struct side *d, bool reset)
{
	const struct linger now = { .l_onoff = 1 };

	if (d->src.fd >= 0 && reset)
		setsockopt(d->src.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	pipe_put(s, d);
	source_close(s, &d->src);
}

/* reset: both are told that it broke (RST), not that it ended. */
static void conn_free(struct service *s, struct conn *c, bool reset)
{
	struct relay *r = c->relay;

	side_close(s, &c->client, reset);
	side_close(s, &c->server, reset);
	list_remove(&c->link);
	if (is_timed(r))
		s->n_timed--;
	else
		s->n_conns--;
	if (r->n_users-- == r->max_users && r->listen.fd >= 0 && !r->paused)
		source_want(s, &r->listen, EPOLLIN);
	service_bury(s, &c->client.src);
}

/* From one side to the other. 0, or -errno when it is broken. */
static int pump(struct service *s, struct side *from, struct side *to)
{
	for (int i = 0; i < ROUNDS; i++) {
		ssize_t n;

		if (from->pending > 0) {
			n = splice(from->pipe[0], NULL, to->src.fd, NULL, from->pending,
				   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
			if (n < 0)
				return errno == EAGAIN ? 0 : -errno;
			from->pending -= (size_t)n;
			continue;
		}
		if (from->ended)
			return 0;
		if (from->pipe[0] < 0) {
			int r = pipe_get(s, from->pipe);
			if (r < 0)
				return r;
		}
		n = splice(from->src.fd, NULL, from->pipe[1], NULL, CHUNK,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		from->ended = n == 0;
		from->pending = (size_t)n;
		from->conn->used_ms = s->now_ms;
	}
	return 0;
}

/* An end of data is passed on when all before it is through. */
static void pass_end(struct side *from, struct side *to)
{
	if (from->ended && from->pending == 0 && !to->shut) {
		shutdown(to->src.fd, SHUT_WR);
		to->shut = true;
	}
}

static int want(struct service *s, struct side *d, const struct side *other)
{
	uint32_t events =
	    (d->ended || d->pending > 0 ? 0 : EPOLLIN) | (other->pending > 0 ? EPOLLOUT : 0);

	/* with none the epoll would still tell of hang-ups, again and again */
	return source_want(s, &d->src, events);
}

static void conn_move(struct service *s, struct conn *c)
{
	struct side *a = &c->client, *b = &c->server;

	int r = pump(s, a, b);
	if (r == 0)
		r = pump(s, b, a);
	if (r < 0) {
		conn_free(s, c, true);
		return;
	}
	if (a->pending == 0)
		pipe_put(s, a);
	if (b->pending == 0)
		pipe_put(s, b);
	pass_end(a, b);
	pass_end(b, a);
	if (a->shut && b->shut)
		conn_free(s, c, false);
	else if (want(s, a, b) < 0 || want(s, b, a) < 0)
		conn_free(s, c, true);
}

static int server_connect(struct service *s, struct conn *c, const union address *to,
			  const union address *as)
{
	const int fd = c->server.src.fd = relay_socket(s, c->relay, to, as);

	if (fd < 0)
		return fd;
	/* It is on this machine. Where bbr is the rule its pacing takes most of what there is. */
	setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", strlen("reno"));
	if (as && bind(fd, &as->sa, address_len(as)) < 0)
		return -errno;
	if (connect(fd, &to->sa, address_len(to)) < 0 && errno != EINPROGRESS)
		return -errno;
	c->connecting = true;
	return source_want(s, &c->server.src, EPOLLOUT);
}

/* Nothing of the client's has been read yet: it does not see that there were two. */
static int connect_other(struct service *s, struct conn *c)
{
	if (!c->has_other)
		return -ECONNREFUSED;
	c->has_other = false;
	side_close(s, &c->server, false);
	return server_connect(s, c, &c->relay->other, NULL);
}

static void conn_ready(struct service *s, struct source *src, uint32_t events)
{
	struct side *d = list_of(src, struct side, src);
	struct conn *c = d->conn;
	socklen_t len = sizeof(int);
	int error = 0;

	if (c->connecting || events & EPOLLERR)
		getsockopt(src->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (!error) {
		c->connecting = false;
		conn_move(s, c);
	} else if (!c->connecting || connect_other(s, c) < 0) {
		conn_free(s, c, true);
	}
}

static int conn_connect(struct service *s, struct conn *c, const union address *client)
{
	const struct relay *r = c->relay;

	if (r->to.sa.sa_family == AF_UNSPEC)
		return -ECONNREFUSED;
	c->has_other = relay_has_other(r, client);
	return server_connect(s, c, &r->to, relay_shows(r, client) ? client : NULL) < 0
		   ? connect_other(s, c)
		   : 0;
}

static void side_init(struct side *d, struct conn *c, int fd)
{
	source_init(&d->src, fd, conn_ready);
	d->conn = c;
	d->pipe[0] = d->pipe[1] = -EBADF;
}

static void conn_new(struct service *s, struct relay *r, int fd, const union address *client)
{
	struct conn *c = xcalloc(1, sizeof(*c));

	side_init(&c->client, c, fd);
	side_init(&c->server, c, -EBADF);
	c->relay = r;
	c->used_ms = s->now_ms;
	list_add(&r->users, &c->link);
	if (is_timed(r))
		s->n_timed++;
	else
		s->n_conns++;
	if (++r->n_users == r->max_users)
		source_want(s, &r->listen, 0);
	if (conn_connect(s, c, client) < 0)
		conn_free(s, c, true);
}

void tcp_ready(struct service *s, struct source *src, uint32_t events)
{
	struct relay *r = list_of(src, struct relay, listen);

	if (r->kind == RELAY_NAMES && !view_wake(s, r->view))
		return;
	for (int i = 0; i < ACCEPTS && src->fd >= 0 && r->n_users < r->max_users; i++) {
		union address client = { .sa.sa_family = AF_UNSPEC };
		socklen_t len = sizeof(client);
		int fd;

		/* strangers at all ports together leave names what they need */
		if (r->kind == RELAY_PORT && s->n_conns >= s->max_conns) {
			relay_rest(s, r);
			return;
		}
		fd = accept4(src->fd, &client.sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			conn_new(s, r, fd, &client);
			continue;
		}
		/* none are left for a while: the epoll would tell of it without end */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			relay_rest(s, r);
		return;
	}
}

void tcp_sweep(struct service *s, struct relay *r, bool all)
{
	list_each(it, next, &r->users)
	{
		struct conn *c = list_of(it, struct conn, link);

		if (all || (is_timed(r) && s->now_ms - c->used_ms >= r->timeout_ms))
			conn_free(s, c, true);
	}
}

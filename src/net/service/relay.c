/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/filter.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "net/service/helper.h"
#include "net/service/service.h"

#define BACKLOG 1024

/* What one container, or one port of it, may have open at once, and how long it may be silent. */
static const struct {
	unsigned int max_users, timeout_ms;
} limits[][2] = { /* UDP, TCP */
		  [RELAY_NAMES] = { { 64, 10000 }, { 8, 15000 } },
		  /* of UDP: 1.5 s while there is a next server to ask */
		  [RELAY_UPSTREAM] = { { 512, 5000 }, { 64, 15000 } },
		  [RELAY_PORT] = { { 1024, 60000 }, { 8192, UINT32_MAX } }
};

socklen_t address_len(const union address *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

union address address_from(const struct net_addr *a, uint16_t port)
{
	union address ret = { .sa.sa_family = a->family };

	if (a->family == AF_INET) {
		ret.in.sin_port = htons(port);
		memcpy(&ret.in.sin_addr, a->bytes, sizeof(ret.in.sin_addr));
	} else {
		ret.in6.sin6_port = htons(port);
		memcpy(&ret.in6.sin6_addr, a->bytes, sizeof(ret.in6.sin6_addr));
	}
	return ret;
}

union address address_loopback(uint16_t port)
{
	return (union address){ .in = { .sin_family = AF_INET,
					.sin_port = htons(port),
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) } };
}

struct relay *relay_new(struct service *s, enum relay_kind kind, bool tcp, int fd)
{
	struct relay *r = xcalloc(1, sizeof(*r));

	source_init(&r->listen, fd, tcp ? tcp_ready : udp_ready);
	list_init(&r->users);
	list_add(&s->relays, &r->link);
	list_init(&r->same);
	r->kind = kind;
	r->tcp = tcp;
	r->inside = kind == RELAY_NAMES || (kind == RELAY_PORT && s->place);
	r->timeout_ms = limits[kind][tcp].timeout_ms;
	r->max_users = limits[kind][tcp].max_users;
	relay_pause(s, r, false);
	return r;
}

void relay_rest(struct service *s, struct relay *r)
{
	if (r->resting)
		return;
	r->resting = true;
	s->n_timed++;
	source_want(s, &r->listen, 0);
}

static void wake(struct service *s, struct relay *r)
{
	if (!r->resting)
		return;
	r->resting = false;
	s->n_timed--;
	if (!r->paused && r->n_users < r->max_users)
		source_want(s, &r->listen, EPOLLIN);
}

void relay_free(struct service *s, struct relay *r)
{
	if (!r)
		return;
	wake(s, r);
	source_close(s, &r->listen);
	if (r->tcp)
		tcp_sweep(s, r, true);
	else
		udp_sweep(s, r, true);
	list_remove(&r->link);
	list_remove(&r->same);
	service_bury(s, &r->listen);
}

void relay_pause(struct service *s, struct relay *r, bool pause)
{
	r->paused = pause;
	source_want(s, &r->listen, pause ? 0 : EPOLLIN);
}

void relay_sweep(struct service *s)
{
	for (struct list *l = s->relays.next; l != &s->relays; l = l->next) {
		struct relay *r = list_of(l, struct relay, link);

		wake(s, r);
		if (r->tcp)
			tcp_sweep(s, r, false);
		else
			udp_sweep(s, r, false);
	}
}

/* Of a group of two that share an address by SO_REUSEPORT, the first one only keeps the port taken:
 * all that comes is for the second. In a group of one the answer is out of range and not heeded. */
static int attach_second(int fd)
{
	struct sock_filter second = BPF_STMT(BPF_RET | BPF_K, 1);
	const struct sock_fprog prog = { .len = 1, .filter = &second };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog, sizeof(prog));
}

static int bind_port(const struct service_relay *a, const union address *at)
{
	const bool tcp = a->proto == IPPROTO_TCP, v6 = a->from.family == AF_INET6;
	const int on = 1;
	cleanup_fd int fd = socket(
	    a->from.family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
	    (tcp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0) ||
	    (v6 && setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    (!tcp && (v6 ? setsockopt(fd, SOL_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on))
			 : setsockopt(fd, SOL_IP, IP_PKTINFO, &on, sizeof(on))) < 0) ||
	    bind(fd, &at->sa, address_len(at)) < 0 || (tcp && listen(fd, BACKLOG) < 0) ||
	    (!tcp && attach_second(fd) < 0))
		return -errno;
	return take_fd(fd);
}

struct relay *relay_port_new(struct service *s, const struct service_relay *asked, struct err *err)
{
	const union address at = address_from(&asked->from, asked->from_port);
	char text[NET_ADDR_TEXT];
	int fd = bind_port(asked, &at);

	if (fd < 0) {
		err_errno(err, -fd, "listening at %s port %u", net_addr_format(&asked->from, text),
			  asked->from_port);
		return NULL;
	}
	struct relay *r = relay_new(s, RELAY_PORT, asked->proto == IPPROTO_TCP, fd);
	r->asked = *asked;
	list_add(&s->ports[asked->from_port % PORT_HASH], &r->same);
	r->to = address_from(&asked->to, asked->to_port);
	return r;
}

static unsigned int pool_of(bool tcp, bool v6)
{
	return (tcp ? HELPER_TCP : 0) | (v6 ? HELPER_V6 : 0);
}

/* A few at a time: it takes two changes of process. */
static int from_helper(struct service *s, unsigned int flags, int *fds, size_t *n)
{
	const struct helper_ask ask = { .type = HELPER_SOCKETS, .flags = flags, .n = (uint32_t)*n };
	struct helper_answer answer;
	int r = helper_call(s, &ask, &answer, fds, n);

	return r < 0 ? r : *n == 0 ? -EIO : 0;
}

bool relay_shows(const struct relay *r, const union address *client)
{
	if (!r->asked.transparent)
		return false;
	return client->sa.sa_family == AF_INET
		   ? ntohl(client->in.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET
		   : !IN6_IS_ADDR_LOOPBACK(&client->in6.sin6_addr);
}

bool relay_has_other(const struct relay *r, const union address *client)
{
	return r->other.sa.sa_family != AF_UNSPEC && !relay_shows(r, client);
}

int relay_socket(struct service *s, const struct relay *r, const union address *to,
		 bool transparent)
{
	const bool v6 = to->sa.sa_family == AF_INET6;
	struct pool *p = &s->pools[pool_of(r->tcp, v6)];
	size_t n = transparent ? 1 : HELPER_FDS;
	int fds[HELPER_FDS], e;

	if (!r->inside) {
		int fd =
		    socket(to->sa.sa_family,
			   (r->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		return fd < 0 ? -errno : fd;
	}
	if (transparent) {
		e = from_helper(s, pool_of(r->tcp, v6) | HELPER_TRANSPARENT, fds, &n);
		return e < 0 ? e : fds[0];
	}
	if (p->n == 0) {
		e = from_helper(s, pool_of(r->tcp, v6), fds, &n);
		if (e < 0)
			return e;
		memcpy(p->fds, fds, n * sizeof(*fds));
		p->n = (unsigned int)n;
	}
	return p->fds[--p->n];
}

void relay_socket_back(struct service *s, const struct relay *r, const union address *to, int fd)
{
	struct pool *p = &s->pools[pool_of(r->tcp, to->sa.sa_family == AF_INET6)];
	const union address none = { .sa.sa_family = AF_UNSPEC };

	/* Its port goes with the connection: what is late arrives nowhere. */
	if (!r->inside || r->tcp || r->asked.transparent || p->n == POOL_MAX ||
	    connect(fd, &none.sa, sizeof(none.sa)) < 0) {
		fd_close(fd);
		return;
	}
	char byte;
	while (recv(fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0)
		;
	p->fds[p->n++] = fd;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams: each client's have a socket of their own to where they go, so that answers find back
 * and nobody else can answer. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "net/service/service.h"

#define BATCH     32   /* datagrams of one socket before it is another's turn */
#define QUERY_MAX 4096 /* what is kept for sending again, or for an answer of ours */
#define HEAD      12   /* of a message of DNS (RFC 1035 4.1.1), and in it: */
#define RCODE     3
#define MASK      0x0f
#define SERVFAIL  2
#define NOTIMP    4
#define REFUSED   5
#define FLOWS_MAX 8192 /* of all */

/* Where a datagram was sent to, which is where its answer has to come from. */
union pktinfo {
	struct in_pktinfo v4;
	struct in6_pktinfo v6;
};

struct flow {
	struct source src;
	struct list link, chain; /* of relay->users, of service.flows */
	struct relay *relay;
	union address client;
	union pktinfo at;
	uint64_t used_ms;
	unsigned int open; /* of names: questions without an answer */
	bool has_other;    /* of a port: an address to be tried when this one refuses */
	bool is_other;
	uint8_t *query; /* the last of what has no answer, where it may be sent again */
	size_t query_len;
};

static struct list *chain_of(struct service *s, const struct relay *r, const union address *client)
{
	const bool v4 = client->sa.sa_family == AF_INET;
	uint32_t h = (uint32_t)((uintptr_t)r >> 4), word;

	for (size_t i = 0; i < (v4 ? 4 : 16); i += 4) {
		memcpy(&word,
		       v4 ? (const uint8_t *)&client->in.sin_addr
			  : (const uint8_t *)&client->in6.sin6_addr + i,
		       4);
		h = (h ^ word) * 0x9e3779b1u;
	}
	h = (h ^ (v4 ? client->in.sin_port : client->in6.sin6_port)) * 0x9e3779b1u;
	return &s->flows[h >> 16 & (FLOW_HASH - 1)];
}

static bool same_address(const union address *a, const union address *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_port == b->in.sin_port &&
		       a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return a->in6.sin6_port == b->in6.sin6_port &&
	       a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
	       memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr)) == 0;
}

static struct flow *flow_find(struct service *s, const struct relay *r, const union address *client)
{
	struct list *chain = chain_of(s, r, client);

	for (struct list *l = chain->next; l != chain; l = l->next) {
		struct flow *f = list_of(l, struct flow, chain);

		if (f->relay == r && same_address(&f->client, client))
			return f;
	}
	return NULL;
}

static const union address *goes_to(const struct flow *f)
{
	return f->is_other ? &f->relay->other : &f->relay->to;
}

static void flow_free(struct service *s, struct flow *f)
{
	source_want(s, &f->src, 0);
	if (f->src.fd >= 0)
		relay_socket_back(s, f->relay, goes_to(f), f->src.fd);
	f->src.fd = -EBADF;
	list_remove(&f->link);
	list_remove(&f->chain);
	f->relay->n_users--;
	s->n_flows--;
	free(f->query);
	service_bury(s, &f->src);
}

/* With --strict-order dnsmasq (2.90) answers nothing at all when the last server says that it has
 * failed or refuses: who asked would wait for its time-out. What it passes on is "not implemented",
 * so that is what a failure is called as long as it is on its way through dnsmasq. */
static void disguise(const struct relay *r, uint8_t *message, size_t len)
{
	if (r->kind == RELAY_PORT || len < HEAD)
		return;
	const uint8_t code = message[RCODE] & MASK;
	uint8_t now = code;
	if (r->kind == RELAY_NAMES && code == NOTIMP)
		now = SERVFAIL;
	else if (r->kind == RELAY_UPSTREAM && r->last && (code == SERVFAIL || code == REFUSED))
		now = NOTIMP;
	message[RCODE] = (uint8_t)((message[RCODE] & ~MASK) | now);
}

/* To the client, from the address that it sent to. */
static void send_back(struct flow *f, uint8_t *data, size_t len)
{
	const bool v4 = f->client.sa.sa_family == AF_INET;
	struct iovec iov = { .iov_base = data, .iov_len = len };
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(union pktinfo))];
	} control = { .head = { .cmsg_level = v4 ? SOL_IP : SOL_IPV6,
				.cmsg_type = v4 ? IP_PKTINFO : IPV6_PKTINFO } };
	struct msghdr msg = { .msg_name = &f->client,
			      .msg_namelen = address_len(&f->client),
			      .msg_iov = &iov,
			      .msg_iovlen = 1 };

	disguise(f->relay, data, len);
	if (f->relay->kind == RELAY_PORT) {
		const socklen_t size = v4 ? sizeof(f->at.v4) : sizeof(f->at.v6);

		control.head.cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(&control.head), &f->at, size);
		msg.msg_control = &control;
		msg.msg_controllen = (socklen_t)CMSG_SPACE(size);
	}
	sendmsg(f->relay->listen.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The question itself, marked as an answer: that the server failed. Who asked goes on at once to
 * the next one, or to its error, instead of waiting. */
static void refuse(struct service *s, struct flow *f)
{
	if (f->relay->kind != RELAY_PORT && f->query_len >= HEAD) {
		f->query[2] |= 0x80;               /* an answer */
		f->query[RCODE] = 0x80 | SERVFAIL; /* recursion is available */
		send_back(f, f->query, f->query_len);
	}
	flow_free(s, f);
}

static int flow_connect(struct service *s, struct flow *f)
{
	const bool transparent = !f->is_other && relay_shows(f->relay, &f->client);
	const union address *to = goes_to(f);

	f->src.fd = relay_socket(s, f->relay, to, transparent);
	if (f->src.fd < 0)
		return f->src.fd;
	if (transparent && bind(f->src.fd, &f->client.sa, address_len(&f->client)) < 0)
		return -errno;
	if (connect(f->src.fd, &to->sa, address_len(to)) < 0)
		return -errno;
	return source_want(s, &f->src, EPOLLIN);
}

/* Nobody has answered there yet, and it is refused: what came last goes to the other address. */
static int flow_other(struct service *s, struct flow *f)
{
	source_want(s, &f->src, 0);
	relay_socket_back(s, f->relay, goes_to(f), f->src.fd);
	f->has_other = false;
	f->is_other = true;
	int r = flow_connect(s, f);
	if (r == 0 && f->query_len > 0)
		send(f->src.fd, f->query, f->query_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return r;
}

static void flow_ready(struct service *s, struct source *src, uint32_t events)
{
	struct flow *f = list_of(src, struct flow, src);
	struct relay *r = f->relay;

	for (int i = 0; i < BATCH; i++) {
		ssize_t n = recv(f->src.fd, s->buffer, BUFFER_SIZE, MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && f->has_other) {
			if (flow_other(s, f) < 0)
				flow_free(s, f);
			return;
		}
		if (n < 0 && r->kind == RELAY_PORT)
			continue; /* ECONNREFUSED: the program may come yet */
		/* a dnsmasq that has died will be asked again */
		if (n < 0 && r->kind == RELAY_NAMES && r->view->state != VIEW_FAILED)
			return;
		if (n < 0) {
			refuse(s, f);
			return;
		}
		send_back(f, s->buffer, (size_t)n);
		f->used_ms = s->now_ms;
		f->has_other = false;
		if (r->kind != RELAY_PORT && --f->open == 0) {
			flow_free(s, f);
			return;
		}
	}
}

/* NULL: it can't be had, and what came is lost, which datagrams may be. */
static struct flow *flow_new(struct service *s, struct relay *r, const union address *client)
{
	if (r->n_users >= r->max_users || s->n_flows >= FLOWS_MAX) {
		if (r->kind != RELAY_PORT || list_empty(&r->users))
			return NULL; /* who asks too much waits for its own answers */
		flow_free(s, list_of(r->users.next, struct flow, link));
	}
	struct flow *f = xcalloc(1, sizeof(*f));
	source_init(&f->src, -EBADF, flow_ready);
	f->relay = r;
	f->client = *client;
	f->has_other = relay_has_other(r, client);
	list_add(&r->users, &f->link);
	list_add(chain_of(s, r, client), &f->chain);
	r->n_users++;
	s->n_flows++;
	if (r->to.sa.sa_family != AF_UNSPEC && flow_connect(s, f) < 0 &&
	    (!f->has_other || flow_other(s, f) < 0)) {
		flow_free(s, f);
		return NULL;
	}
	return f;
}

static void take_query(struct flow *f, const void *data, size_t len)
{
	if (len > QUERY_MAX)
		len = 0;
	f->query = xrealloc(f->query, len ? len : 1);
	memcpy(f->query, data, len);
	f->query_len = len;
	f->open++;
}

static void forward(struct service *s, struct relay *r, const union address *client,
		    const union pktinfo *at, size_t len)
{
	struct flow *f = flow_find(s, r, client);

	if (!f)
		f = flow_new(s, r, client);
	if (!f)
		return;
	f->at = *at;
	f->used_ms = s->now_ms;
	list_remove(&f->link);
	list_add(&r->users, &f->link);
	if (r->kind != RELAY_PORT || f->has_other)
		take_query(f, s->buffer, len);
	if (f->src.fd < 0 || (r->kind == RELAY_NAMES && r->view->state == VIEW_FAILED)) {
		refuse(s, f);
		return;
	}
	/* one more try: the first may have been told of an older datagram's fate */
	if (send(f->src.fd, s->buffer, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		send(f->src.fd, s->buffer, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The cmsg of where it was sent to; what it says of the way back is left open. */
static void take_pktinfo(struct msghdr *msg, union pktinfo *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&ret->v4, CMSG_DATA(c), sizeof(ret->v4));
			ret->v4.ipi_spec_dst = ret->v4.ipi_addr;
			ret->v4.ipi_ifindex = 0;
		} else if (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&ret->v6, CMSG_DATA(c), sizeof(ret->v6));
			if (!IN6_IS_ADDR_LINKLOCAL(&ret->v6.ipi6_addr))
				ret->v6.ipi6_ifindex = 0;
		}
	}
}

void udp_ready(struct service *s, struct source *src, uint32_t events)
{
	struct relay *r = list_of(src, struct relay, listen);

	if (r->kind == RELAY_NAMES && !view_wake(s, r->view))
		return;
	for (int i = 0; i < BATCH && src->fd >= 0; i++) {
		union {
			struct cmsghdr head;
			char bytes[128];
		} control;
		union address client = { .sa.sa_family = AF_UNSPEC };
		union pktinfo at;
		struct iovec iov = { .iov_base = s->buffer, .iov_len = BUFFER_SIZE };
		struct msghdr msg = { .msg_name = &client,
				      .msg_namelen = sizeof(client),
				      .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = &control,
				      .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(src->fd, &msg, MSG_DONTWAIT);

		if (n < 0)
			return;
		take_pktinfo(&msg, &at);
		forward(s, r, &client, &at, (size_t)n);
	}
}

void udp_sweep(struct service *s, struct relay *r, bool all)
{
	list_each(it, next, &r->users)
	{
		struct flow *f = list_of(it, struct flow, link);

		if (all)
			flow_free(s, f);
		else if (s->now_ms - f->used_ms < r->timeout_ms)
			break;
		else
			refuse(s, f);
	}
}

void udp_again(struct service *s, struct relay *r)
{
	list_each(it, next, &r->users)
	{
		struct flow *f = list_of(it, struct flow, link);

		if (f->open == 0 || f->src.fd < 0)
			continue;
		f->open = 1;
		if (send(f->src.fd, f->query, f->query_len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			send(f->src.fd, f->query, f->query_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

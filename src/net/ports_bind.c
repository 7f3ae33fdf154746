/* SPDX-License-Identifier: Apache-2.0 */
/* The host's sockets of published ports. */
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "net/ports.h"

#define FDS_IN_MESSAGE  16 /* of fd_send() */
#define RANDOM_ATTEMPTS 16
/* A relay that goes with the container before takes a moment to be gone. */
#define TAKEN_WAIT_MS 200
#define TAKEN_STEP_MS 5

struct binder {
	const struct ports_how *how;
	bool again;  /* what is bound is ours and stays so for now */
	int pair[2]; /* what is put into the second one is kept by the first */
	int held[FDS_IN_MESSAGE];
	size_t n_held; /* not put there yet */
	unsigned int waited_ms;
	struct port_bindings *ret;
	struct port_binding taken;
};

/* ---- what keeps them ---- */

static int put_held(struct binder *b, struct err *err)
{
	ssize_t r = 0;

	if (b->n_held && b->pair[0] < 0 &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, b->pair) < 0)
		return err_errno(err, errno, "making what keeps published ports");
	if (b->n_held)
		r = fd_send(b->pair[1], "p", 1, b->held, b->n_held);
	while (b->n_held)
		fd_close(b->held[--b->n_held]);
	/* What is on its way counts as open files of the user; and a socket takes some thousands.
	 */
	if (r == -ETOOMANYREFS)
		return err_hint(err,
				err_fail(err, ERR_LIMIT,
					 "keeping published ports: more than this user may have"),
				"raise the limit of open files: ulimit -n");
	if (r == -EAGAIN)
		return err_hint(
		    err,
		    err_fail(err, ERR_LIMIT,
			     "keeping published ports: one container can have about %zu",
			     b->ret->n),
		    "publish fewer, or use --network host");
	return r < 0 ? err_errno(err, (int)-r, "keeping published ports") : 0;
}

static int hold(struct binder *b, int fd, struct err *err)
{
	b->held[b->n_held++] = fd;
	return b->n_held == FDS_IN_MESSAGE ? put_held(b, err) : 0;
}

/* ---- one socket ---- */

struct sockaddr_any {
	union {
		struct sockaddr sa;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
};

static void fill_address(const struct net_addr *host, uint16_t port, struct sockaddr_any *ret)
{
	*ret = (struct sockaddr_any){ .len = sizeof(ret->in4) };
	ret->sa.sa_family = host->family;
	if (host->family == AF_INET) {
		ret->in4.sin_port = htons(port);
		memcpy(&ret->in4.sin_addr, host->bytes, 4);
		return;
	}
	ret->len = sizeof(ret->in6);
	ret->in6.sin6_port = htons(port);
	memcpy(&ret->in6.sin6_addr, host->bytes, 16);
}

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* What comes to a socket of UDP whose packets are not led elsewhere, for once: nobody reads it. */
static void drop_all(int fd)
{
	struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog none = { .len = 1, .filter = &code };

	(void)!setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &none, sizeof(none));
}

/*
 * Nobody else may bind it: so none of the options by which sockets share a port is set when we do.
 * But connections of TCP that ended a moment ago are no reason not to: with SO_REUSEADDR they are
 * none, and as it goes off afterwards and who listens is no such connection, that lets nobody else
 * in. SO_REUSEPORT, on from then on, is for the relay, which is of our user.
 */
static int bind_socket(const struct binder *b, int fd, const struct sockaddr_any *at, uint8_t proto)
{
	int r = b->again ? set(fd, SOL_SOCKET, SO_REUSEPORT, 1) : 0;

	if (r == 0)
		r = bind(fd, &at->sa, at->len) < 0 ? -errno : 0;
	if (r == -EADDRINUSE && proto == IPPROTO_TCP && !b->again) {
		r = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
		if (r == 0)
			r = bind(fd, &at->sa, at->len) < 0 ? -errno : 0;
		set(fd, SOL_SOCKET, SO_REUSEADDR, 0);
	}
	return r < 0 ? r : set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

static int socket_port(int fd, uint16_t *ret)
{
	struct sockaddr_any at = { .len = sizeof(at.in6) };

	if (getsockname(fd, &at.sa, &at.len) < 0)
		return -errno;
	*ret = ntohs(at.sa.sa_family == AF_INET ? at.in4.sin_port : at.in6.sin6_port);
	return 0;
}

/* both: one socket for all addresses of both families, host is ::. *port 0: a free one, which it
 * says then. fd or -errno. */
static int open_socket(const struct binder *b, uint8_t proto, const struct net_addr *host,
		       bool both, uint16_t *port)
{
	int type = proto == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM, r = 0;
	cleanup_fd int fd = socket(host->family, type | SOCK_CLOEXEC, proto);
	struct sockaddr_any at;

	if (fd < 0)
		return -errno;
	fill_address(host, *port, &at);
	if (host->family == AF_INET6)
		r = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !both);
	if (r == 0)
		r = bind_socket(b, fd, &at, proto);
	if (r == 0)
		r = socket_port(fd, port);
	if (r == 0 && proto == IPPROTO_UDP)
		drop_all(fd);
	return r < 0 ? r : take_fd(fd);
}

/* ---- one port ---- */

static const struct net_addr any4 = { .family = AF_INET }, any6 = { .family = AF_INET6 };

/* Shares it with nobody: what arrives there is for the relay's socket alone. */
static bool is_kept(const struct binder *b, uint8_t proto, const struct net_addr *host)
{
	return proto != IPPROTO_UDP || (!b->how->relayed && !net_addr_is_loopback(host));
}

static void bound(struct binder *b, uint8_t proto, const struct net_addr *host, uint16_t host_port,
		  uint16_t port)
{
	struct port_bindings *l = b->ret;

	l->items = xrealloc(l->items, (l->n + 1) * sizeof(*l->items));
	l->items[l->n++] = (struct port_binding){
		.proto = proto, .host = *host, .host_port = host_port, .port = port
	};
}

/* A kernel without SCTP's sockets leads its packets elsewhere all the same; then who has a port is
 * known by the rows alone. A number is found as for TCP. */
static bool lacks_sctp(int r, uint8_t proto)
{
	return proto == IPPROTO_SCTP && (r == -EPROTONOSUPPORT || r == -ESOCKTNOSUPPORT);
}

static int number_only(const struct binder *b, const struct net_addr *host, uint16_t *port)
{
	int fd = *port ? -EBADF : open_socket(b, IPPROTO_TCP, host, false, port);

	if (!*port && fd < 0)
		return fd;
	fd_close(fd);
	return -EBADF;
}

/* All addresses are one socket where the kernel has IPv6. *ret_fd -EBADF: there is none. */
static int open_all(const struct binder *b, uint8_t proto, const struct net_addr *host,
		    uint16_t *port, bool *ret_both)
{
	bool both = !host->family;
	int fd = open_socket(b, proto, both ? &any6 : host, both, port);

	if (both && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)) {
		both = false;
		fd = open_socket(b, proto, &any4, false, port);
	}
	if (lacks_sctp(fd, proto))
		fd = number_only(b, host->family ? host : &any4, port);
	*ret_both = both;
	return fd;
}

static int bind_port(struct binder *b, const struct port_publish *p, uint16_t host_port,
		     uint16_t port, struct err *err)
{
	struct net_addr host = p->host.family ? p->host : b->how->host;
	uint16_t asked = host_port;
	bool both;
	int fd = open_all(b, p->proto, &host, &host_port, &both);

	if (fd < 0 && fd != -EBADF) {
		b->taken = (struct port_binding){
			.proto = p->proto, .host = host, .host_port = asked, .port = port
		};
		if (!host.family)
			b->taken.host = any4;
		return fd;
	}
	if (!host.family) {
		bound(b, p->proto, &any4, host_port, port);
		if (both)
			bound(b, p->proto, &any6, host_port, port);
		host = any4;
	} else {
		bound(b, p->proto, &host, host_port, port);
	}
	if (fd >= 0 && !is_kept(b, p->proto, &host))
		fd = fd_close(fd);
	return fd < 0 ? 0 : hold(b, fd, err);
}

static int explain(const struct binder *b, int r, struct err *err)
{
	const struct port_binding *t = &b->taken;
	char *at = ports_host_text(&t->host, t->host_port), text[NET_ADDR_TEXT];

	net_addr_format(&t->host, text);
	if (r == -EADDRINUSE) {
		r = err_fail(err, ERR_CONFLICT, "Bind for %s failed: port is already allocated",
			     at);
	} else {
		int errnum = -r;

		r = err_errno(err, errnum, "Bind for %s failed", at);
		if (errnum == EACCES)
			err_hint(err, r,
				 "ports below 1024 need root, or: sysctl -w "
				 "net.ipv4.ip_unprivileged_port_start=%u",
				 t->host_port);
		else if (errnum == EADDRNOTAVAIL)
			err_hint(err, r, "no interface of this machine has the address %s", text);
	}
	free(at);
	return r;
}

/* This one, though it may take a moment until it is free. */
static int bind_fixed(struct binder *b, const struct port_publish *p, uint16_t host_port,
		      uint16_t port, struct err *err)
{
	const struct timespec step = { .tv_nsec = TAKEN_STEP_MS * 1000000L };
	int r;

	for (;;) {
		b->taken = (struct port_binding){ 0 };
		r = bind_port(b, p, host_port, port, err);
		if (r != -EADDRINUSE || !host_port || b->waited_ms >= TAKEN_WAIT_MS)
			break;
		nanosleep(&step, NULL);
		b->waited_ms += TAKEN_STEP_MS;
	}
	return r < 0 && b->taken.host.family ? explain(b, r, err) : r;
}

/* Any, or the first of a range that is free for the only port in the container. */
static int bind_free(struct binder *b, const struct port_publish *p, uint16_t port, struct err *err)
{
	uint32_t first = p->host_ports.first, last = p->host_ports.last;
	int r = -EADDRINUSE;

	if (!first)
		last = RANDOM_ATTEMPTS - 1;
	for (uint32_t i = first; r == -EADDRINUSE && i <= last; i++) {
		b->taken = (struct port_binding){ 0 };
		r = bind_port(b, p, first ? (uint16_t)i : 0, port, err);
	}
	if (r == -EADDRINUSE && first)
		return err_fail(err, ERR_CONFLICT,
				"Bind for ports %u-%u failed: all are already allocated", first,
				last);
	return r < 0 && b->taken.host.family ? explain(b, r, err) : r;
}

static int bind_word(struct binder *b, const struct port_publish *p, struct err *err)
{
	uint32_t n = p->ports.last - p->ports.first + 1U, i;
	bool fixed = p->host_ports.first && p->host_ports.last - p->host_ports.first + 1U == n;
	int r = 0;

	for (i = 0; r == 0 && i < n; i++) {
		uint16_t port = (uint16_t)(p->ports.first + i);

		r = fixed ? bind_fixed(b, p, (uint16_t)(p->host_ports.first + i), port, err)
			  : bind_free(b, p, port, err);
	}
	return r;
}

/* ---- all ---- */

static int finish(struct binder *b, int r, int *ret_keep, struct err *err)
{
	if (r == 0)
		r = put_held(b, err);
	while (b->n_held)
		fd_close(b->held[--b->n_held]);
	fd_close(b->pair[1]);
	if (r < 0)
		fd_close(b->pair[0]);
	else
		*ret_keep = b->pair[0];
	return r;
}

int ports_bind(const struct port_list *wanted, const struct ports_how *how,
	       struct port_bindings *ret, int *ret_keep, struct port_binding *ret_taken,
	       struct err *err)
{
	cleanup_port_bindings struct port_bindings list = { 0 };
	struct binder b = { .how = how, .pair = { -EBADF, -EBADF }, .ret = &list };
	int r = 0;

	for (size_t i = 0; r == 0 && i < wanted->n; i++)
		r = bind_word(&b, &wanted->items[i], err);
	r = finish(&b, r, ret_keep, err);
	if (r < 0) {
		*ret_taken = b.taken;
		return r;
	}
	*ret = list;
	list = (struct port_bindings){ 0 };
	return 0;
}

int ports_bind_again(const struct port_bindings *bound_now, const struct ports_how *how,
		     int *ret_keep, struct err *err)
{
	struct binder b = { .how = how, .again = true, .pair = { -EBADF, -EBADF } };
	int r = 0;

	for (size_t i = 0; r == 0 && i < bound_now->n; i++) {
		const struct port_binding *p = &bound_now->items[i];
		uint16_t port = p->host_port;
		int fd;

		if (!is_kept(&b, p->proto, &p->host))
			continue;
		fd = open_socket(&b, p->proto, &p->host, false, &port);
		if (lacks_sctp(fd, p->proto))
			continue;
		b.taken = *p;
		r = fd < 0 ? explain(&b, fd, err) : hold(&b, fd, err);
	}
	return finish(&b, r, ret_keep, err);
}

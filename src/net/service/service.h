/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program inro-net: one thread, one epoll, no file but its sockets. It passes bytes on between
 * network namespaces and understands none of them:
 *
 *   names     127.0.0.11 in a container   ->  the dnsmasq of its view   (inside)
 *   upstream  what a dnsmasq asks         ->  a name server of the host's
 *   port      the host's loopback         ->  a container's port
 *
 * "Inside" is a network namespace that nobody else can send to: where dnsmasq listens on the
 * machine's own loopback, any user could put a socket beside its (SO_REUSEADDR) and answer in its
 * stead. For root it is an empty one, for a user the one of their networks. Sockets in there come
 * from the helper (helper.h), a process of the same program, which also runs the dnsmasqs.
 *
 * All that containers send is hostile: each has its share of flows and connections, and what is
 * above it is dropped or waits, for that container alone.
 */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/err.h"
#include "net/service/list.h"
#include "net/service_proto.h"

struct service;
/* Something in the epoll. The first one of its owner, which is freed with it, is its first member.
 */
struct source {
	int fd;
	uint32_t events; /* asked for; 0: not in the epoll */
	void (*ready)(struct service *s, struct source *src, uint32_t events);
	struct source *dead; /* the next one to be freed */
};

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};
socklen_t address_len(const union address *a);
union address address_from(const struct net_addr *a, uint16_t port);
union address address_loopback(uint16_t port);

struct view;
enum relay_kind { RELAY_NAMES, RELAY_UPSTREAM, RELAY_PORT };
struct relay {
	struct source listen;
	struct list link; /* in service.relays */
	struct list same; /* of a port: in service.ports */
	enum relay_kind kind;
	bool tcp, inside; /* inside: where to is */
	bool paused;      /* nothing is taken from it */
	bool resting;     /* until the next sweep */
	bool last;        /* of upstream: dnsmasq has nobody else to ask */
	union address to; /* family 0: nobody */
	/* Of a port: the container's address of the other family, or family 0. */
	union address other;
	unsigned int timeout_ms;
	struct view *view;          /* of names and upstream */
	struct service_relay asked; /* of a port */
	unsigned int others;        /* members beside the first that have it */
	struct list users;          /* flows, the one used longest ago first; or connections */
	unsigned int n_users, max_users;
};

struct view {
	struct source said, ended; /* what dnsmasq writes, and its pidfd */
	struct list link;
	unsigned int slot; /* its ports inside follow from it */
	uint8_t n_networks, n_servers;
	bool internal;
	uint8_t networks[SERVICE_NETWORKS][SERVICE_ID]; /* sorted */
	struct net_addr servers[SERVICE_SERVERS];
	unsigned int members;
	enum { VIEW_IDLE, VIEW_STARTING, VIEW_READY, VIEW_FAILED } state;
	uint64_t started_ms, retry_ms, refreshed_ms;
	unsigned int failures;
	bool dirty; /* what dnsmasq has read is old */
	unsigned int n_upstream;
	struct relay *upstream[SERVICE_SERVERS][2]; /* UDP, TCP */
};

/* A process of a member's. */
struct process {
	struct source end; /* its pidfd */
	struct list link;
	struct member *member;
	uint8_t id[SERVICE_ID]; /* the container's */
};

struct member {
	struct source dead; /* nothing but its burial */
	struct list link;
	struct list processes;
	uint8_t id[SERVICE_ID];
	struct view *view;
	struct relay *names[2]; /* UDP, TCP; or NULL */
	struct relay **ports;
	size_t n_ports;
};

#define VIEWS_MAX 1000
#define POOL_MAX  32
#define FLOW_HASH 1024
#define PORT_HASH 1024

struct pool {
	int fds[POOL_MAX];
	unsigned int n;
};
struct service {
	int epoll, lock, self; /* self: a pidfd of this process */
	int helper;            /* helper.h */
	bool place;            /* containers are inside, too: a user's */
	uint64_t now_ms, swept_ms, idle_ms, resolv_ms;
	struct source listen;
	struct list relays, members, views, clients;
	struct list ports[PORT_HASH];             /* relays of ports, by the host's port */
	unsigned int n_clients, n_flows, n_timed; /* timed: what of TCP a time ends */
	unsigned int n_conns, max_conns;          /* of ports: names keep half of all files */
	struct view *slots[VIEWS_MAX];
	union address host[SERVICE_SERVERS]; /* name servers of the host's */
	unsigned int n_host;
	struct list *flows; /* FLOW_HASH of them */
	struct pool pools[4];
	int pipes[POOL_MAX][2];
	unsigned int n_pipes;
	struct source *dead;
	uint8_t *buffer; /* BUFFER_SIZE */
};
#define BUFFER_SIZE (192 * 1024) /* a request is the largest; untouched, it takes no memory */

/* loop.c */
void source_init(struct source *src, int fd,
		 void (*ready)(struct service *s, struct source *src, uint32_t events));
int source_want(struct service *s, struct source *src, uint32_t events);
void source_close(struct service *s, struct source *src);
/* Frees its owner when the events at hand are done with: one may still point to it. */
void service_bury(struct service *s, struct source *first);
int service_loop(struct service *s, struct err *err);

/* relay.c */
/* Takes fd. listen: the socket is TCP's. */
struct relay *relay_new(struct service *s, enum relay_kind kind, bool tcp, int fd);
void relay_free(struct service *s, struct relay *r);
void relay_pause(struct service *s, struct relay *r, bool pause);
/* Of a port: bound here. NULL: *ret_err. */
struct relay *relay_port_new(struct service *s, const struct service_relay *asked, struct err *err);
void relay_sweep(struct service *s);
/* Nothing more can be opened: r is left alone until the next sweep. */
void relay_rest(struct service *s, struct relay *r);
/* Does the container see this client's own address? The loopback's is nobody's there. */
bool relay_shows(const struct relay *r, const union address *client);
/* Is there another address to be tried, for a client that it does not see? With its own it would
 * come by one that rules of the container don't know. */
bool relay_has_other(const struct relay *r, const union address *client);
/* A socket where r->to (or r->other) is, not connected; or -errno. transparent: it may be bound to
 * any address. */
int relay_socket(struct service *s, const struct relay *r, const union address *to,
		 bool transparent);
void relay_socket_back(struct service *s, const struct relay *r, const union address *to, int fd);

/* udp.c */
void udp_ready(struct service *s, struct source *src, uint32_t events);
void udp_sweep(struct service *s, struct relay *r, bool all);
void udp_again(struct service *s, struct relay *r); /* what waits for an answer is sent once more */

/* tcp.c */
void tcp_ready(struct service *s, struct source *src, uint32_t events);
void tcp_sweep(struct service *s, struct relay *r, bool all);

/* views.c */
struct view *view_get(struct service *s, const struct service_put *p, struct err *err);
void view_put(struct service *s, struct view *v);
/* Before anything is taken from a relay of names: true when its dnsmasq answers, or never will. */
bool view_wake(struct service *s, struct view *v);
/* Names of one of these networks have changed. */
void view_changed(struct service *s, const struct view *of);
/* The time of the next thing to do, or UINT64_MAX. */
uint64_t view_sweep(struct service *s);

/* members.c */
void members_listen(struct service *s);
uint64_t members_sweep(struct service *s);

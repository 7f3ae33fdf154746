/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published ports: what is wanted of the words of -p, -P and --expose, and the host's sockets that
 * keep them. Such a socket is bound and never listens: it gets no connection (the firewall leads
 * those elsewhere before), and while it is there nobody else gets the port. Of a list of them one
 * fd is left, the end of a pair of sockets in which all others lie as messages nobody reads:
 * whoever has it keeps them, at the cost of one fd, and closing it gives all ports back.
 */
#pragma once

#include "net/portspec.h"

struct port_list {
	struct port_publish *items;
	size_t n;
};
void port_list_done(struct port_list *list);
#define cleanup_port_list CLEANUP(port_list_done)

/* The words of -p in their order, each once; with all, each of --expose that none of them
 * publishes, on a free port. Pure. ERR_USAGE: also where two want the same port of the host. */
int port_list_parse(char *const *publish, bool all, char *const *expose, struct port_list *ret,
		    struct err *err);

/* One port of one address of the host. */
struct port_binding {
	uint8_t proto;        /* IPPROTO_TCP, _UDP, _SCTP */
	struct net_addr host; /* 0.0.0.0 and :: are all of that family; never without a family */
	uint16_t host_port, port; /* port: in the container */
};
struct port_bindings {
	struct port_binding *items;
	size_t n;
};
void port_bindings_done(struct port_bindings *list);
#define cleanup_port_bindings CLEANUP(port_bindings_done)

bool net_addr_is_any(const struct net_addr *a);      /* 0.0.0.0, :: */
bool net_addr_is_loopback(const struct net_addr *a); /* 127.0.0.0/8, ::1 */

struct ports_how {
	struct net_addr host; /* of those that say none; family 0: all addresses */
	bool relayed; /* packets arrive at a socket of the relay (a user's), so of UDP, where
		       * two would share them, none is kept */
};
/* Binds all that is wanted, whole or not at all, in the caller's network namespace; chooses the
 * ports that were not said. *ret_keep: the fd, or -EBADF when there is nothing to keep. Who has
 * asked for all addresses has a binding of each family that the kernel has. ERR_CONFLICT: "Bind for
 * 0.0.0.0:80 failed: port is already allocated", and *ret_taken is that port (its host's family 0:
 * it is not told). */
int ports_bind(const struct port_list *wanted, const struct ports_how *how,
	       struct port_bindings *ret, int *ret_keep, struct port_binding *ret_taken,
	       struct err *err);
/* Keeps what is bound already, for another life of the same fd: who has it now is of our user. */
int ports_bind_again(const struct port_bindings *bound, const struct ports_how *how, int *ret_keep,
		     struct err *err);

/* docker's text for them: "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp", with ranges where ports
 * follow each other. exposed: words "80/tcp" of those that are not published are named alone;
 * or NULL. Sorts the list. */
char *ports_text(struct port_bindings *list, char *const *exposed);
/* By the port in the container, protocol, address. */
void ports_sort(struct port_bindings *list);
/* "0.0.0.0:80", "[::1]:80". The caller frees. */
char *ports_host_text(const struct net_addr *host, uint16_t port);

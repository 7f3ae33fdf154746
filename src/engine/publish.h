/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published ports: from the words in a record (its options publish, publish_all and expose) to what
 * keeps them: a socket of the host's for each, which is bound and never listens (the monitor has
 * it: nobody else gets the port), a row of the table ports while the container runs, an element of
 * the firewall and, for the host's loopback, a relay of inro-net.
 *
 * In a start: publish_bind() before the record's transaction, publish_store() in it, the fds to the
 * monitor, then, with the addresses known, publish_elements() and publish_relays() with the other
 * steps of the plug. At the end: publish_load(), publish_elements() to take those out of the
 * firewall, publish_release() in the record's transaction. All of them do nothing for what
 * publishes no ports.
 */
#pragma once

#include "engine/record.h"
#include "net/portspec.h"

struct fw_port;

/* One port of one address of the host. */
struct publish_binding {
	uint8_t proto;        /* IPPROTO_TCP, _UDP, _SCTP */
	struct net_addr host; /* 0.0.0.0 and :: are all of that family; never without a family */
	uint16_t host_port, port; /* port: in the container */
	int fd;                   /* -EBADF: none, or not of ours to have */
};
struct publish {
	struct publish_binding *items;
	size_t n;
};
void publish_done(struct publish *p); /* closes */
#define cleanup_publish CLEANUP(publish_done)

/* Binds all ports of rec, in the caller's network namespace, which is the host's; chooses those
 * that were not given. All or none. An address of IPv6 is left out where the kernel has none,
 * unless it was asked for. ERR_CONFLICT: "Bind for 0.0.0.0:80 failed: port is already allocated
 * ...". */
int publish_bind(struct engine *eng, const struct record *rec, struct publish *ret,
		 struct err *err);
/* Rows, in the caller's transaction. What a dead container has left of the same ports goes. */
int publish_store(struct engine *eng, const char *owner, const struct publish *p, struct err *err);
/* What is bound of a container, or pod, by its rows; without fds. */
int publish_load(struct engine *eng, const char *owner, struct publish *ret, struct err *err);
/* Its rows go. In the caller's transaction, if there is one. */
int publish_release(struct engine *eng, const char *owner, struct err *err);
/* The fds, for the monitor, which has them as long as the container lives: how many. fds: room for
 * p->n. They stay p's. */
size_t publish_fds(const struct publish *p, int *fds);
/* For net/firewall.h: what leads to these addresses of the container (family 0: it has none). The
 * caller frees *ret. What only the host's loopback has is left out: that is relayed. */
size_t publish_elements(const struct publish *p, const struct net_addr *to4,
			const struct net_addr *to6, struct fw_port **ret);

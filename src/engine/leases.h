/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases: which address of a network belongs to whom. Rows are never deleted but marked released,
 * and remember whose they were: who comes back gets the same again, and everybody else one that
 * nobody has had, or else the one that was released longest ago. So no lease needs a search, and no
 * address is used again while neighbours may remember who had it.
 *
 * All but the lists run in a transaction of the caller's: that of the container's record.
 */
#pragma once

#include "engine/networks.h"

#define LEASE_NOBODY "-" /* the owner of what no container gets: gateways, virtual addresses */

struct lease {
	char *network, *owner; /* ids */
	struct net_addr addr;
	bool fixed;          /* asked for */
	int64_t released_ns; /* 0: in use */
};
struct lease_list {
	struct lease *items;
	size_t n;
};
void lease_list_done(struct lease_list *list);
#define cleanup_lease_list CLEANUP(lease_list_done)

/* A container's addresses in one network. */
struct lease_addrs {
	struct net_addr ip4, ip6; /* family 0: any when asked, none when given */
};

/* Gives the owner an address of each family that the network has; asked for, it has to be in the
 * subnet. Nothing is changed by a failure but in the transaction. ERR_CONFLICT: somebody has it,
 * whose id is *ret_holder then (heap; may not live any more, which is the caller's to look at);
 * ERR_LIMIT: there is none left; ERR_USAGE: not of this subnet. */
int leases_take(struct engine *eng, const struct network *net, const char *owner,
		const struct lease_addrs *asked, struct lease_addrs *ret, char **ret_holder,
		struct err *err);
/* At a container's creation: the addresses that it asks for are given to nobody else who does not
 * ask for them. Checks them as leases_take() does; who has them now is not looked at. */
int leases_reserve(struct engine *eng, const struct network *net, const char *owner,
		   const struct lease_addrs *asked, struct err *err);
/* Of all networks, or of one (network NULL: all). Those that have none are fine. */
int leases_release(struct engine *eng, const char *owner, const char *network, struct err *err);

/* Those in use, in the order of networks and addresses; network, owner: NULL: any. */
int leases_list(struct engine *eng, const char *network, const char *owner, struct lease_list *ret,
		struct err *err);
/* What the owner has there now: family 0 where it has none. */
int leases_of(struct engine *eng, const struct network *net, const char *owner,
	      struct lease_addrs *ret, struct err *err);
/* The name of the container or pod that an owner is, or else its id. The caller frees. */
char *lease_owner_name(struct engine *eng, const char *id);

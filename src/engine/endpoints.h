/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints: which networks a container, or a pod, asked for, and how. A row is there as long as
 * its owner's record, whether that runs or not (a trigger takes it away with the record); what it
 * was given when it started is a lease.
 */
#pragma once

#include "engine/leases.h"
#include "net/netspec.h"

struct endpoint {
	char *owner; /* id of a container or pod */
	char
	    *network; /* its id; of what is no network of ours: "cni:NAME", "macvlan:PARENT", ... */
	int position; /* the order in which they were asked for, from 0 */
	char *ifname; /* in the container */
	struct netspec asked; /* kind and target too */
};
void endpoint_done(struct endpoint *ep);
#define cleanup_endpoint CLEANUP(endpoint_done)

struct endpoint_list {
	struct endpoint *items;
	size_t n;
};
void endpoint_list_done(struct endpoint_list *list);
#define cleanup_endpoint_list CLEANUP(endpoint_list_done)

/* In a transaction of the caller's. position < 0: behind those that are there; ifname NULL: as
 * asked.interface says, else the first of the network's prefix that is free (eth0, eth1 ...), put
 * into *ep. ERR_EXISTS: it is connected already. net: NULL for what is no network of ours. */
int endpoint_insert(struct engine *eng, const struct network *net, struct endpoint *ep,
		    struct err *err);
/* ERR_NOT_FOUND: it is not connected. Leases are not touched. */
int endpoint_delete(struct engine *eng, const char *owner, const char *network, struct err *err);
/* In their order. */
int endpoints_of(struct engine *eng, const char *owner, struct endpoint_list *ret, struct err *err);
/* Those of a network, by owner. */
int endpoints_in(struct engine *eng, const char *network, struct endpoint_list *ret,
		 struct err *err);
/* -ENOENT: there is none, and err is not touched. */
int endpoint_get(struct engine *eng, const char *owner, const char *network, struct endpoint *ret,
		 struct err *err);
/* What netspec_is_adhoc() as a network that no row is of: its id and name are the word without
 * options. */
void network_of_adhoc(const struct netspec *asked, struct network *ret);
/* The endpoint's: of the database, or this. -ENOENT: it is gone, and err is not touched. */
int endpoint_network(struct engine *eng, const struct endpoint *ep, struct network *ret,
		     struct err *err);
/* What it has: its leases, or, without a network, what was asked for. */
int endpoint_addrs(struct engine *eng, const struct network *net, const struct endpoint *ep,
		   struct lease_addrs *ret, struct err *err);
/* Names of the networks, of what is none of ours its word. ids: their ids as well, or NULL. The
 * caller frees both. */
char **endpoint_networks(struct engine *eng, const char *owner, char ***ids);
/* docker makes up an id for each; ours says whose it is, and where, and is the same each time. The
 * caller frees. */
char *endpoint_id(const struct endpoint *ep, const struct network *net);
/* Asked for, or made of its address, of which it has one: so who has the same address next has the
 * same MAC, and what others remember stays true. That of IPv4, unless the one of IPv6 alone was
 * asked for. */
void endpoint_mac(const struct netspec *asked, const struct lease_addrs *addrs, uint8_t ret[6]);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's interfaces on bridges: the bridge, which is made when it isn't there, and a veth
 * with one end in the container's network namespace. All of it is done in the caller's network
 * namespace, which is where the bridges are (net/place.h), with CAP_NET_ADMIN over both.
 */
#pragma once

#include "net/child.h"

/* A socket of make() (rtnl_open, nft_open) that belongs to netns. This process is back in its own
 * then; if it can't, it ends. fd or -errno. */
int netns_socket(int netns, int (*make)(struct err *err), struct err *err);

/* Has the kernel IPv6? Without it nothing of it is asked for. */
bool veth_has_ipv6(void);

/* The bridge's index; made, with its addresses, if it isn't there. dir: <runroot>/net, for a lock.
 * ERR_EXISTS: there is an interface of this name that isn't this bridge, going by its kind and its
 * alias. */
int veth_bridge(int sock, int dir, const struct rtnl_bridge *b, uint32_t *ret_index,
		struct err *err);

struct veth_plug {
	/* Instead of a veth: one by an interface of the host's; name, netns, mtu and mac are set
	 * here. NULL: a veth on the bridge. */
	const struct net_child *child;
	/* Or the host's itself, of this name; has its own MAC. Nothing here takes it back. */
	const char *device;
	const struct rtnl_bridge *bridge;
	/* Of the outer end: is followed by a letter while a name is taken, as the last one of this
	 * container goes some time after its namespace; or, with own_name, is not. */
	const char *outside;
	bool own_name;
	const char *inside;
	uint8_t mac[6];
	bool no_mac; /* it is the kernel's choice; of a child alone, whose link-local address always
			is */
	uint32_t mtu; /* 0: the kernel's */
	bool isolated;
	const struct rtnl_addr *addrs; /* the link-local one of the MAC comes by itself */
	size_t n_addrs;
	const struct rtnl_route *routes;
	size_t n_routes;
};
/* All of a container's: a whole network. n 0: its loopback alone. When it fails what has been made
 * is left for the namespace's end, but for keep, which another running container has use for: then
 * this call's are taken away, but for devices. */
int veth_plug(int netns, int dir, const struct veth_plug *plugs, size_t n, bool keep,
	      struct err *err);
/* Are they all there, as they were made, and the outer ends on their bridges? 1, 0 or -errno. */
int veth_is_plugged(int netns, const struct veth_plug *plugs, size_t n, struct err *err);
/* The interface of this name in the namespace, and so its outer end. */
int veth_unplug(int netns, const char *inside, struct err *err);

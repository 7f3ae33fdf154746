/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces that containers' networks are made of, over rtnetlink(7): a veth with its other end in
 * a container's namespace, a bridge, what belongs into the namespace; and what there is, read.
 *
 * A veth goes with the namespace of its inner end, 20 ms later and without anybody waiting; taking
 * one away by hand takes that time (RCU), in which the kernel's lock of all networks is held.
 */
#pragma once

#include "sys/rtnetlink.h"

#define RTNL_ALIAS_MAX 256 /* IFALIASZ, with the NUL */

/* `ipv6` below: the kernel has IPv6 (/proc/sys/net/ipv6) and the MTU is 1,280 or more. The address
 * that the kernel would make of the link (fe80::) is left out then, because it is tentative for a
 * second; rtnl_addr_link_local() is the same at once. */

struct rtnl_veth {
	const char *outside, *inside; /* names */
	int netns;                    /* of the inner end */
	uint32_t bridge;              /* index; 0: none */
	uint32_t mtu;                 /* 0: the kernel's */
	bool have_mac;
	uint8_t mac[6]; /* of the inner end; on a bridge nobody else gets what is for it */
	bool hairpin;   /* of the bridge's port: frames go back to where they came from */
	bool isolated;  /* of the bridge's port: none from another isolated one */
	bool ipv6;
};
/* The outer end is up. sock: of this namespace. -EEXIST: a name is taken; nothing is left of what
 * failed. */
int rtnl_veth_add(int sock, const struct rtnl_veth *v, struct err *err);

struct rtnl_bridge {
	const char *name;
	const char *alias; /* NULL: none. Says whose it is; given behind the making, not with it */
	uint8_t mac[6];    /* fixed, or it would be the smallest one of its ports */
	uint32_t mtu;      /* 0: the kernel's */
	bool ipv6;
	const struct rtnl_addr *addrs;
	size_t n_addrs;
};
/* Up, with its addresses. -EEXIST: the name is taken; the caller looks by what. */
int rtnl_bridge_add(int sock, const struct rtnl_bridge *b, struct err *err);

/* One that sends and receives by another, the parent, directly in a container's namespace. */
enum rtnl_child_kind {
	RTNL_MACVLAN,
	RTNL_IPVLAN,
	RTNL_VLAN,
};
struct rtnl_child {
	int kind;         /* enum rtnl_child_kind */
	const char *name; /* in there */
	int netns;
	uint32_t parent; /* index */
	uint32_t mode;   /* MACVLAN_MODE_* or IPVLAN_MODE_* */
	uint16_t vlan;   /* its number */
	uint32_t mtu;    /* 0: the parent's */
	bool have_mac;
	uint8_t mac[6];
};
/* It is down. sock: of the parent's namespace. -EOPNOTSUPP: the kernel has none of this kind;
 * -EEXIST: the name is taken, or of a vlan the number; -EBUSY: the parent is what can't be one. */
int rtnl_child_add(int sock, const struct rtnl_child *c, struct err *err);

struct rtnl_route {
	uint8_t family, prefix_len; /* prefix_len 0: the default route */
	uint8_t type;               /* RTN_*; 0: RTN_UNICAST */
	uint8_t to[16], gateway[16];
	bool have_gateway;
	bool replace;   /* one to the same that is there */
	uint32_t index; /* of the interface, 0: none; of rtnl_inside(): the one that is set up */
	uint32_t table; /* 0: RT_TABLE_MAIN */
	uint32_t metric;
};
struct rtnl_inside {
	const char *name; /* of the interface; NULL: there is none but lo */
	bool ipv6;
	const struct rtnl_addr *addrs;
	size_t n_addrs;
	const struct rtnl_route *routes;
	size_t n_routes;
};
/* lo and the interface up, addresses, routes: one send(2), behind the question for its index, which
 * can be given to a veth's inner end only with the outer one's. sock: of the container's namespace.
 * Not undone when it fails: the namespace, or the veth, goes then. */
int rtnl_inside(int sock, const struct rtnl_inside *in, struct err *err);

/* fe80::/64 with the interface's part made of its MAC (RFC 4291, appendix A). */
struct rtnl_addr rtnl_addr_link_local(const uint8_t mac[6]);

/* One that isn't there is no error. By its index where somebody may rename it. */
int rtnl_link_delete(int sock, const char *name, struct err *err);
int rtnl_link_delete_index(int sock, uint32_t index, struct err *err);

struct rtnl_link {
	uint32_t index, bridge; /* bridge: the index of what it is a port of, 0: none */
	uint32_t lower;         /* the index of what it is made by, or of a veth's other end */
	bool lower_elsewhere;   /* which is in another namespace */
	char name[RTNL_NAME_MAX], alias[RTNL_ALIAS_MAX], kind[RTNL_NAME_MAX]; /* "": none */
	uint32_t mtu;
	bool have_mac, up;
	uint8_t mac[6];
};
struct rtnl_links {
	struct rtnl_link *items;
	size_t n;
};
void rtnl_links_done(struct rtnl_links *links);
#define cleanup_rtnl_links CLEANUP(rtnl_links_done)
int rtnl_links_read(int sock, struct rtnl_links *ret, struct err *err);
/* -ENODEV without an error record when there is none. */
int rtnl_link_read(int sock, const char *name, struct rtnl_link *ret, struct err *err);

struct rtnl_routes {
	struct rtnl_route *items;
	size_t n;
};
void rtnl_routes_done(struct rtnl_routes *routes);
#define cleanup_rtnl_routes CLEANUP(rtnl_routes_done)
/* All of IPv4 and IPv6, of all tables. */
int rtnl_routes_read(int sock, struct rtnl_routes *ret, struct err *err);

/* Pure part, for tests and fuzzing: one datagram of a listing, appended. 0: more to come, 1: that
 * was the last, or -errno. */
int rtnl_links_parse(const void *data, size_t len, struct rtnl_links *links);
int rtnl_routes_parse(const void *data, size_t len, struct rtnl_routes *routes);

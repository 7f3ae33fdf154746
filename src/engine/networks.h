/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks: rows of the database. A row says what a network is to be; its bridge is made by the
 * first container that needs it, at each boot anew. So no network is made or removed in the kernel
 * here, and all of this works without privileges.
 *
 * Everything that belongs to a network names it by its id, which a rename would not change.
 */
#pragma once

#include "base/json.h"
#include "engine/engine.h"
#include "net/ipam.h"

#define NETWORK_DEFAULT "bridge" /* NETSPEC_DEFAULT: made on first use, can't be removed */

#define NETWORK_DNS_MAX   8     /* name servers */
#define NETWORK_HOSTS_MAX 65536 /* addresses that are given to who asks for none */

enum network_driver {
	NETWORK_BRIDGE,
	NETWORK_MACVLAN,
	NETWORK_IPVLAN,
	NETWORK_VLAN,
	NETWORK_HOST_DEVICE,
};
/* NULL-terminated, in this order. */
extern const char *const network_driver_names[];

/* Of one family. */
struct network_ip {
	struct subnet subnet;        /* base.family 0: the network has none of this family */
	struct net_addr gateway;     /* family 0: none */
	struct net_addr first, last; /* the addresses that are given to who asks for none */
	bool ranged;                 /* these were asked for */
};

/* What it was made with beside its subnets. Zeroed means the defaults. */
struct network_options {
	bool internal;      /* no way out of it, and none in */
	bool no_dns;        /* its containers' names are not answered */
	char **dns;         /* servers asked for other names; NULL: the host's */
	bool no_icc;        /* its containers do not reach each other */
	bool open;          /* -o isolate=false: others that say so, too, are reached */
	bool routed;        /* others may reach its addresses directly, where they have a route */
	bool no_masquerade; /* its addresses are seen outside as they are */
	bool no_default_route, no_ipam;
	uint32_t mtu;          /* 0: the kernel's */
	uint32_t metric;       /* of the default route; 0: the kernel's */
	char *parent;          /* the host's interface, of a macvlan, ipvlan, vlan or host-device */
	char *mode;            /* of a macvlan or ipvlan; NULL: the first one */
	uint32_t vlan;         /* 1 to 4094; 0: none */
	char *iface_prefix;    /* of interfaces in containers; NULL: "eth" */
	char *host_binding;    /* address that ports are published on; NULL: all */
	struct json_map aux;   /* name -> address that nobody gets */
	struct json_map given; /* -o, word for word */
};

struct network {
	char *id, *name;
	int driver; /* enum network_driver */
	int64_t created_ns;
	char *bridge; /* its interface on the host; NULL: it has none */
	struct network_ip ip4, ip6;
	struct json_map labels;
	struct network_options options;
	uint64_t uses; /* containers and pods that asked for it, running or not */
};
extern const struct json_desc network_options_desc;
void network_done(struct network *net);
#define cleanup_network CLEANUP(network_done)

struct network_list {
	struct network *items;
	size_t n;
};
void network_list_done(struct network_list *list);
#define cleanup_network_list CLEANUP(network_list_done)

/* What a user asks of a new network, word for word. */
struct network_asked {
	char *name;        /* NULL: as its bridge */
	char *driver;      /* NULL: bridge */
	char *ipv4, *ipv6; /* "true", "false" */
	char **subnets, **gateways, **ranges, **aux;
	char *ipam_driver, *interface;
	bool internal, disable_dns;
	char **dns, **labels, **opts;
};
/* Checks all of it, and chooses the rest: id, bridge, subnets that overlap no other network and no
 * route of the host, gateways. ERR_EXISTS: the name. */
int network_create(struct engine *eng, const struct network_asked *asked, struct network *ret,
		   struct err *err);
/* By name, id, or unambiguous beginning of an id; the default one is made when it is asked for and
 * is not there, in a transaction of its own: ask before one of yours.
 * ERR_NOT_FOUND in docker's words. */
int network_find(struct engine *eng, const char *word, struct network *ret, struct err *err);
/* By its id alone. -ENOENT: there is none, and err is not touched. */
int network_get(struct engine *eng, const char *id, struct network *ret, struct err *err);
/* All, by name. */
int networks_list(struct engine *eng, struct network_list *ret, struct err *err);
/* Ids of containers and pods that asked for it. */
int network_users(struct engine *eng, const char *id, char ***ret, struct err *err);
/* ERR_CONFLICT: somebody uses it. Its leases go with it. The default one comes back when it is used
 * again. */
int network_remove(struct engine *eng, const struct network *net, struct err *err);
/* Changes what `network update` may: its name servers. */
int network_update(struct engine *eng, const char *word, char *const *dns_add,
		   char *const *dns_drop, struct err *err);
/* "10.89.0.0/24", heap; NULL: the network has none of this family. */
char *network_subnet_text(const struct network_ip *ip);

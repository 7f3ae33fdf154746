/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces of containers that need no bridge: by an interface of the host, their parent (macvlan,
 * ipvlan, vlan), or one of the host's itself, as long as the container runs. All go with the
 * container's namespace; the host's own has to be brought back before, or the kernel does what it
 * does with it: a real device returns to the first namespace, one made by software is removed.
 * They need the rights over the parent's namespace: root's, where that is the host's.
 */
#pragma once

#include "sys/rtnetlink_link.h"

/* "bridge", "private" ...; NULL is the first one: bridge and l2. ERR_USAGE: there is none such,
 * with those that there are. */
int net_child_mode(int kind, const char *word, uint32_t *ret, struct err *err);

struct net_child {
	int kind;           /* enum rtnl_child_kind */
	const char *parent; /* on the host */
	const char *mode;   /* NULL: the first one; none of a vlan */
	uint16_t vlan;      /* of RTNL_VLAN; of the others 0 */
	const char *name;   /* in the container */
	int netns;
	uint32_t mtu;       /* 0: the parent's */
	const uint8_t *mac; /* NULL: the kernel's choice; always of passthru and of an ipvlan */
};
/* Down, without addresses: rtnl_inside() follows. sock: rtnl_open() where the parent is.
 * ERR_NOT_FOUND: the parent; ERR_UNSUPPORTED: the kernel has none of this kind; ERR_CONFLICT: the
 * parent is used otherwise. */
int net_child_add(int sock, const struct net_child *c, struct err *err);

/* Can a container have the host's interface `device`? ERR_NOT_FOUND; ERR_CONFLICT: the host needs
 * it: its default route, a bridge, an interface by it. sock: rtnl_open() there. */
int net_device_check(int sock, const char *device, struct rtnl_link *ret, struct err *err);
/* It becomes `name` in the container, down and without addresses: rtnl_inside() follows. inside:
 * rtnl_open() in the namespace netns. ERR_EXISTS: there is one of that name in there. */
int net_device_move(int outside, int inside, int netns, const char *device, const char *name,
		    struct err *err);
/* And back to the namespace `host`, under its own name, down and without addresses: what the
 * container has given to it is not the host's. 1: there is none of that name and kind (struct
 * rtnl_link) in there any more. ERR_EXISTS: the host has another one of its name. outside:
 * rtnl_open() in `host`. */
int net_device_return(int inside, int outside, int host, const char *device, const char *name,
		      const char *kind, struct err *err);

/* The sysctls of struct netspec, "net.ipv4.conf.IFNAME.rp_filter=0", of that interface in the
 * caller's network namespace. */
int net_sysctls_set(char *const *words, const char *ifname, struct err *err);

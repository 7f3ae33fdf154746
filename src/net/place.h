/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where networks are: the network namespace with their bridges and rules, and the user namespace
 * that gives the rights over it. Root's are this process's own; a user's are held by a process of
 * theirs (net/rootless.h). All that touches links, rules and sockets there goes through
 * net_place_run(). Also for a container's own namespaces: {its user namespace or -1, its network
 * namespace}.
 */
#pragma once

#include "base/err.h"

struct net_place {
	int userns, netns; /* fds, not owned; negative: the one that this process is in */
};
#define NET_PLACE_HERE                                                                             \
	{                                                                                          \
		.userns = -EBADF, .netns = -EBADF                                                  \
	}

/* For a container's: the user namespace below this process's own whose root has the rights over
 * that network namespace, the topmost one, over which the container's root has none. The caller
 * closes it; -errno: there is none. */
int net_place_userns(int netns);

/*
 * Calls fn(data, err) there and returns what it returns; at once when both are this process's own;
 * from within, and back, when the network namespace alone is another; else by a child that shares
 * memory and files (proc_call), which joins the user namespace where that takes its rights, and
 * meanwhile nobody may trace (CVE-2016-9962): what fn writes into memory, and sockets that it opens
 * (they belong to that namespace), are the caller's. fn has all capabilities over the network
 * namespace; while it runs, so is all that the process does there (it has one thread). setns(2)
 */
int net_place_run(const struct net_place *place, int (*fn)(void *data, struct err *err), void *data,
		  struct err *err);
/* A netlink socket of that namespace, or -errno. */
int net_place_netlink(const struct net_place *place, int protocol, struct err *err);

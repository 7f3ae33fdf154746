/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The networks of one start of a container: what a record's endpoints ask for is given in the
 * transaction of the start (leases, ports), and is made true while the container's init mounts:
 * links, addresses, firewall, names. The init goes on to its program when all of it is there.
 *
 * Endpoints belong to the container, or to its pod when that shares its network: then who makes the
 * pod's network namespace gives it its interfaces, and the others find them there.
 *
 * What has been done is undone by network_end.h, also after a kill.
 */
#pragma once

#include "engine/endpoints.h"
#include "engine/leases.h"
#include "engine/record.h"
#include "net/veth.h"

/* One interface. */
struct net_link {
	struct endpoint asked;
	struct network net;
	struct lease_addrs addrs;
	uint8_t mac[6];
};

struct net_start {
	char *owner; /* whose endpoints these are; NULL: there are none */
	struct net_link *links;
	size_t n;
	char *holder; /* who has an address that was asked for */
	int sock;     /* to the container's init; -EBADF */
};
#define NET_START_INIT                                                                             \
	{                                                                                          \
		.sock = -EBADF                                                                     \
	}
void net_start_done(struct net_start *ns);

/* In the transaction of a start: reads the endpoints and takes leases. */
int net_start_take(struct engine *eng, const struct record *rec, struct net_start *ns,
		   struct err *err);
/* After that has failed, and the transaction is undone: was it for somebody who doesn't live any
 * more, and another try is worth it? */
bool net_start_again(struct engine *eng, struct net_start *ns);
/* Makes the socket over which the container's init is met (create_args.network_fd): the init's end,
 * which the caller hands over and closes. */
int net_start_meet(struct net_start *ns, struct err *err);
/* Waits for the container's network namespace and sets it up, then lets its init go on. What the
 * monitor says meanwhile at monitor_sock is left to be read: 1: it has said something, and there
 * may be no container; 0; or -errno. cancel_fd: runtime/cancel.h. */
int net_start_plug(struct engine *eng, const struct record *rec, struct net_start *ns,
		   int monitor_sock, int cancel_fd, struct err *err);

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
#include "net/ports.h"
#include "net/veth.h"

/* The hint where networks can't be had. */
#define NET_START_WITHOUT                                                                          \
	"without a network: --network none, or [network] default = none in inro.conf(5)"

/* One interface. */
struct net_link {
	struct endpoint asked;
	struct network net;
	struct lease_addrs addrs;
	uint8_t mac[6];
};

void net_link_done(struct net_link *l);

struct net_start {
	char *owner; /* whose endpoints these are; NULL: there are none */
	struct net_link *links;
	size_t n;
	char *holder; /* who has an address that was asked for */
	int sock;     /* to the container's init; -EBADF */
	struct port_bindings ports;
	int keep; /* keeps them: the monitor gets it; -EBADF */
};
#define NET_START_INIT                                                                             \
	{                                                                                          \
		.sock = -EBADF, .keep = -EBADF                                                     \
	}
void net_start_done(struct net_start *ns);

/* Before that transaction: binds the ports that rec publishes (publish.h), in the host's network
 * namespace. binding: the address of the first network for those that say none, as the network has
 * it; NULL: all. Whose network is its pod's has none of its own. */
int net_ports_bind(struct engine *eng, const struct record *rec, const char *binding,
		   struct net_start *ns, struct err *err);
/* Of a life before this one that nobody has ended, as between two runs: those ports of its owner
 * that are not among these leave the firewall; all its rows go. */
int net_ports_forget(struct engine *eng, const char *owner, const struct port_bindings *now,
		     struct err *err);
/* The binding, of the endpoints of a record that is there. The caller frees; NULL: none. */
char *net_ports_binding(struct engine *eng, const struct record *rec);
/* A step of the set-up: with the addresses known, the firewall lets in what is on its networks and
 * leads the ports to it. Undone by net_end_begin(). */
int net_ports_lead(struct engine *eng, const struct net_start *ns, struct err *err);
/* The same of a container that runs, for some of its ports, which are rows; or, remove, are about
 * to be rows no longer. */
int net_ports_change(struct engine *eng, const char *owner, const struct port_bindings *ports,
		     bool remove, struct err *err);
/* Is its monitor to make its network namespace while it waits? */
bool net_start_wants_netns(struct engine *eng, const struct record *rec);
/* In the transaction of a start: reads the endpoints and takes leases. */
int net_start_take(struct engine *eng, const struct record *rec, struct net_start *ns,
		   struct err *err);
/* The same of one that runs, with the leases that it has. */
int net_start_read(struct engine *eng, const struct record *rec, struct net_start *ns,
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

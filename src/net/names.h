/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of containers: one file for each container on each network, in the form of /etc/hosts,
 * which the network's dnsmasq reads as it changes: <runroot>/net/names/<network id>/<container id>.
 * Put there by whoever starts the container, removed by its end. And what a container asks them by:
 * sockets in its network namespace to which 127.0.0.11:53 is redirected.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "net/ipam.h"

#define NET_NAMES_ADDRESS "127.0.0.11" /* for resolv.conf */

/* Writes the names of a container on a network, for each of the addresses; the first name is what
 * an address resolves to. Names that are no host names (RFC 1123, underscores allowed) are left
 * out, as are repeated ones. run_dir: <runroot>/net, which exists. Whole or not at all. */
struct net_names {
	const char *network, *container; /* ids */
	const struct net_addr *addresses;
	size_t n_addresses;
	const char *const *names;
	size_t n_names;
};
/* Pure: a host name, and what the file holds. */
bool net_names_valid(const char *name);
void net_names_format(const struct net_names *n, struct buf *out);
int net_names_write(int run_dir, const struct net_names *n, struct err *err);
/* What is not there is no error. */
int net_names_remove(int run_dir, const char *network, const char *container, struct err *err);
/* All of a network that is removed. */
int net_names_forget(int run_dir, const char *network, struct err *err);

/* The dnsmasq that answers, by the directories of the system; NULL: there is none. */
const char *net_names_program(void);

/* In the network namespace of the caller, where lo may still be down: sockets of UDP and TCP (which
 * listens) for struct net_member, and the table by which what is sent to 127.0.0.11:53 arrives
 * there. Done once more in the same namespace (a service that has died): the table stays, the
 * sockets are new. */
int net_names_sockets(int *ret_udp, int *ret_tcp, struct err *err);

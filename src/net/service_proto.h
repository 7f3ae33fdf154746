/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams between a starter and inro-net, on <runroot>/net/service, a Unix socket of SEQPACKET.
 * The same build speaks on both sides but after an update: then the old one is asked to end.
 */
#pragma once

#include "base/err.h"
#include "net/ipam.h"

#define SERVICE_VERSION  2
#define SERVICE_SOCKET   "service"
#define SERVICE_LOCK     "service.lock"
#define SERVICE_ID       32 /* bytes */
#define SERVICE_NETWORKS 32
#define SERVICE_SERVERS  8
#define SERVICE_RELAYS   4096

/* What inro-net finds open at its start, from here on. */
enum service_fd {
	SERVICE_FD_LISTEN = 3,
	SERVICE_FD_LOCK,   /* whoever holds it starts the service, or ends it */
	SERVICE_FD_DIR,    /* <runroot>/net */
	SERVICE_FD_USERNS, /* with the word "place": the two of a user's networks */
	SERVICE_FD_NETNS
};
#define SERVICE_PLACE "place"
#define SERVICE_HERE  "here" /* or this; behind it: what repairs its death */

enum service_type { SERVICE_PUT = 1, SERVICE_REMOVE, SERVICE_TYPES };

struct service_head {
	uint32_t type; /* enum service_type */
	uint32_t version;
	uint8_t id[SERVICE_ID];
};
struct service_relay {
	struct net_addr from, to;
	uint16_t from_port, to_port;
	uint8_t proto, transparent;
};
/* With the fds: pidfd, and with dns also udp, tcp. Behind it n_relays of service_relay. Without dns
 * it changes a member that is known, else the result is -ESRCH. */
struct service_put {
	struct service_head head;
	uint8_t process[SERVICE_ID]; /* whose the pidfd is: a member of several ends with the last
					one */
	uint8_t dns, internal, n_networks, n_servers;
	uint32_t n_relays;
	uint8_t networks[SERVICE_NETWORKS][SERVICE_ID];
	struct net_addr servers[SERVICE_SERVERS];
	struct net_addr
	    addresses[2]; /* of IPv4 and of IPv6, or family 0: a relay tries the other */
};
#define SERVICE_REQUEST_MAX                                                                        \
	(sizeof(struct service_put) + SERVICE_RELAYS * sizeof(struct service_relay))

/* To each request; and one, with a pidfd of the service, to each connection. */
struct service_reply {
	uint32_t version;
	int32_t result; /* 0 or -errno */
	struct err err;
};

/* Pure, fuzzed: 0 when a datagram is a request that holds together, else -EBADMSG. It is aligned as
 * struct service_put. */
int service_request_check(const void *data, size_t len, size_t n_fds);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's table of connections, over nfnetlink. A flow of UDP is a connection to it for
 * minutes after its last packet, and keeps the destination that it was given: without this, packets
 * to a port that has come to another container go on to the one before.
 */
#pragma once

#include "sys/netlink.h"

/* Flows that were sent to that port, before any translation, and that this one answers: addresses
 * of 4 or 16 bytes, as family says. */
struct conntrack_port {
	uint8_t family;    /* AF_INET, AF_INET6 */
	uint8_t proto;     /* IPPROTO_* */
	uint16_t port;     /* 0: any */
	const uint8_t *to; /* NULL: to any address */
	const uint8_t *by; /* NULL: by any */
};
struct conntrack_ports {
	const struct conntrack_port *items;
	size_t n;
};

/* Forgets those of any of them; none is no error. sock: of nft_open(). Costs nothing where the
 * namespace has no flows. Addresses of IPv6, and kernels before 6.8, take a listing of all flows,
 * one for the whole list: a walk through the machine's whole table (12 ms with 262,144 buckets),
 * and the longer the more flows there are. */
int conntrack_delete_ports(int sock, const struct conntrack_ports *ports, struct err *err);

/* Pure parts, for tests and fuzzing: one datagram. 0: more to come, 1: that was the last, or
 * -errno. */
/* Of a listing: a request to forget each flow that is meant is put to *ret. */
int conntrack_parse(const void *data, size_t len, const struct conntrack_ports *ports,
		    struct nlbuf *ret);
/* Of what answers the question how many there are: *ret is as it was where that isn't said. */
int conntrack_parse_count(const void *data, size_t len, uint32_t *ret);

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

/* Forgets them; none is no error. sock: of nft_open(). Kernels before 6.8 take no filter for that:
 * there all flows of the family are listed, which takes the longer the more there are. */
int conntrack_delete_port(int sock, const struct conntrack_port *p, struct err *err);

/* Pure part, for tests and fuzzing: one datagram of a listing; a request to forget each flow that p
 * means is put to *ret. 0: more to come, 1: that was the last, or -errno. */
int conntrack_parse(const void *data, size_t len, const struct conntrack_port *p,
		    struct nlbuf *ret);

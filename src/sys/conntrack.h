/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's table of connections, over nfnetlink. A flow of UDP is a connection to it for
 * minutes after its last packet, and keeps the destination that it was given: without this, packets
 * to a port that has come to another container go on to the one before.
 */
#pragma once

#include "base/err.h"

/* Forgets the flows that were sent to that port of protocol proto (IPPROTO_*), before any
 * translation; to: to that address alone, 4 or 16 bytes as family says; NULL: to any of family
 * (AF_INET, AF_INET6). sock: of nft_open(). None of them is no error. Kernel >= 5.8: one before
 * answers -EINVAL. */
int conntrack_delete_port(int sock, uint8_t family, const uint8_t *to, uint8_t proto, uint16_t port,
			  struct err *err);

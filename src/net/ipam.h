/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses and subnets as numbers: which addresses a network has, which subnet a new network gets.
 * Pure; who has which address is the database's business. An address of a subnet is counted by its
 * host number: 10.89.0.7 is host 7 of 10.89.0.0/24. Of an IPv6 subnet only the first 2^48 hosts are
 * counted, which no network uses up.
 */
#pragma once

#include "base/err.h"

#define NET_ADDR_TEXT 46 /* with the NUL: INET6_ADDRSTRLEN */

struct net_addr {
	uint8_t family; /* AF_INET, AF_INET6; 0: none */
	uint8_t bytes[16];
};
struct subnet {
	struct net_addr base; /* host bits are 0 */
	uint8_t prefix;
};

/* Strict: no leading zeros, no scope. An IPv4 address in IPv6 (::ffff:1.2.3.4) is refused. */
int net_addr_parse(const char *text, struct net_addr *ret, struct err *err);
char *net_addr_format(const struct net_addr *a, char ret[NET_ADDR_TEXT]);
/* Heap; NULL: there is none. */
char *net_addr_text(const struct net_addr *a);
bool net_addr_equal(const struct net_addr *a, const struct net_addr *b);

/* "10.89.0.0/24". Host bits that are set are an error, which says what may have been meant. */
int subnet_parse(const char *text, struct subnet *ret, struct err *err);
/* The address without what is behind the prefix. */
struct net_addr net_addr_base(const struct net_addr *a, uint8_t prefix);
bool subnet_overlaps(const struct subnet *a, const struct subnet *b);
/* Host numbers that containers and gateways may have: not the subnet's own address, nor IPv4's
 * broadcast; a /31 and a /32 have all (RFC 3021). */
void subnet_hosts(const struct subnet *s, uint64_t *ret_first, uint64_t *ret_last);
/* The address of a host. -ERANGE: it has none such. */
int subnet_address(const struct subnet *s, uint64_t host, struct net_addr *ret);
/* And back. -ERANGE: it is not in there, or not counted. */
int subnet_host(const struct subnet *s, const struct net_addr *a, uint64_t *ret);
/* The first subnet with that prefix in one of the pools, which are tried in order, that overlaps
 * none of those taken. -ENOSPC. */
int subnet_choose(const struct subnet *pools, size_t n_pools, uint8_t prefix,
		  const struct subnet *taken, size_t n_taken, struct subnet *ret);

/* The MAC address of who has this address: the same for the same address, so that a neighbour's
 * table is never wrong, and locally administered (02:42 and IPv4's four bytes, as docker's were).
 */
void net_addr_mac(const struct net_addr *a, uint8_t ret[6]);

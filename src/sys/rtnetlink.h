/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces and their addresses over rtnetlink(7): what moving an interface to another network
 * namespace takes. A socket belongs to the namespace that it was made in for ever, so the one of a
 * container can be used from outside. rtnetlink_link.h makes interfaces.
 */
#pragma once

#include "sys/netlink.h"

#define RTNL_NAME_MAX 16 /* IFNAMSIZ, with the NUL */

struct rtnl_addr {
	uint8_t family, prefix_len, scope;
	uint8_t len; /* of each address: 4 or 16 */
	bool have_local, have_address, have_broadcast;
	uint8_t local[16], address[16], broadcast[16]; /* address: the peer's, or the same */
	uint32_t flags;                                /* IFA_F_* */
	uint32_t metric;                               /* 0: none */
};
struct rtnl_addrs {
	struct rtnl_addr *items;
	size_t n;
};
void rtnl_addrs_done(struct rtnl_addrs *addrs);

int rtnl_open(struct err *err); /* in the network namespace of the caller */
/* The index, or -ENODEV without an error record when there is none. */
int rtnl_link_index(int sock, const char *name, struct err *err);
/* Moves it and gives it a name there, in one step. The kernel takes it down and forgets its
 * addresses. */
int rtnl_link_move(int sock, int index, int netns, const char *name, struct err *err);
int rtnl_link_up(int sock, int index, struct err *err);
/* Moves it together with its permanent addresses of global scope, and brings it up there. inside: a
 * socket of that namespace. */
int rtnl_link_carry(int outside, int inside, int index, int netns, const char *name,
		    struct err *err);
/* All addresses of an interface, of any family. */
int rtnl_addrs_read(int sock, int index, struct rtnl_addrs *ret, struct err *err);
/* One that isn't there is no error. */
int rtnl_addr_delete(int sock, int index, const struct rtnl_addr *addr, struct err *err);
int rtnl_addr_add(int sock, int index, const struct rtnl_addr *addr, struct err *err);

/* Pure part, for tests and fuzzing: one datagram of the answer to a dump of addresses, appended to
 * *addrs. 0: more to come, 1: that was the last, or -errno. */
int rtnl_addrs_parse(const void *data, size_t len, int index, struct rtnl_addrs *addrs);

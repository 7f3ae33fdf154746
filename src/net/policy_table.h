/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's policy as a table of its own network namespace: it sees what passes within one
 * bridge, too, whatever br_netfilter does, and goes with the namespace. Who has CAP_NET_ADMIN in
 * there can change it.
 */
#pragma once

#include "base/buf.h"
#include "net/policy.h"

#define NET_POLICY_TABLE   "inro_policy"
#define NET_POLICY_SUBNETS 16 /* of one network */

struct net_policy_table {
	const struct net_policy *policy;
	/* Name servers that are always reached; the one on loopback is, without. */
	const struct net_addr *servers;
	size_t n_servers;
	/* The subnets of a network that a rule names: how many, up to NET_POLICY_SUBNETS, or
	 * -errno. */
	int (*subnets)(void *data, const char *network, struct subnet *ret, struct err *err);
	void *data;
};

/* Pure, but for subnets(): the whole text, nothing for a policy that asks for nothing. */
int net_policy_text(const struct net_policy_table *t, struct buf *ret, struct err *err);

/* In the container's namespaces of users and of the network (net_place_run()), in one transaction
 * in place of what is there. What was allowed before and is connected stays connected.
 * ERR_UNSUPPORTED: there is no nft. */
int net_policy_load(const struct buf *text, struct err *err);

struct net_policy_count {
	uint64_t packets, bytes;
};
struct net_policy_counts {
	bool loaded;                    /* false: there is no table */
	struct net_policy_count *rules; /* in the policy's order */
	size_t n;
	struct net_policy_count in_dropped, out_dropped;
};
void net_policy_counts_done(struct net_policy_counts *c);
#define cleanup_net_policy_counts CLEANUP(net_policy_counts_done)
/* What has passed by each of its n rules since it was loaded. sock: nft_open() in the container's
 * namespace. */
int net_policy_counts_read(int sock, size_t n, struct net_policy_counts *ret, struct err *err);

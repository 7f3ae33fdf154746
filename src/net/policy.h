/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container may be reached by and may reach: the words of --firewall and --egress. Rules
 * only allow: what the first rule of a direction leaves out is refused. Answers to what was allowed
 * pass, and loopback, ICMPv6's neighbours and the name server; that is the writer's of the table to
 * add. Pure.
 */
#pragma once

#include "net/portspec.h"

#define NET_RULE_PORTS 16

struct net_rule {
	bool out;
	uint8_t proto; /* IPPROTO_TCP, _UDP, _SCTP; IPPROTO_ICMP: IPv6's too; 0: all */
	struct port_range ports[NET_RULE_PORTS];
	unsigned int n_ports; /* 0: all */
	/* The other side: a subnet, a network by its name, or, with neither, anybody. */
	struct subnet peer; /* base.family 0: none */
	char *network;
};

struct net_policy {
	bool in, out; /* in this direction only what a rule allows passes */
	struct net_rule *rules;
	size_t n;
};

/* in|out tcp|udp|sctp|icmp|all [PORT[-LAST],...] [from|to ADDRESS|SUBNET|NETWORK|any] of
 * --firewall. Adds to *p, which a failure leaves as it was. ERR_USAGE. */
int net_policy_firewall(struct net_policy *p, const char *word, struct err *err);
/* deny, or allow PEER[:PORT[-LAST],...[/PROTOCOL]]... of --egress, which denies all others: PEER as
 * above, IPv6 with a port in brackets; a port is TCP's unless it says. Else as above. */
int net_policy_egress(struct net_policy *p, const char *word, struct err *err);
void net_policy_done(struct net_policy *p);

/* SPDX-License-Identifier: Apache-2.0 */
#include "net/policy_table.h"

#include <netinet/in.h>

#include "base/str.h"
#include "net/nft_load.h"
#include "sys/nft_rules.h"

#define DROPPED "dropped"

/* What differs between what comes in and what goes out. */
struct direction {
	bool out;
	const char *chain, *iface, *addr, *icmp6, *rest;
};
static const struct direction directions[] = {
	{ false, "input", "iifname", "saddr",
	  "nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query", "drop" },
	/* one's own programs are told at once */
	{ true, "output", "oifname", "daddr",
	  "nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, "
	  "mld2-listener-report",
	  "reject with icmpx admin-prohibited" },
};

static const char *family_name(uint8_t family)
{
	return family == AF_INET ? "ip" : "ip6";
}

static void put_ports(const struct net_rule *rule, struct buf *out)
{
	buf_addf(out, "%s dport {", port_proto_name(rule->proto));
	for (unsigned int i = 0; i < rule->n_ports; i++) {
		const struct port_range *p = &rule->ports[i];

		buf_addf(out, "%s %u", i ? "," : "", p->first);
		if (p->last != p->first)
			buf_addf(out, "-%u", p->last);
	}
	buf_adds(out, " } ");
}

/* number: of the rule, by which its counter is found. */
static void put_rule(const struct direction *d, const struct net_rule *rule, size_t number,
		     const struct subnet *peer, struct buf *out)
{
	char text[NET_ADDR_TEXT];

	buf_adds(out, "\t\t");
	if (peer)
		buf_addf(out, "%s %s %s/%u ", family_name(peer->base.family), d->addr,
			 net_addr_format(&peer->base, text), peer->prefix);
	if (rule->n_ports)
		put_ports(rule, out);
	else if (rule->proto == IPPROTO_ICMP)
		buf_adds(out, "meta l4proto { icmp, ipv6-icmp } ");
	else if (rule->proto)
		buf_addf(out, "meta l4proto %s ", port_proto_name(rule->proto));
	buf_addf(out, "counter accept comment \"%zu\"\n", number);
}

static int put_rule_of_network(const struct net_policy_table *t, const struct direction *d,
			       const struct net_rule *rule, size_t number, struct buf *out,
			       struct err *err)
{
	struct subnet subnets[NET_POLICY_SUBNETS];
	int n = t->subnets(t->data, rule->network, subnets, err);

	for (int i = 0; i < n; i++)
		put_rule(d, rule, number, &subnets[i], out);
	return n < 0 ? n : 0;
}

static void put_always(const struct net_policy_table *t, const struct direction *d, struct buf *out)
{
	char text[NET_ADDR_TEXT];

	buf_addf(out, "\t\tct state { established, related } accept\n\t\t%s \"lo\" accept\n",
		 d->iface);
	buf_addf(out, "\t\ticmpv6 type { %s } accept\n", d->icmp6);
	for (size_t i = 0; d->out && i < t->n_servers; i++)
		buf_addf(out, "\t\t%s daddr %s meta l4proto { tcp, udp } th dport 53 accept\n",
			 family_name(t->servers[i].family), net_addr_format(&t->servers[i], text));
}

static int put_chain(const struct net_policy_table *t, const struct direction *d, struct buf *out,
		     struct err *err)
{
	const struct net_policy *p = t->policy;
	int r = 0;

	buf_addf(out, "\tchain %s {\n\t\ttype filter hook %s priority filter; policy drop;\n",
		 d->chain, d->chain);
	put_always(t, d, out);
	for (size_t i = 0; r == 0 && i < p->n; i++) {
		const struct net_rule *rule = &p->rules[i];

		if (rule->out != d->out)
			continue;
		if (rule->network)
			r = put_rule_of_network(t, d, rule, i, out, err);
		else
			put_rule(d, rule, i, rule->peer.base.family ? &rule->peer : NULL, out);
	}
	/* an ICMP error that comes while connect(2) still has the socket is looked at a second
	 * later
	 */
	if (d->out)
		buf_adds(out,
			 "\t\tmeta l4proto tcp counter reject with tcp reset comment \"" DROPPED
			 "\"\n");
	buf_addf(out, "\t\tcounter %s comment \"" DROPPED "\"\n\t}\n", d->rest);
	return r;
}

int net_policy_text(const struct net_policy_table *t, struct buf *ret, struct err *err)
{
	const struct net_policy *p = t->policy;
	int r = 0;

	if (!p->in && !p->out)
		return 0;
	buf_adds(ret, "table inet " NET_POLICY_TABLE " {\n");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(directions); i++)
		if (directions[i].out ? p->out : p->in)
			r = put_chain(t, &directions[i], ret, err);
	buf_adds(ret, "}\n");
	return r;
}

int net_policy_load(const struct buf *text, struct err *err)
{
	int r = nft_replace(NET_POLICY_TABLE, text, err);

	return r < 0 ? err_wrap(err, r, "loading the container's firewall") : 0;
}

void net_policy_counts_done(struct net_policy_counts *c)
{
	free(c->rules);
	*c = (struct net_policy_counts){ 0 };
}

static void add_count(struct net_policy_count *to, const struct nft_rule *rule)
{
	to->packets += rule->packets;
	to->bytes += rule->bytes;
}

int net_policy_counts_read(int sock, size_t n, struct net_policy_counts *ret, struct err *err)
{
	cleanup_nft_rules struct nft_rules rules = { 0 };
	int r = nft_rules_read(sock, NET_POLICY_TABLE, &rules, err);

	*ret = (struct net_policy_counts){ 0 };
	if (r < 0)
		return r;
	ret->loaded = rules.n > 0;
	ret->rules = xcalloc(n ? n : 1, sizeof(*ret->rules));
	ret->n = n;
	for (size_t i = 0; i < rules.n; i++) {
		const struct nft_rule *rule = &rules.items[i];
		uint32_t number;

		if (str_eq(rule->comment, DROPPED))
			add_count(str_eq(rule->chain, "input") ? &ret->in_dropped
							       : &ret->out_dropped,
				  rule);
		else if (str_parse_u32(rule->comment, &number) == 0 && number < n)
			add_count(&ret->rules[number], rule);
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The tables that are written as messages: they are made in each container's namespace, where a
 * program that reads rules as text takes 4 ms. */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <net/if.h>
#include <netinet/in.h>

#include "sys/nft.h"

/* Between them is all that somebody else may load there, connection tracking too: it sees the port
 * that was asked. */
#define FIRST NF_IP_PRI_RAW_BEFORE_DEFRAG
#define LAST  NF_IP_PRI_CONNTRACK_HELPER

/* Where the fields are in the headers of IPv4 and IPv6, and of UDP and TCP. */
#define SADDR_AT    12
#define DADDR_AT    16
#define DADDR6_AT   24
#define SPORT_AT    0
#define DPORT_AT    2
#define UDP_CSUM_AT 6
#define TCP_CSUM_AT 16

static void begin(struct nlbuf *q, uint8_t family, unsigned int type, uint16_t flags,
		  const char *what)
{
	const struct nfgenmsg head = { .nfgen_family = family };

	nlbuf_begin(q, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
		    (uint16_t)(NLM_F_ACK | NLM_F_CREATE | flags), &head, sizeof(head));
	nlbuf_what(q, what);
}

struct expr {
	size_t elem, data;
};

static struct expr expr_begin(struct nlbuf *q, const char *name)
{
	struct expr e = { .elem = nlbuf_nest(q, NFTA_LIST_ELEM) };

	nlbuf_attr_str(q, NFTA_EXPR_NAME, name);
	e.data = nlbuf_nest(q, NFTA_EXPR_DATA);
	return e;
}

static void expr_end(struct nlbuf *q, struct expr e)
{
	nlbuf_unnest(q, e.data);
	nlbuf_unnest(q, e.elem);
}

static void put_value(struct nlbuf *q, uint16_t type, const void *value, size_t len)
{
	size_t at = nlbuf_nest(q, type);

	nlbuf_attr(q, NFTA_DATA_VALUE, value, len);
	nlbuf_unnest(q, at);
}

static void put_payload(struct nlbuf *q, uint32_t base, uint32_t offset, uint32_t len)
{
	struct expr e = expr_begin(q, "payload");

	nlbuf_attr_be32(q, NFTA_PAYLOAD_DREG, NFT_REG_1);
	nlbuf_attr_be32(q, NFTA_PAYLOAD_BASE, base);
	nlbuf_attr_be32(q, NFTA_PAYLOAD_OFFSET, offset);
	nlbuf_attr_be32(q, NFTA_PAYLOAD_LEN, len);
	expr_end(q, e);
}

static void put_meta(struct nlbuf *q, uint32_t key)
{
	struct expr e = expr_begin(q, "meta");

	nlbuf_attr_be32(q, NFTA_META_DREG, NFT_REG_1);
	nlbuf_attr_be32(q, NFTA_META_KEY, key);
	expr_end(q, e);
}

static void put_equal(struct nlbuf *q, const void *value, size_t len)
{
	struct expr e = expr_begin(q, "cmp");

	nlbuf_attr_be32(q, NFTA_CMP_SREG, NFT_REG_1);
	nlbuf_attr_be32(q, NFTA_CMP_OP, NFT_CMP_EQ);
	put_value(q, NFTA_CMP_DATA, value, len);
	expr_end(q, e);
}

/* csum_at 0: the packet has no checksum. */
static void put_port(struct nlbuf *q, uint32_t at, uint16_t port, uint32_t csum_at)
{
	struct expr e = expr_begin(q, "immediate");

	nlbuf_attr_be32(q, NFTA_IMMEDIATE_DREG, NFT_REG_1);
	put_value(q, NFTA_IMMEDIATE_DATA, &port, sizeof(port));
	expr_end(q, e);
	e = expr_begin(q, "payload");
	nlbuf_attr_be32(q, NFTA_PAYLOAD_SREG, NFT_REG_1);
	nlbuf_attr_be32(q, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
	nlbuf_attr_be32(q, NFTA_PAYLOAD_OFFSET, at);
	nlbuf_attr_be32(q, NFTA_PAYLOAD_LEN, sizeof(port));
	nlbuf_attr_be32(q, NFTA_PAYLOAD_CSUM_TYPE,
			csum_at ? NFT_PAYLOAD_CSUM_INET : NFT_PAYLOAD_CSUM_NONE);
	nlbuf_attr_be32(q, NFTA_PAYLOAD_CSUM_OFFSET, csum_at);
	expr_end(q, e);
}

struct chain {
	uint8_t family;
	const char *table, *name;
	uint32_t hook; /* NF_INET_* */
	int priority;
};

static void put_chain(struct nlbuf *q, const struct chain *c, uint16_t flags)
{
	size_t hook;

	begin(q, c->family, NFT_MSG_NEWTABLE, 0, "making it");
	nlbuf_attr_str(q, NFTA_TABLE_NAME, c->table);
	begin(q, c->family, NFT_MSG_NEWCHAIN, flags, "making its chain");
	nlbuf_attr_str(q, NFTA_CHAIN_TABLE, c->table);
	nlbuf_attr_str(q, NFTA_CHAIN_NAME, c->name);
	nlbuf_attr_str(q, NFTA_CHAIN_TYPE, "filter");
	hook = nlbuf_nest(q, NFTA_CHAIN_HOOK);
	nlbuf_attr_be32(q, NFTA_HOOK_HOOKNUM, c->hook);
	nlbuf_attr_be32(q, NFTA_HOOK_PRIORITY, (uint32_t)c->priority);
	nlbuf_unnest(q, hook);
}

static size_t rule_begin(struct nlbuf *q, const struct chain *c)
{
	begin(q, c->family, NFT_MSG_NEWRULE, NLM_F_APPEND, "adding a rule");
	nlbuf_attr_str(q, NFTA_RULE_TABLE, c->table);
	nlbuf_attr_str(q, NFTA_RULE_CHAIN, c->name);
	return nlbuf_nest(q, NFTA_RULE_EXPRESSIONS);
}

/* Of a packet whose address at addr_at is addr, the port at port_at. */
struct change {
	uint32_t addr_at, port_at;
	const uint8_t *addr;
	uint16_t from, to; /* in network byte order */
};

/* ip daddr ADDR meta l4proto PROTO th dport FROM th dport set TO; or saddr and sport. csum_at 0:
 * and udp checksum 0, which has to stay that. */
static void put_change(struct nlbuf *q, const struct chain *c, const struct change *r,
		       uint8_t proto, uint32_t csum_at)
{
	static const uint16_t none = 0;
	size_t list = rule_begin(q, c);

	put_payload(q, NFT_PAYLOAD_NETWORK_HEADER, r->addr_at, 4);
	put_equal(q, r->addr, 4);
	put_meta(q, NFT_META_L4PROTO);
	put_equal(q, &proto, sizeof(proto));
	put_payload(q, NFT_PAYLOAD_TRANSPORT_HEADER, r->port_at, sizeof(r->from));
	put_equal(q, &r->from, sizeof(r->from));
	if (!csum_at) {
		put_payload(q, NFT_PAYLOAD_TRANSPORT_HEADER, UDP_CSUM_AT, sizeof(none));
		put_equal(q, &none, sizeof(none));
	}
	put_port(q, r->port_at, r->to, csum_at);
	nlbuf_unnest(q, list);
}

int nft_redirect_add(int sock, const char *table, const uint8_t addr[4], uint16_t from, uint16_t to,
		     struct err *err)
{
	const struct chain chains[] = { { NFPROTO_IPV4, table, "in", NF_INET_LOCAL_IN, LAST },
					{ NFPROTO_IPV4, table, "out", NF_INET_LOCAL_OUT, FIRST } };
	const struct change changes[] = { { DADDR_AT, DPORT_AT, addr, htons(from), htons(to) },
					  { SADDR_AT, SPORT_AT, addr, htons(to), htons(from) } };
	cleanup_nft_batch struct nft_batch b;

	nft_batch_begin(&b, table);
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++) {
		put_chain(&b.q, &chains[i], NLM_F_EXCL);
		put_change(&b.q, &chains[i], &changes[i], IPPROTO_UDP, 0);
		put_change(&b.q, &chains[i], &changes[i], IPPROTO_UDP, UDP_CSUM_AT);
		put_change(&b.q, &chains[i], &changes[i], IPPROTO_TCP, TCP_CSUM_AT);
	}
	return nft_batch_send(&b, sock, err);
}

static void put_drop(struct nlbuf *q)
{
	struct expr e = expr_begin(q, "immediate");
	size_t data, verdict;

	nlbuf_attr_be32(q, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = nlbuf_nest(q, NFTA_IMMEDIATE_DATA);
	verdict = nlbuf_nest(q, NFTA_DATA_VERDICT);
	nlbuf_attr_be32(q, NFTA_VERDICT_CODE, NF_DROP);
	nlbuf_unnest(q, verdict);
	nlbuf_unnest(q, data);
	expr_end(q, e);
}

int nft_drop_to(int sock, const char *table, const char *ifname, const uint8_t addr[16],
		struct err *err)
{
	const struct chain out = { NFPROTO_IPV6, table, ifname, NF_INET_LOCAL_OUT,
				   NF_IP6_PRI_FILTER };
	char name[IFNAMSIZ] = "";
	cleanup_nft_batch struct nft_batch b;
	size_t list;

	snprintf(name, sizeof(name), "%s", ifname);
	nft_batch_begin(&b, table);
	put_chain(&b.q, &out, NLM_F_EXCL);
	list = rule_begin(&b.q, &out);
	put_payload(&b.q, NFT_PAYLOAD_NETWORK_HEADER, DADDR6_AT, 16);
	put_equal(&b.q, addr, 16);
	put_meta(&b.q, NFT_META_OIFNAME);
	put_equal(&b.q, name, sizeof(name));
	put_drop(&b.q);
	nlbuf_unnest(&b.q, list);
	return nft_batch_send(&b, sock, err);
}

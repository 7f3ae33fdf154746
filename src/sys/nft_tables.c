/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "sys/nft.h"

#define CHAINS_MAX (1 << 16)

static uint16_t message(unsigned int type)
{
	return (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
}

int nft_table_exists(int sock, const char *table, struct err *err)
{
	const struct nfgenmsg head = { .nfgen_family = NFPROTO_INET };
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;
	struct err why = ERR_INIT;
	int r;

	nlbuf_begin(&q, message(NFT_MSG_GETTABLE), NLM_F_ACK, &head, sizeof(head));
	nlbuf_what(&q, "looking for a table of nftables");
	nlbuf_attr_str(&q, NFTA_TABLE_NAME, table);
	r = netlink_batch(sock, &q, &why);
	if (r == -ENOENT)
		return 0;
	if (r < 0 && err)
		*err = why;
	return r < 0 ? r : 1;
}

int nft_table_delete(int sock, const char *table, struct err *err)
{
	const struct nfgenmsg head = { .nfgen_family = NFPROTO_INET };
	cleanup_nft_batch struct nft_batch b;
	int r;

	nft_batch_begin(&b, table);
	nlbuf_begin(&b.q, message(NFT_MSG_DELTABLE), NLM_F_ACK, &head, sizeof(head));
	nlbuf_what(&b.q, "removing it");
	nlbuf_attr_str(&b.q, NFTA_TABLE_NAME, table);
	r = nft_batch_send(&b, sock, err);
	return r == -ENOENT ? 0 : r;
}

/* ---- chains ---- */

void nft_chains_done(struct nft_chains *c)
{
	free(c->items);
	*c = (struct nft_chains){ 0 };
}

static void chains_reset(void *to)
{
	nft_chains_done(to);
}

static void take_name(char ret[NFT_NAME_MAX], const struct nlattr_view *a)
{
	size_t len = strnlen(a->data, a->len);

	len = len < NFT_NAME_MAX ? len : NFT_NAME_MAX - 1;
	memcpy(ret, a->data, len);
	ret[len] = '\0';
}

static uint32_t number(const struct nlattr_view *a)
{
	uint32_t value = 0;

	if (a->len == sizeof(value))
		memcpy(&value, a->data, sizeof(value));
	return ntohl(value);
}

static int parse_hook(const struct nlattr_view *in, struct nft_chain *c)
{
	const char *p = in->data;
	size_t len = in->len;
	struct nlattr_view a;
	int r;

	while ((r = nlattr_next(&p, &len, &a)) > 0)
		if (a.type == NFTA_HOOK_HOOKNUM)
			c->hook = number(&a);
	c->hooked = true;
	return r;
}

static int parse_chain(const char *p, size_t len, void *to)
{
	struct nft_chains *ret = to;
	struct nft_chain c = { .family = 0 };
	struct nlattr_view a;
	int r;

	if (len < sizeof(struct nfgenmsg))
		return -EPROTO;
	c.family = (uint8_t)*p;
	p += sizeof(struct nfgenmsg);
	len -= sizeof(struct nfgenmsg);
	while ((r = nlattr_next(&p, &len, &a)) > 0) {
		if (a.type == NFTA_CHAIN_TABLE)
			take_name(c.table, &a);
		else if (a.type == NFTA_CHAIN_NAME)
			take_name(c.name, &a);
		else if (a.type == NFTA_CHAIN_POLICY)
			c.drops = number(&a) == NF_DROP;
		else if (a.type == NFTA_CHAIN_HOOK && (r = parse_hook(&a, &c)) < 0)
			return r;
	}
	if (r < 0)
		return r;
	if (ret->n == CHAINS_MAX)
		return -E2BIG;
	if ((ret->n & (ret->n - 1)) == 0) /* room is doubled */
		ret->items = xrealloc(ret->items, (ret->n ? ret->n * 2 : 1) * sizeof(*ret->items));
	ret->items[ret->n++] = c;
	return 0;
}

static struct netlink_answers chains_listing(struct nft_chains *to)
{
	return (struct netlink_answers){ .type = message(NFT_MSG_NEWCHAIN),
					 .each = parse_chain,
					 .to = to };
}

int nft_chains_parse(const void *data, size_t len, struct nft_chains *ret)
{
	struct netlink_answers a = chains_listing(ret);

	return netlink_answers_parse(NULL, data, len, &a);
}

int nft_chains_read(int sock, struct nft_chains *ret, struct err *err)
{
	const struct nfgenmsg head = { .nfgen_family = NFPROTO_UNSPEC };
	struct netlink_answers a = chains_listing(ret);
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;
	int r;

	*ret = (struct nft_chains){ 0 };
	nlbuf_begin(&q, message(NFT_MSG_GETCHAIN), NLM_F_DUMP, &head, sizeof(head));
	r = netlink_list(sock, &q, &a, chains_reset);
	return r < 0 ? err_errno(err, -r, "reading the chains of nftables") : 0;
}

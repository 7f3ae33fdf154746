/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/nft_rules.h"

#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "base/str.h"

#define RULES_MAX 65536
/* In a rule's user data, which is nft's own: a byte of type, one of length, the value. */
#define UDATA_COMMENT 0

static uint16_t message(unsigned int type)
{
	return (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
}

void nft_rules_done(struct nft_rules *r)
{
	free(r->items);
	*r = (struct nft_rules){ 0 };
}

/* What is too long stays "". */
static void take_text(const struct nlattr_view *a, char *ret, size_t size)
{
	size_t len = strnlen(a->data, a->len);

	if (len >= size)
		return;
	memcpy(ret, a->data, len);
	ret[len] = '\0';
}

static bool is_text(const struct nlattr_view *a, const char *text)
{
	size_t len = strlen(text);

	return strnlen(a->data, a->len) == len && memcmp(a->data, text, len) == 0;
}

static int take_comment(const struct nlattr_view *in, struct nft_rule *rule)
{
	const uint8_t *p = in->data;

	for (size_t at = 0; at < in->len; at += 2U + p[at + 1]) {
		if (in->len - at < 2 || in->len - at - 2 < p[at + 1])
			return -EPROTO;
		if (p[at] == UDATA_COMMENT) {
			const struct nlattr_view text = { .data = p + at + 2, .len = p[at + 1] };

			take_text(&text, rule->comment, sizeof(rule->comment));
		}
	}
	return 0;
}

static uint64_t number(const struct nlattr_view *a)
{
	uint64_t n = 0;

	memcpy(&n, a->data, a->len < sizeof(n) ? a->len : sizeof(n));
	return be64toh(n);
}

static int take_counter(const struct nlattr_view *in, struct nft_rule *rule)
{
	const char *p = in->data;
	size_t len = in->len;
	struct nlattr_view a;
	int r;

	rule->counted = true;
	while ((r = nlattr_next(&p, &len, &a)) > 0) {
		if (a.type == NFTA_COUNTER_BYTES)
			rule->bytes = number(&a);
		else if (a.type == NFTA_COUNTER_PACKETS)
			rule->packets = number(&a);
	}
	return r;
}

/* An expression: its name stands before its data. */
static int take_expression(const struct nlattr_view *in, struct nft_rule *rule)
{
	const char *p = in->data;
	size_t len = in->len;
	bool counter = false;
	struct nlattr_view a;
	int r;

	while ((r = nlattr_next(&p, &len, &a)) > 0) {
		if (a.type == NFTA_EXPR_NAME)
			counter = is_text(&a, "counter");
		else if (a.type == NFTA_EXPR_DATA && counter)
			r = take_counter(&a, rule);
		if (r < 0)
			return r;
	}
	return r;
}

static int take_expressions(const struct nlattr_view *in, struct nft_rule *rule)
{
	const char *p = in->data;
	size_t len = in->len;
	struct nlattr_view a;
	int r;

	while ((r = nlattr_next(&p, &len, &a)) > 0) {
		r = a.type == NFTA_LIST_ELEM ? take_expression(&a, rule) : 0;
		if (r < 0)
			return r;
	}
	return r;
}

static int parse_message(const char *p, size_t len, void *to)
{
	struct nft_rules *list = to;
	struct nft_rule rule = { .chain = "" };
	struct nlattr_view a;
	int r;

	if (len < sizeof(struct nfgenmsg))
		return -EPROTO;
	p += sizeof(struct nfgenmsg);
	len -= sizeof(struct nfgenmsg);
	while ((r = nlattr_next(&p, &len, &a)) > 0) {
		if (a.type == NFTA_RULE_CHAIN)
			take_text(&a, rule.chain, sizeof(rule.chain));
		else if (a.type == NFTA_RULE_EXPRESSIONS)
			r = take_expressions(&a, &rule);
		else if (a.type == NFTA_RULE_USERDATA)
			r = take_comment(&a, &rule);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	if (list->n == RULES_MAX)
		return -E2BIG;
	if ((list->n & (list->n - 1)) == 0) /* room is doubled */
		list->items =
		    xrealloc(list->items, (list->n ? list->n * 2 : 1) * sizeof(*list->items));
	list->items[list->n++] = rule;
	return 0;
}

static struct netlink_answers listing(struct nft_rules *to)
{
	return (struct netlink_answers){ .type = message(NFT_MSG_NEWRULE),
					 .each = parse_message,
					 .to = to };
}

int nft_rules_parse(const void *data, size_t len, struct nft_rules *ret)
{
	struct netlink_answers a = listing(ret);

	return netlink_answers_parse(NULL, data, len, &a);
}

static void reset(void *to)
{
	nft_rules_done(to);
}

int nft_rules_read(int sock, const char *table, struct nft_rules *ret, struct err *err)
{
	const struct nfgenmsg head = { .nfgen_family = NFPROTO_INET };
	struct netlink_answers a = listing(ret);
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;
	int r;

	*ret = (struct nft_rules){ 0 };
	nlbuf_begin(&q, message(NFT_MSG_GETRULE), NLM_F_DUMP, &head, sizeof(head));
	nlbuf_attr_str(&q, NFTA_RULE_TABLE, table);
	r = netlink_list(sock, &q, &a, reset);
	return r < 0 ? err_errno(err, -r, "reading the rules of nftables table %s", table) : 0;
}

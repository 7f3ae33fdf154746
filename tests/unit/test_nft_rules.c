/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "sys/nft_rules.h"

/* ip saddr 10.0.0.0/8 counter accept comment "0": of the text only what is read of it. */
static void put_rule(struct nlbuf *q, const char *chain, const char *comment, uint8_t packets)
{
	const struct nfgenmsg head = { .nfgen_family = 1 };
	const uint8_t number[8] = { [7] = packets }, bytes[8] = { [6] = packets };
	uint8_t udata[300] = { 1, 2, 0, 0, 0, (uint8_t)(strlen(comment) + 1) };
	size_t list, elem, data;

	nlbuf_begin(q, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE, 0, &head, sizeof(head));
	nlbuf_attr_str(q, NFTA_RULE_TABLE, "t");
	nlbuf_attr_str(q, NFTA_RULE_CHAIN, chain);
	list = nlbuf_nest(q, NFTA_RULE_EXPRESSIONS);
	elem = nlbuf_nest(q, NFTA_LIST_ELEM);
	nlbuf_attr_str(q, NFTA_EXPR_NAME, "payload");
	data = nlbuf_nest(q, NFTA_EXPR_DATA);
	nlbuf_attr_be32(q, NFTA_COUNTER_PACKETS, 77); /* of another meaning here */
	nlbuf_unnest(q, data);
	nlbuf_unnest(q, elem);
	elem = nlbuf_nest(q, NFTA_LIST_ELEM);
	nlbuf_attr_str(q, NFTA_EXPR_NAME, "counter");
	data = nlbuf_nest(q, NFTA_EXPR_DATA);
	nlbuf_attr(q, NFTA_COUNTER_BYTES, bytes, sizeof(bytes));
	nlbuf_attr(q, NFTA_COUNTER_PACKETS, number, sizeof(number));
	nlbuf_unnest(q, data);
	nlbuf_unnest(q, elem);
	nlbuf_unnest(q, list);
	/* another kind of data first */
	memcpy(udata + 6, comment, strlen(comment) + 1);
	nlbuf_attr(q, NFTA_RULE_USERDATA, udata, 6 + strlen(comment) + 1);
}

static void test_read(void **state)
{
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;
	cleanup_nft_rules struct nft_rules list = { 0 };
	char longest[250];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 2);
	longest[sizeof(longest) - 2] = '\0';
	put_rule(&q, "input", "0", 3);
	put_rule(&q, "output", "drop", 0);
	put_rule(&q, longest, longest, 1);
	assert_int_equal(nft_rules_parse(q.buf.data, q.buf.len, &list), 0);
	assert_int_equal(list.n, 3);
	assert_string_equal(list.items[0].chain, "input");
	assert_string_equal(list.items[0].comment, "0");
	assert_true(list.items[0].counted);
	assert_int_equal(list.items[0].packets, 3);
	assert_int_equal(list.items[0].bytes, 3 * 256);
	assert_string_equal(list.items[1].comment, "drop");
	assert_string_equal(list.items[2].comment, "");
	assert_string_equal(list.items[2].chain, "");
}

/* Lengths that lead out of what is around them. */
static void test_wrong_lengths(void **state)
{
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;
	cleanup_free char *copy = NULL;

	(void)state;
	put_rule(&q, "input", "0", 3);
	for (size_t len = 0; len < q.buf.len; len++) {
		cleanup_nft_rules struct nft_rules list = { 0 };
		cleanup_free char *cut = xmalloc(len + 1);

		memcpy(cut, q.buf.data, len);
		assert_true(nft_rules_parse(cut, len, &list) <= 0);
		assert_int_equal(list.n, 0);
	}
	copy = xmalloc(q.buf.len);
	for (size_t at = 20; at < q.buf.len; at++) {
		cleanup_nft_rules struct nft_rules list = { 0 };

		memcpy(copy, q.buf.data, q.buf.len);
		copy[at] = (char)0xff;
		assert_true(nft_rules_parse(copy, q.buf.len, &list) <= 0);
		assert_true(list.n <= 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_wrong_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "sys/nft.h"

#define MANY 3000 /* more than one message has room for */

/* Port 8000 + i of TCP leads to port 80 of 10.89.0.7. */
static struct nft_element element(unsigned int i)
{
	return (struct nft_element){
		.key = { 6, 0, 0, 0, (uint8_t)((8000 + i) >> 8), (uint8_t)(8000 + i) },
		.key_len = 8,
		.data = { 10, 89, 0, 7, 0, 80 },
		.data_len = 8,
	};
}

static struct nlmsghdr message_at(const struct nft_batch *b, size_t at)
{
	struct nlmsghdr hdr;

	assert_true(at + sizeof(hdr) <= b->q.buf.len);
	memcpy(&hdr, b->q.buf.data + at, sizeof(hdr));
	assert_true(hdr.nlmsg_len >= sizeof(hdr) && at + hdr.nlmsg_len <= b->q.buf.len);
	return hdr;
}

/* As kernels have taken it. */
static void test_bytes(void **state)
{
	static const uint8_t want[] = {
		/* begin: length, type 16, a request, number 1; of subsystem 10 */
		20, 0, 0, 0, 16, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10,
		/* new elements, create, with an answer, number 2; family inet */
		76, 0, 0, 0, 12, 10, 5, 4, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
		/* table, set */
		6, 0, 1, 0, 't', 0, 0, 0, 6, 0, 2, 0, 'm', 0, 0, 0,
		/* elements, one of them, its key, its data */
		40, 0, 3, 128, 36, 0, 1, 128,                             /* */
		16, 0, 1, 128, 12, 0, 1, 0, 6, 0, 0, 0, 0x1f, 0x40, 0, 0, /* */
		16, 0, 2, 128, 12, 0, 1, 0, 10, 89, 0, 7, 0, 80, 0, 0,    /* */
		/* end: type 17, number 3 */
		20, 0, 0, 0, 17, 0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10
	};
	cleanup_nft_batch struct nft_batch b;
	struct nft_element e = element(0);

	(void)state;
	nft_batch_begin(&b, "t");
	nft_batch_add(&b, "m", &e, 1);
	nft_batch_end(&b);
	nft_batch_end(&b);
	assert_int_equal(b.end, 3);
	assert_int_equal(b.q.buf.len, sizeof(want));
	assert_memory_equal(b.q.buf.data, want, sizeof(want));
}

static void check_elements(const struct nft_elements *list, size_t n, bool with_data)
{
	assert_int_equal(list->n, n);
	for (unsigned int i = 0; i < n; i++) {
		struct nft_element want = element(i);

		if (!with_data) {
			memset(want.data, 0, sizeof(want.data));
			want.data_len = 0;
		}
		assert_memory_equal(&list->items[i], &want, sizeof(want));
	}
}

/* A message that adds looks as one of a listing does. */
static void test_there_and_back(void **state)
{
	static struct nft_element many[MANY];
	cleanup_nft_elements struct nft_elements list = { 0 };
	cleanup_nft_batch struct nft_batch b;
	size_t messages = 0;

	(void)state;
	for (unsigned int i = 0; i < MANY; i++)
		many[i] = element(i);
	nft_batch_begin(&b, "t");
	nft_batch_add(&b, "m", many, MANY);
	for (size_t at = 20; at < b.q.buf.len; at += message_at(&b, at).nlmsg_len)
		messages++;
	assert_true(messages > 1);
	assert_int_equal(nft_elements_parse(b.q.buf.data, b.q.buf.len, &list), 0);
	check_elements(&list, MANY, true);
}

static void test_of_a_set(void **state)
{
	cleanup_nft_elements struct nft_elements list = { 0 };
	cleanup_nft_batch struct nft_batch b;
	struct nft_element e = element(0);

	(void)state;
	e.data_len = 0;
	nft_batch_begin(&b, "t");
	nft_batch_add(&b, "m", &e, 1);
	assert_int_equal(nft_elements_parse(b.q.buf.data, b.q.buf.len, &list), 0);
	check_elements(&list, 1, false);
}

static void test_removal_has_no_data(void **state)
{
	cleanup_nft_batch struct nft_batch add, out;
	struct nft_element e = element(0);

	(void)state;
	nft_batch_begin(&add, "t");
	nft_batch_add(&add, "m", &e, 1);
	nft_batch_begin(&out, "t");
	nft_batch_remove(&out, "m", &e, 1);
	assert_int_equal(message_at(&out, 20).nlmsg_type,
			 NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELSETELEM);
	assert_int_equal(out.q.buf.len + 16, add.q.buf.len);
}

/* Lengths that lead out of what is around them. */
static void test_wrong_lengths(void **state)
{
	cleanup_nft_batch struct nft_batch b;
	struct nft_element e = element(0);
	cleanup_free char *copy = NULL;

	(void)state;
	nft_batch_begin(&b, "t");
	nft_batch_add(&b, "m", &e, 1);
	for (size_t len = 0; len < b.q.buf.len; len++) {
		cleanup_nft_elements struct nft_elements list = { 0 };
		cleanup_free char *cut = xmalloc(len + 1);

		memcpy(cut, b.q.buf.data, len);
		assert_true(nft_elements_parse(cut, len, &list) <= 0);
		assert_int_equal(list.n, 0);
	}
	copy = xmalloc(b.q.buf.len);
	for (size_t at = 40; at < b.q.buf.len; at += 4) {
		cleanup_nft_elements struct nft_elements list = { 0 };

		memcpy(copy, b.q.buf.data, b.q.buf.len);
		memset(copy + at, 0xff, 2);
		assert_true(nft_elements_parse(copy, b.q.buf.len, &list) <= 0);
		assert_true(list.n <= 1);
	}
}

/* ip filter FORWARD of iptables, and a chain that nothing comes to by itself; as the kernel lists.
 */
static void put_chain(struct nlbuf *q, uint8_t family, const char *name, bool hooked)
{
	const struct nfgenmsg head = { .nfgen_family = family };

	nlbuf_begin(q, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN, 0, &head, sizeof(head));
	nlbuf_attr_str(q, NFTA_CHAIN_TABLE, "filter");
	nlbuf_attr_str(q, NFTA_CHAIN_NAME, name);
	if (hooked) {
		size_t at = nlbuf_nest(q, NFTA_CHAIN_HOOK);

		nlbuf_attr_be32(q, NFTA_HOOK_HOOKNUM, 2);
		nlbuf_attr_be32(q, NFTA_HOOK_PRIORITY, 0);
		nlbuf_unnest(q, at);
		nlbuf_attr_be32(q, NFTA_CHAIN_POLICY, 0);
	}
}

static void test_chains(void **state)
{
	static const char long_name[] = "a-chain-with-a-name-of-more-characters-than-there-is-room-"
					"for-in-the-list-that-is-read";
	cleanup_nft_chains struct nft_chains list = { 0 };
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;

	(void)state;
	put_chain(&q, 2, "FORWARD", true);
	put_chain(&q, 1, long_name, false);
	assert_int_equal(nft_chains_parse(q.buf.data, q.buf.len, &list), 0);
	assert_int_equal(list.n, 2);
	assert_int_equal(list.items[0].family, 2);
	assert_string_equal(list.items[0].table, "filter");
	assert_string_equal(list.items[0].name, "FORWARD");
	assert_true(list.items[0].hooked && list.items[0].drops);
	assert_int_equal(list.items[0].hook, 2);
	assert_false(list.items[1].hooked || list.items[1].drops);
	assert_int_equal(strlen(list.items[1].name), NFT_NAME_MAX - 1);
	for (size_t len = 0; len < q.buf.len; len++) {
		cleanup_nft_chains struct nft_chains cut = { 0 };
		cleanup_free char *copy = xmalloc(len + 1);

		memcpy(copy, q.buf.data, len);
		assert_true(nft_chains_parse(copy, len, &cut) <= 0 && cut.n <= 1);
	}
}

/* Where an interval ends is a flag of its element. */
static void test_interval(void **state)
{
	const struct nft_element e[2] = { { .key = { 10 }, .key_len = 4 },
					  { .key = { 11 }, .key_len = 4, .end = true } };
	cleanup_nft_elements struct nft_elements list = { 0 };
	cleanup_nft_batch struct nft_batch b;

	(void)state;
	nft_batch_begin(&b, "t");
	nft_batch_add(&b, "s", e, 2);
	assert_int_equal(nft_elements_parse(b.q.buf.data, b.q.buf.len, &list), 0);
	assert_int_equal(list.n, 2);
	assert_memory_equal(list.items, e, sizeof(e));
}

static void test_sorted(void **state)
{
	struct nft_element e[] = { { .key = { 2 }, .key_len = 4 },
				   { .key = { 1 }, .key_len = 4 },
				   { .key = { 2 }, .key_len = 4, .end = true },
				   { .key = { 1, 1 }, .key_len = 4 } };
	struct nft_elements list = { .items = e, .n = ARRAY_SIZE(e) };

	(void)state;
	assert_true(nft_elements_sort(&list));
	assert_true(e[0].key[0] == 1 && e[1].key[1] == 1 && e[2].end && !e[3].end);
	e[3].end = true; /* as the one before it */
	assert_false(nft_elements_sort(&list));
	e[3] = e[1];
	assert_false(nft_elements_sort(&list));
	assert_true(nft_elements_sort(&(struct nft_elements){ 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),         cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_of_a_set),      cmocka_unit_test(test_removal_has_no_data),
		cmocka_unit_test(test_wrong_lengths), cmocka_unit_test(test_chains),
		cmocka_unit_test(test_interval),      cmocka_unit_test(test_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

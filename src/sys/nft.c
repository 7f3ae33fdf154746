/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/nft.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/str.h"

#define ELEMENTS_MAX  (1 << 20)
#define READ_ATTEMPTS 50
/* Of an element in a message, with the heads of its attributes. */
#define ELEMENT_SIZE (NFT_KEY_MAX + NFT_DATA_MAX + 5 * NLA_HDRLEN + NLA_HDRLEN + 4)

static uint16_t message(unsigned int type)
{
	return (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
}

void nft_elements_done(struct nft_elements *e)
{
	free(e->items);
	*e = (struct nft_elements){ 0 };
}

int nft_element_order(const void *a, const void *b)
{
	const struct nft_element *x = a, *y = b;
	int r = memcmp(x->key, y->key, sizeof(x->key));

	return r ? r : (int)y->end - (int)x->end;
}

bool nft_elements_sort(struct nft_elements *e)
{
	bool once = true;

	if (e->n)
		qsort(e->items, e->n, sizeof(*e->items), nft_element_order);
	for (size_t i = 1; i < e->n && once; i++)
		once = nft_element_order(&e->items[i - 1], &e->items[i]) != 0;
	return once;
}

static void batch_mark(struct nft_batch *b, uint16_t type)
{
	const struct nfgenmsg head = { .res_id = htons(NFNL_SUBSYS_NFTABLES) };

	nlbuf_begin(&b->q, type, 0, &head, sizeof(head));
}

void nft_batch_begin(struct nft_batch *b, const char *table)
{
	*b = (struct nft_batch){ .q = NLBUF_INIT, .table = table };
	b->q.whole = true;
	batch_mark(b, NFNL_MSG_BATCH_BEGIN);
	nlbuf_what(&b->q, "changing its sets");
}

void nft_batch_done(struct nft_batch *b)
{
	nlbuf_done(&b->q);
}

static void put_value(struct nlbuf *q, uint16_t type, const void *data, size_t len)
{
	size_t at = nlbuf_nest(q, type);

	nlbuf_attr(q, NFTA_DATA_VALUE, data, len);
	nlbuf_unnest(q, at);
}

static void put_element(struct nlbuf *q, const struct nft_element *e, bool with_data)
{
	size_t at = nlbuf_nest(q, NFTA_LIST_ELEM);

	if (e->end)
		nlbuf_attr_be32(q, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
	put_value(q, NFTA_SET_ELEM_KEY, e->key, e->key_len);
	if (with_data && e->data_len)
		put_value(q, NFTA_SET_ELEM_DATA, e->data, e->data_len);
	nlbuf_unnest(q, at);
}

/* As many messages as it takes: the list is an attribute, of 64 kB at most. */
static void batch_put(struct nft_batch *b, unsigned int type, uint16_t flags, const char *set,
		      const struct nft_element *e, size_t n)
{
	const struct nfgenmsg head = { .nfgen_family = NFPROTO_INET };

	for (size_t i = 0; i < n;) {
		size_t list;

		nlbuf_begin(&b->q, message(type), NLM_F_ACK | flags, &head, sizeof(head));
		nlbuf_attr_str(&b->q, NFTA_SET_ELEM_LIST_TABLE, b->table);
		nlbuf_attr_str(&b->q, NFTA_SET_ELEM_LIST_SET, set);
		list = nlbuf_nest(&b->q, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (; i < n && nlbuf_room(&b->q, list) >= ELEMENT_SIZE; i++)
			put_element(&b->q, &e[i], type == NFT_MSG_NEWSETELEM);
		nlbuf_unnest(&b->q, list);
	}
}

void nft_batch_add(struct nft_batch *b, const char *set, const struct nft_element *e, size_t n)
{
	batch_put(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, e, n);
}

void nft_batch_remove(struct nft_batch *b, const char *set, const struct nft_element *e, size_t n)
{
	batch_put(b, NFT_MSG_DELSETELEM, 0, set, e, n);
}

void nft_batch_end(struct nft_batch *b)
{
	if (b->end)
		return;
	batch_mark(b, NFNL_MSG_BATCH_END);
	b->end = b->q.seq;
}

int nft_open(struct err *err)
{
	return netlink_open(NETLINK_NETFILTER, err);
}

int nft_batch_send(struct nft_batch *b, int sock, struct err *err)
{
	int r;

	nft_batch_end(b);
	if (b->end <= 2) /* begin and end */
		return 0;
	r = netlink_batch(sock, &b->q, err);
	return r < 0 ? err_wrap(err, r, "nftables table %s", b->table) : 0;
}

/* NFTA_DATA_VALUE in the attribute. */
static int parse_value(const struct nlattr_view *in, uint8_t *ret, size_t max, uint8_t *ret_len)
{
	const char *p = in->data;
	size_t len = in->len;
	struct nlattr_view a;
	int r;

	while ((r = nlattr_next(&p, &len, &a)) > 0)
		if (a.type == NFTA_DATA_VALUE) {
			if (a.len > max)
				return -EPROTO;
			memcpy(ret, a.data, a.len);
			*ret_len = (uint8_t)a.len;
		}
	return r;
}

static int parse_element(const struct nlattr_view *in, struct nft_elements *ret)
{
	const char *p = in->data;
	size_t len = in->len;
	struct nft_element e = { .key_len = 0 };
	struct nlattr_view a;
	uint32_t flags;
	int r;

	while ((r = nlattr_next(&p, &len, &a)) > 0) {
		if (a.type == NFTA_SET_ELEM_KEY)
			r = parse_value(&a, e.key, sizeof(e.key), &e.key_len);
		else if (a.type == NFTA_SET_ELEM_DATA)
			r = parse_value(&a, e.data, sizeof(e.data), &e.data_len);
		else if (a.type == NFTA_SET_ELEM_FLAGS && a.len == sizeof(flags)) {
			memcpy(&flags, a.data, sizeof(flags));
			e.end = ntohl(flags) & NFT_SET_ELEM_INTERVAL_END;
		}
		if (r < 0)
			return r;
	}
	/* Without a key: the one that stands for all others, which we have none of. */
	if (r < 0 || e.key_len == 0)
		return r;
	if (ret->n == ELEMENTS_MAX)
		return -E2BIG;
	if ((ret->n & (ret->n - 1)) == 0) /* room is doubled */
		ret->items = xrealloc(ret->items, (ret->n ? ret->n * 2 : 1) * sizeof(*ret->items));
	ret->items[ret->n++] = e;
	return 0;
}

static int parse_message(const char *p, size_t len, void *to)
{
	struct nlattr_view list, elem;
	int r;

	if (len < sizeof(struct nfgenmsg))
		return -EPROTO;
	p += sizeof(struct nfgenmsg);
	len -= sizeof(struct nfgenmsg);
	while ((r = nlattr_next(&p, &len, &list)) > 0) {
		const char *q = list.data;
		size_t left = list.len;

		if (list.type != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		while ((r = nlattr_next(&q, &left, &elem)) > 0) {
			r = elem.type == NFTA_LIST_ELEM ? parse_element(&elem, to) : 0;
			if (r < 0)
				return r;
		}
		if (r < 0)
			return r;
	}
	return r;
}

static struct netlink_answers listing(struct nft_elements *to)
{
	return (struct netlink_answers){ .type = message(NFT_MSG_NEWSETELEM),
					 .each = parse_message,
					 .to = to };
}

int nft_elements_parse(const void *data, size_t len, struct nft_elements *ret)
{
	struct netlink_answers a = listing(ret);

	return netlink_answers_parse(NULL, data, len, &a);
}

static void reset(void *to)
{
	nft_elements_done(to);
}

/*
 * A set that has just grown or shrunk is hashed anew by a worker of the kernel, and a list longer
 * than one message goes on after as many elements as it has told, in an order that is another one
 * by then: some come twice and as many don't come, without a mark (NLM_F_DUMP_INTR) that says so.
 */
int nft_elements_read(int sock, const char *table, const char *set, struct nft_elements *ret,
		      struct err *err)
{
	const struct nfgenmsg head = { .nfgen_family = NFPROTO_INET };
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct netlink_answers a = listing(ret);
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;
	int r = 0;

	*ret = (struct nft_elements){ 0 };
	nlbuf_begin(&q, message(NFT_MSG_GETSETELEM), NLM_F_DUMP, &head, sizeof(head));
	nlbuf_attr_str(&q, NFTA_SET_ELEM_LIST_TABLE, table);
	nlbuf_attr_str(&q, NFTA_SET_ELEM_LIST_SET, set);
	for (int i = 0; i < READ_ATTEMPTS; i++) {
		r = netlink_list(sock, &q, &a, reset);
		if (r < 0 || nft_elements_sort(ret))
			break;
		nft_elements_done(ret);
		r = -EAGAIN;
		nanosleep(&pause, NULL);
	}
	return r < 0 ? err_errno(err, -r, "reading set %s of nftables table %s", set, table) : 0;
}

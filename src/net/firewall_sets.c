/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "net/firewall_internal.h"

#define WORD 4 /* each part of a concatenation is in a whole number of these */

void fw_elements_done(struct fw_elements *e)
{
	for (size_t i = 0; i < FW_SETS; i++)
		nft_elements_done(&e->of[i]);
}

void fw_difference_done(struct fw_difference *d)
{
	nft_elements_done(&d->add);
	nft_elements_done(&d->remove);
}

/* Room is doubled. */
static struct nft_element *more(struct nft_elements *to, const struct nft_element *e)
{
	if ((to->n & (to->n - 1)) == 0)
		to->items = xrealloc(to->items, (to->n ? to->n * 2 : 1) * sizeof(*to->items));
	to->items[to->n] = *e;
	return &to->items[to->n++];
}

/* ---- words into bytes ---- */

static void put_part(uint8_t *at, uint8_t *len, const void *part, size_t size)
{
	memcpy(at + *len, part, size);
	*len = (uint8_t)(*len + (size + WORD - 1) / WORD * WORD);
}

static size_t addr_size(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

/* With a name before it, which may be empty. */
static void put_name(struct nft_elements *to, const char *before, const char *name)
{
	struct nft_element *e = more(to, &(struct nft_element){ .key_len = RTNL_NAME_MAX });

	if (before) {
		memcpy(e->key, before, strnlen(before, RTNL_NAME_MAX - 1));
		e->key_len = 2 * RTNL_NAME_MAX;
	}
	memcpy(e->key + (before ? RTNL_NAME_MAX : 0), name, strnlen(name, RTNL_NAME_MAX - 1));
}

/* Two elements: where it begins, and the first address behind it, if there is one. */
static void put_subnet(struct nft_elements *to, const struct subnet *s)
{
	struct nft_element e = { .key_len = (uint8_t)addr_size(s->base.family) };
	int at = (s->prefix - 1) / 8;
	unsigned int sum;

	memcpy(e.key, s->base.bytes, e.key_len);
	more(to, &e);
	if (s->prefix == 0)
		return;
	for (sum = 1U << (7 - (s->prefix - 1) % 8); at >= 0 && sum; at--) {
		sum += e.key[at];
		e.key[at] = (uint8_t)sum;
		sum >>= 8;
	}
	e.end = true;
	if (!sum)
		more(to, &e);
}

static void pack_network(const struct fw_network *n, struct fw_elements *ret)
{
	const struct {
		bool in;
		enum fw_set set;
		const char *before;
	} names[] = { { true, FW_BRIDGES },          { n->internal, FW_INTERNAL },
		      { n->routed, FW_ROUTED },      { n->open, FW_OPEN },
		      { n->icc, FW_ICC, n->bridge }, { true, FW_HAIRPIN, n->bridge },
		      { true, FW_HAIRPIN, "" } };
	bool masquerade = n->masquerade && !n->internal && !n->routed;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].in)
			put_name(&ret->of[names[i].set], names[i].before, n->bridge);
	if (n->v4.base.family) {
		put_subnet(&ret->of[FW_NETS4], &n->v4);
		if (masquerade)
			put_subnet(&ret->of[FW_MASQ4], &n->v4);
	}
	if (n->v6.base.family) {
		put_subnet(&ret->of[FW_NETS6], &n->v6);
		if (masquerade)
			put_subnet(&ret->of[FW_MASQ6], &n->v6);
	}
}

static bool is_loopback(const struct net_addr *a)
{
	return a->family == AF_INET ? a->bytes[0] == 127
				    : memcmp(a->bytes, &in6addr_loopback, 16) == 0;
}

static bool is_any(const struct net_addr *a)
{
	return !a->family || memcmp(a->bytes, &in6addr_any, addr_size(a->family)) == 0;
}

static void pack_port(const struct fw_port *p, struct fw_elements *ret)
{
	bool six = p->to.family == AF_INET6, on = !is_any(&p->host);
	uint16_t from = htons(p->host_port), to = htons(p->to_port);
	struct nft_element e = { .key_len = 0 };

	if (on && (p->host.family != p->to.family || is_loopback(&p->host)))
		return;
	if (on)
		put_part(e.key, &e.key_len, p->host.bytes, addr_size(p->host.family));
	put_part(e.key, &e.key_len, &p->proto, sizeof(p->proto));
	put_part(e.key, &e.key_len, &from, sizeof(from));
	put_part(e.data, &e.data_len, p->to.bytes, addr_size(p->to.family));
	put_part(e.data, &e.data_len, &to, sizeof(to));
	more(&ret->of[on ? six ? FW_PORTS6_ON : FW_PORTS4_ON : six ? FW_PORTS6 : FW_PORTS4], &e);
}

static void put_number(struct nft_element *e, const struct fw_service *s, uint32_t slot)
{
	slot += s->sticky ? FW_SLOTS : 0;
	put_part(e->key, &e->key_len, &slot, sizeof(slot));
}

static void pack_slot(const struct fw_service *s, uint32_t slot, struct fw_elements *ret)
{
	const struct net_addr *to = s->slots ? &s->slots[slot] : NULL;
	bool six = s->vip.family == AF_INET6;
	struct nft_element vip = { .key_len = 0 };
	size_t size = addr_size(s->vip.family);

	put_part(vip.key, &vip.key_len, s->vip.bytes, size);
	put_number(&vip, s, slot);
	if (to)
		put_part(vip.data, &vip.data_len, to->bytes, size);
	more(&ret->of[six ? FW_VIP6 : FW_VIP4], &vip);
	for (size_t i = 0; i < s->n_ports; i++) {
		const struct fw_port *p = &s->ports[i];
		bool on = !is_any(&p->host);
		uint16_t from = htons(p->host_port), port = htons(p->to_port);
		struct nft_element e = { .key_len = 0 };

		if (on && is_loopback(&p->host))
			continue;
		if (on)
			put_part(e.key, &e.key_len, p->host.bytes, size);
		put_part(e.key, &e.key_len, &p->proto, sizeof(p->proto));
		put_part(e.key, &e.key_len, &from, sizeof(from));
		put_number(&e, s, slot);
		if (to) {
			put_part(e.data, &e.data_len, to->bytes, size);
			put_part(e.data, &e.data_len, &port, sizeof(port));
		}
		more(&ret->of[on    ? six ? FW_SLOTS6_ON : FW_SLOTS4_ON
			      : six ? FW_SLOTS6
				    : FW_SLOTS4],
		     &e);
	}
}

static void pack_service(const struct fw_service *s, struct fw_elements *ret)
{
	struct nft_element e = { .key_len = 0 };

	put_part(e.key, &e.key_len, s->vip.bytes, addr_size(s->vip.family));
	more(&ret->of[s->vip.family == AF_INET6 ? FW_VIPS6 : FW_VIPS4], &e);
	for (uint32_t slot = 0; slot < FW_SLOTS; slot++)
		pack_slot(s, slot, ret);
}

void fw_pack(const struct fw_state *state, struct fw_elements *ret)
{
	*ret = (struct fw_elements){ .of = { { NULL } } };
	for (size_t i = 0; i < state->n_networks; i++)
		pack_network(&state->networks[i], ret);
	for (size_t i = 0; i < state->n_ports; i++)
		pack_port(&state->ports[i], ret);
	for (size_t i = 0; i < state->n_services; i++)
		pack_service(&state->services[i], ret);
}

struct nft_element fw_complete(void)
{
	return (struct nft_element){ .key_len = WORD, .data = { 1 }, .data_len = WORD };
}

/* ---- what is there and what should be ---- */

static bool same_data(const struct nft_element *a, const struct nft_element *b)
{
	return memcmp(a->data, b->data, sizeof(a->data)) == 0;
}

/* nft(8) itself puts one before all others of a set of intervals, which says nothing. */
static bool is_nothing(const struct nft_element *e)
{
	static const uint8_t zeros[NFT_KEY_MAX];

	return e->end && memcmp(e->key, zeros, sizeof(zeros)) == 0;
}

void fw_compare(struct nft_elements *have, struct nft_elements *want, struct fw_difference *ret)
{
	size_t h = 0, w = 0;

	*ret = (struct fw_difference){ .wrong = 0 };
	nft_elements_sort(have);
	nft_elements_sort(want);
	while (h < have->n || w < want->n) {
		const struct nft_element *there = h < have->n ? &have->items[h] : NULL;
		const struct nft_element *wanted = w < want->n ? &want->items[w] : NULL;
		int r = !there ? 1 : !wanted ? -1 : nft_element_order(there, wanted);

		h += r <= 0;
		w += r >= 0;
		if (r < 0 && is_nothing(there))
			continue;
		if (r == 0 && same_data(there, wanted))
			continue;
		if (r <= 0)
			more(&ret->remove, there);
		if (r >= 0)
			more(&ret->add, wanted);
		ret->wrong += r == 0;
	}
}

static const struct nft_element *find(const struct nft_elements *in, const struct nft_element *e)
{
	return in->n ? bsearch(e, in->items, in->n, sizeof(*e), nft_element_order) : NULL;
}

void fw_settle(struct nft_elements *have, struct nft_elements *add, struct nft_elements *remove)
{
	size_t n = 0;

	nft_elements_sort(have);
	for (size_t i = 0; i < remove->n; i++) {
		const struct nft_element *there = find(have, &remove->items[i]);

		if (there && (!remove->items[i].data_len || same_data(there, &remove->items[i])))
			remove->items[n++] = remove->items[i];
	}
	remove->n = n;
	nft_elements_sort(remove);
	for (size_t i = 0; i < add->n; i++) {
		const struct nft_element *there = find(have, &add->items[i]);
		const struct nft_elements sorted = { .items = remove->items, .n = n };

		if (there && !same_data(there, &add->items[i]) && !find(&sorted, there))
			more(remove, there);
	}
}

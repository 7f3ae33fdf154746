/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ipam.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/str.h"

#define HOST_BITS_MAX 48

static unsigned int addr_len(const struct net_addr *a)
{
	return a->family == AF_INET ? 4 : 16;
}

static unsigned int host_bits(const struct subnet *s)
{
	unsigned int bits = addr_len(&s->base) * 8 - s->prefix;

	return bits < HOST_BITS_MAX ? bits : HOST_BITS_MAX;
}

int net_addr_parse(const char *text, struct net_addr *ret, struct err *err)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct net_addr a = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };

	if (inet_pton(a.family, text, a.bytes) != 1)
		return err_fail(err, ERR_INVALID, "invalid IP address: %s", text);
	if (a.family == AF_INET6 && memcmp(a.bytes, mapped, sizeof(mapped)) == 0)
		return err_fail(err, ERR_INVALID, "invalid IP address: %s: write it as IPv4", text);
	*ret = a;
	return 0;
}

char *net_addr_format(const struct net_addr *a, char ret[NET_ADDR_TEXT])
{
	if (!a->family || !inet_ntop(a->family, a->bytes, ret, NET_ADDR_TEXT))
		ret[0] = '\0';
	return ret;
}

char *net_addr_text(const struct net_addr *a)
{
	char text[NET_ADDR_TEXT];

	return a->family ? xstrdup(net_addr_format(a, text)) : NULL;
}

bool net_addr_equal(const struct net_addr *a, const struct net_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, addr_len(a)) == 0;
}

/* Of the first bits alone. */
static bool same_prefix(const struct net_addr *a, const struct net_addr *b, unsigned int bits)
{
	unsigned int whole = bits / 8, rest = bits % 8;

	if (a->family != b->family || memcmp(a->bytes, b->bytes, whole) != 0)
		return false;
	return rest == 0 || (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0;
}

static void clear_behind(struct net_addr *a, unsigned int bits)
{
	unsigned int len = addr_len(a);

	for (unsigned int i = bits / 8; i < len; i++)
		a->bytes[i] &= i == bits / 8 ? (uint8_t)(0xff00 >> bits % 8) : 0;
}

struct net_addr net_addr_base(const struct net_addr *a, uint8_t prefix)
{
	struct net_addr base = *a;

	clear_behind(&base, prefix);
	return base;
}

int subnet_parse(const char *text, struct subnet *ret, struct err *err)
{
	const char *slash = strchr(text, '/');
	char addr[NET_ADDR_TEXT], right[NET_ADDR_TEXT];
	struct net_addr clear;
	struct subnet s;
	uint32_t prefix;

	if (!slash || (size_t)(slash - text) >= sizeof(addr))
		return err_fail(err, ERR_INVALID, "invalid subnet: %s: wanted is ADDRESS/PREFIX",
				text);
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = '\0';
	if (net_addr_parse(addr, &s.base, NULL) < 0 || str_parse_u32(slash + 1, &prefix) < 0 ||
	    prefix > addr_len(&s.base) * 8)
		return err_fail(err, ERR_INVALID, "invalid subnet: %s", text);
	s.prefix = (uint8_t)prefix;
	clear = s.base;
	clear_behind(&clear, prefix);
	if (!net_addr_equal(&clear, &s.base))
		return err_fail(err, ERR_INVALID,
				"invalid subnet: %s has bits behind its prefix: %s/%u?", text,
				net_addr_format(&clear, right), prefix);
	*ret = s;
	return 0;
}

bool subnet_overlaps(const struct subnet *a, const struct subnet *b)
{
	return same_prefix(&a->base, &b->base, a->prefix < b->prefix ? a->prefix : b->prefix);
}

void subnet_hosts(const struct subnet *s, uint64_t *ret_first, uint64_t *ret_last)
{
	uint64_t last = (UINT64_C(1) << host_bits(s)) - 1;
	bool small = last <= 1;

	*ret_first = small ? 0 : 1;
	*ret_last = small || s->base.family == AF_INET6 ? last : last - 1;
}

int subnet_address(const struct subnet *s, uint64_t host, struct net_addr *ret)
{
	struct net_addr a = s->base;

	if (host >> host_bits(s))
		return -ERANGE;
	for (unsigned int i = addr_len(&a); host; host >>= 8)
		a.bytes[--i] |= (uint8_t)host;
	*ret = a;
	return 0;
}

int subnet_host(const struct subnet *s, const struct net_addr *a, uint64_t *ret)
{
	unsigned int len = addr_len(a), counted = len * 8 - host_bits(s);
	uint64_t host = 0;

	/* Behind the prefix, what isn't counted has to be 0, as in the base. */
	if (!same_prefix(&s->base, a, counted))
		return -ERANGE;
	for (unsigned int i = counted / 8; i < len; i++)
		host = host << 8 | a->bytes[i];
	*ret = host & ((UINT64_C(1) << host_bits(s)) - 1);
	return 0;
}

/* Adds 1 at the last bit of the prefix. false: it was the last. */
static bool subnet_next(struct subnet *s)
{
	unsigned int carry = 1U << (7 - (s->prefix - 1U) % 8);

	for (unsigned int i = (s->prefix - 1U) / 8 + 1; i-- > 0 && carry;) {
		carry += s->base.bytes[i];
		s->base.bytes[i] = (uint8_t)carry;
		carry >>= 8;
	}
	return carry == 0;
}

/* Of those taken, one that it overlaps; the largest, as more is passed over with that. */
static const struct subnet *find_taken(const struct subnet *s, const struct subnet *taken, size_t n)
{
	const struct subnet *found = NULL;

	for (size_t i = 0; i < n; i++)
		if (subnet_overlaps(s, &taken[i]) && (!found || taken[i].prefix < found->prefix))
			found = &taken[i];
	return found;
}

static bool choose_in(const struct subnet *pool, uint8_t prefix, const struct subnet *taken,
		      size_t n, struct subnet *ret)
{
	struct subnet s = { .base = pool->base, .prefix = prefix };
	const struct subnet *in_the_way;

	while (subnet_overlaps(&s, pool)) {
		in_the_way = find_taken(&s, taken, n);
		if (!in_the_way) {
			*ret = s;
			return true;
		}
		/* Behind it, in one step: a route to 10.0.0.0/8 has 65,536 of our size. */
		if (in_the_way->prefix < prefix) {
			s.prefix = in_the_way->prefix;
			clear_behind(&s.base, s.prefix);
		}
		if (s.prefix <= pool->prefix || !subnet_next(&s))
			return false;
		s.prefix = prefix;
	}
	return false;
}

int subnet_choose(const struct subnet *pools, size_t n_pools, uint8_t prefix,
		  const struct subnet *taken, size_t n_taken, struct subnet *ret)
{
	for (size_t i = 0; i < n_pools; i++)
		if (prefix >= pools[i].prefix && prefix <= addr_len(&pools[i].base) * 8 &&
		    choose_in(&pools[i], prefix, taken, n_taken, ret))
			return 0;
	return -ENOSPC;
}

void net_addr_mac(const struct net_addr *a, uint8_t ret[6])
{
	const uint64_t prime = UINT64_C(1099511628211); /* FNV-1a */
	uint64_t hash = UINT64_C(14695981039346656037);

	ret[0] = 0x02;
	ret[1] = 0x42;
	if (a->family == AF_INET) {
		memcpy(ret + 2, a->bytes, 4);
		return;
	}
	for (size_t i = 0; i < sizeof(a->bytes); i++)
		hash = (hash ^ a->bytes[i]) * prime;
	ret[1] = 0x46; /* never one of IPv4's */
	for (size_t i = 2; i < 6; i++, hash >>= 8)
		ret[i] = (uint8_t)(hash ^ hash >> 32);
}

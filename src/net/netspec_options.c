/* SPDX-License-Identifier: Apache-2.0 */
/* What --network says of one network: docker's and podman's keys in one table. */
#include <ctype.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/strv.h"
#include "net/netspec_internal.h"

#define LIST_MAX 64 /* aliases, addresses, sysctls of one network */
#define MTU_MIN  68 /* RFC 791 */
#define RATE_MIN 1000

static int fail_mac(const char *text, struct err *err)
{
	return err_fail(err, ERR_USAGE, "address %s: invalid MAC address", text);
}

int net_mac_parse(const char *text, uint8_t ret[6], struct err *err)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t mac[6] = { 0 }, any = 0;

	if (strlen(text) != 17 || (text[2] != ':' && text[2] != '-'))
		return fail_mac(text, err);
	for (size_t i = 0; i < 17; i++) {
		const char *digit = strchr(digits, tolower((unsigned char)text[i]));

		if (i % 3 == 2 && text[i] == text[2])
			continue;
		if (i % 3 == 2 || !digit)
			return fail_mac(text, err);
		mac[i / 3] = (uint8_t)(mac[i / 3] << 4 | (digit - digits));
		any |= mac[i / 3];
	}
	if ((mac[0] & 1) || !any)
		return err_hint(err, fail_mac(text, err),
				"no interface can have it: the lowest bit of its first byte means "
				"a group, and not all may be 0");
	memcpy(ret, mac, sizeof(mac));
	return 0;
}

static int parse_addr(const char *key, const char *value, uint8_t family, struct net_addr *ret,
		      struct err *err)
{
	struct net_addr a;
	int r = net_addr_parse(value, &a, err);

	if (r < 0)
		return err_set_kind(err, r, ERR_USAGE);
	if (a.family != family)
		return err_fail(err, ERR_USAGE, "%s=%s: that is an IPv%c address: write %s=", key,
				value, a.family == AF_INET ? '4' : '6',
				a.family == AF_INET ? "ip" : "ip6");
	*ret = a;
	return 0;
}

/* ADDRESS, or ADDRESS/PREFIX: prefix 0 is none. */
static int parse_prefixed(const char *key, const char *value, uint8_t family, struct net_addr *ret,
			  uint8_t *ret_prefix, struct err *err)
{
	const char *slash = strchr(value, '/');
	cleanup_free char *addr = xstrndup(value, strcspn(value, "/"));
	uint32_t prefix = 0;
	int r = parse_addr(key, addr, family, ret, err);

	if (r == 0 && slash &&
	    (str_parse_u32(slash + 1, &prefix) < 0 || !prefix ||
	     prefix > (family == AF_INET ? 32 : 128)))
		return err_fail(err, ERR_USAGE, "%s=%s: invalid prefix", key, value);
	*ret_prefix = (uint8_t)prefix;
	return r;
}

static int set_ip(struct netspec *s, const char *key, const char *value, struct err *err)
{
	return parse_prefixed(key, value, AF_INET, &s->ip, &s->prefix, err);
}

static int set_ip6(struct netspec *s, const char *key, const char *value, struct err *err)
{
	return parse_prefixed(key, value, AF_INET6, &s->ip6, &s->prefix6, err);
}

/* One of each family. */
static int set_gateway(struct netspec *s, const char *key, const char *value, struct err *err)
{
	struct net_addr a, *to;
	int r = net_addr_parse(value, &a, err);

	if (r < 0)
		return err_set_kind(err, r, ERR_USAGE);
	to = a.family == AF_INET ? &s->gateway : &s->gateway6;
	if (to->family)
		return err_fail(err, ERR_USAGE, "%s=%s: given twice", key, value);
	*to = a;
	return 0;
}

static bool is_link_local(const struct net_addr *a)
{
	if (a->family == AF_INET)
		return a->bytes[0] == 169 && a->bytes[1] == 254;
	return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

static int set_link_local(struct netspec *s, const char *key, const char *value, struct err *err)
{
	struct net_addr a;
	int r = net_addr_parse(value, &a, err);

	if (r < 0)
		return err_set_kind(err, r, ERR_USAGE);
	if (!is_link_local(&a))
		return err_fail(err, ERR_USAGE,
				"invalid link local IP address: %s: expected one of "
				"169.254.0.0/16 or fe80::/10",
				value);
	if (s->n_link_local >= LIST_MAX)
		return err_fail(err, ERR_USAGE, "more than %u of %s", LIST_MAX, key);
	s->link_local = xrealloc(s->link_local, (s->n_link_local + 1) * sizeof(*s->link_local));
	s->link_local[s->n_link_local++] = a;
	return 0;
}

static int set_mac(struct netspec *s, const char *key, const char *value, struct err *err)
{
	int r = net_mac_parse(value, s->mac, err);

	s->has_mac = r == 0;
	return r;
}

/* It goes into files of names and answers to questions for them. */
static int set_alias(struct netspec *s, const char *key, const char *value, struct err *err)
{
	size_t len = strlen(value);

	if (!len)
		return err_fail(err, ERR_USAGE, "%s cannot be empty", key);
	if (len > 253 || strspn(value, NETSPEC_NAME_CHARS) != len || strchr(".-", value[0]))
		return err_fail(err, ERR_USAGE,
				"%s=%s: a name has letters, digits, \"_\", \".\" and \"-\", "
				"253 at most, the first not \".\" or \"-\"",
				key, value);
	if (strv_len(s->aliases) >= LIST_MAX)
		return err_fail(err, ERR_USAGE, "more than %u of %s", LIST_MAX, key);
	if (!strv_has(s->aliases, value))
		strv_add(&s->aliases, value);
	return 0;
}

/* "%" is a pattern to the kernel; the others are there already, or what sysctls are called. */
static int parse_ifname(const char *key, const char *value, char **ret, struct err *err)
{
	if (!*value)
		return err_fail(err, ERR_USAGE, "%s cannot be empty", key);
	if (!str_is_ifname(value) || strchr(value, '%') || str_eq(value, "lo") ||
	    str_eq(value, "all") || str_eq(value, "default"))
		return err_fail(err, ERR_USAGE,
				"%s=%s: an interface can't be called so: 1 to 15 characters, no "
				"\"/\", \":\" or \"%%\", not lo, all or default",
				key, value);
	*ret = xstrdup(value);
	return 0;
}

static int set_interface(struct netspec *s, const char *key, const char *value, struct err *err)
{
	return parse_ifname(key, value, &s->interface, err);
}

static int set_host_interface(struct netspec *s, const char *key, const char *value,
			      struct err *err)
{
	return parse_ifname(key, value, &s->host_interface, err);
}

static int set_mtu(struct netspec *s, const char *key, const char *value, struct err *err)
{
	uint32_t mtu;

	if (str_parse_u32(value, &mtu) < 0 || mtu < MTU_MIN || mtu > UINT16_MAX)
		return err_fail(err, ERR_USAGE, "%s=%s: expected %u to %u bytes", key, value,
				MTU_MIN, UINT16_MAX);
	s->mtu = mtu;
	return 0;
}

/* "10M": bits per second, by thousands. */
static int set_bandwidth(struct netspec *s, const char *key, const char *value, struct err *err)
{
	static const char units[] = "KMG";
	size_t len = strlen(value);
	const char *unit = len ? strchr(units, toupper((unsigned char)value[len - 1])) : NULL;
	cleanup_free char *number = xstrndup(value, unit ? len - 1 : len);
	uint64_t rate, by = 1;

	for (const char *u = units; unit && u <= unit; u++)
		by *= 1000;
	if (str_parse_u64(number, &rate) < 0 || rate > UINT32_MAX || rate * by < RATE_MIN)
		return err_fail(
		    err, ERR_USAGE,
		    "%s=%s: expected bits per second, 1000 or more, with K, M or G behind", key,
		    value);
	s->bandwidth = rate * by;
	return 0;
}

static int set_priority(struct netspec *s, const char *key, const char *value, struct err *err)
{
	if (str_parse_int(value, &s->gw_priority) < 0)
		return err_fail(err, ERR_USAGE, "invalid %s (%s): expected a whole number", key,
				value);
	return 0;
}

/* net.FAMILY.DIRECTORY.IFNAME.NAME=VALUE: nothing that could lead out of the interface's files. */
static bool is_sysctl(char *const *words, const char *value)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	static const char *const families[] = { "ipv4", "ipv6", "mpls" };
	bool family = false;

	if (strv_len(words) != 5 || !str_eq(words[0], "net") || strcasecmp(words[3], "IFNAME") != 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		family = family || str_eq(words[1], families[i]);
	for (size_t i = 2; i < 5; i += 2)
		if (!*words[i] || words[i][strspn(words[i], chars)])
			return false;
	for (const char *p = value; *p; p++)
		if (!isprint((unsigned char)*p))
			return false;
	return family && *value;
}

static int add_sysctls(struct netspec *s, const char *list, struct err *err)
{
	cleanup_strv char **settings = strv_split(list, ',');

	for (char **p = settings; *p; p++) {
		const char *equals = strchr(*p, '=');
		cleanup_free char *name = xstrndup(*p, strcspn(*p, "="));
		cleanup_strv char **words = strv_split(name, '.');

		if (!is_sysctl(words, equals ? equals + 1 : ""))
			return err_hint(err, err_fail(err, ERR_USAGE, "invalid sysctl \"%s\"", *p),
					"sysctls of an interface are written with IFNAME: "
					"net.ipv4.conf.IFNAME.log_martians=1");
		if (strv_len(s->sysctls) >= LIST_MAX)
			return err_fail(err, ERR_USAGE, "more than %u sysctls", LIST_MAX);
		strv_add(&s->sysctls, *p);
	}
	return 0;
}

/* docker's driver-opt=KEY=VALUE: the keys that its bridge driver has for one container. */
static int set_driver(struct netspec *s, const char *key, const char *value, struct err *err)
{
	const char *rest = str_after(value, "com.docker.network.endpoint.");
	const char *name = rest ? str_after(rest, "ifname=") : NULL;
	const char *sysctls = rest ? str_after(rest, "sysctls=") : NULL;

	if (!strchr(value, '=') || value[0] == '=')
		return err_fail(err, ERR_USAGE,
				"invalid key value pair format in driver options: %s", value);
	if (name && s->interface)
		return err_fail(err, ERR_USAGE, "%s=%s: the interface has a name already", key,
				value);
	if (name)
		return set_interface(s, key, name, err);
	if (sysctls)
		return add_sysctls(s, sysctls, err);
	return err_hint(err, err_fail(err, ERR_USAGE, "unknown driver option: %s", value),
			"known are com.docker.network.endpoint.ifname and .sysctls");
}

typedef int set_fn(struct netspec *s, const char *key, const char *value, struct err *err);

static const struct key {
	const char *name;
	unsigned int once; /* bit of what it sets, 0: may be repeated */
	set_fn *set;
} keys[] = {
	{ "ip", 1 << 0, set_ip },
	{ "ip6", 1 << 1, set_ip6 },
	{ "gateway", 0, set_gateway },
	{ "mac", 1 << 2, set_mac },
	{ "mac-address", 1 << 2, set_mac },
	{ "interface_name", 1 << 3, set_interface },
	{ "interface", 1 << 3, set_interface },
	{ "host_interface_name", 1 << 4, set_host_interface },
	{ "mtu", 1 << 5, set_mtu },
	{ "gw-priority", 1 << 6, set_priority },
	{ "bandwidth", 1 << 7, set_bandwidth },
	{ "alias", 0, set_alias },
	{ "link-local-ip", 0, set_link_local },
	{ "driver-opt", 0, set_driver },
};

static int fail_unknown(const char *word, struct err *err)
{
	cleanup_buf struct buf known = BUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		buf_addf(&known, "%s%s", i ? ", " : "", keys[i].name);
	return err_hint(err, err_fail(err, ERR_USAGE, "invalid field key %s", word), "known are %s",
			buf_str(&known));
}

int netspec_option(struct netspec *s, const char *word, unsigned int *seen, struct err *err)
{
	cleanup_free char *name = xstrndup(word, strcspn(word, "="));
	const char *equals = strchr(word, '=');

	for (const struct key *k = keys; k < keys + ARRAY_SIZE(keys); k++) {
		if (!str_eq(k->name, name))
			continue;
		if (!equals)
			return err_hint(err, err_fail(err, ERR_USAGE, "invalid field %s", word),
					"wanted is %s=VALUE", name);
		if (*seen & k->once || (k->set == set_interface && s->interface))
			return err_fail(err, ERR_USAGE, "%s: given twice", word);
		*seen |= k->once;
		return k->set(s, name, equals + 1, err);
	}
	return fail_unknown(name, err);
}

static int add_address(const char *option, const char *text, uint8_t family, struct net_addr *ret,
		       struct err *err)
{
	int r = text ? net_addr_parse(text, ret, err) : 0;

	if (text && r == 0 && ret->family != family)
		r = err_fail(err, ERR_USAGE, "not an address of IPv%d", family == AF_INET ? 4 : 6);
	return r < 0 ? err_wrap(err, r, "--%s %s", option, text) : 0;
}

static int add_each(struct netspec *s, const char *option, char *const *words, set_fn *set,
		    struct err *err)
{
	int r = 0;

	for (; r == 0 && words && *words; words++) {
		r = set(s, option, *words, err);
		if (r < 0)
			err_wrap(err, r, "--%s", option);
	}
	return r;
}

int netspec_add(struct netspec *s, const struct netspec_words *w, struct err *err)
{
	int r = add_address("ip", w->ip, AF_INET, &s->ip, err);

	if (r == 0)
		r = add_address("ip6", w->ip6, AF_INET6, &s->ip6, err);
	if (r == 0 && w->mac) {
		r = net_mac_parse(w->mac, s->mac, err);
		s->has_mac = true;
		if (r < 0)
			err_wrap(err, r, "--mac-address %s", w->mac);
	}
	r = r < 0 ? r : add_each(s, "link-local-ip", w->link_local, set_link_local, err);
	return r < 0 ? r : add_each(s, "network-alias", w->aliases, set_alias, err);
}

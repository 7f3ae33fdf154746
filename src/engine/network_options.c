/* SPDX-License-Identifier: Apache-2.0 */
/* What users ask of a new network, as text, into struct network. */
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "base/strv.h"
#include "engine/names.h"
#include "engine/networks_internal.h"
#include "engine/parse.h"
#include "net/netspec.h"

#define MTU_MIN  68
#define MTU6_MIN 1280
#define MTU_MAX  65535

/* ---- -o ---- */

#define ON(driver) (1U << (driver))
#define BRIDGE     ON(NETWORK_BRIDGE)
#define CHILDREN   (ON(NETWORK_MACVLAN) | ON(NETWORK_IPVLAN) | ON(NETWORK_VLAN))
#define PARENTED   (CHILDREN | ON(NETWORK_HOST_DEVICE))
#define MADE       (BRIDGE | CHILDREN)
#define ALL        (BRIDGE | PARENTED)

enum key_kind { KEY_BOOL, KEY_NOT_BOOL, KEY_NUMBER, KEY_IFNAME, KEY_ADDR, KEY_WORD, KEY_MODE };
struct key {
	const char *name;
	enum key_kind kind;
	unsigned int drivers;
	size_t offset; /* in struct network */
	uint32_t max;
	const char *words; /* that KEY_WORD may be, with commas around each */
};
#define AT(member) offsetof(struct network, member)
#define DOCKER     "com.docker.network."
#define MODES      ",bridge,private,vepa,passthru,l2,l3,l3s,"

static const struct key keys[] = {
	{ DOCKER "bridge.name", KEY_IFNAME, BRIDGE, AT(bridge), 0, NULL },
	{ DOCKER "bridge.enable_icc", KEY_NOT_BOOL, BRIDGE, AT(options.no_icc), 0, NULL },
	{ DOCKER "bridge.enable_ip_masquerade", KEY_NOT_BOOL, BRIDGE, AT(options.no_masquerade), 0,
	  NULL },
	{ DOCKER "bridge.host_binding_ipv4", KEY_ADDR, BRIDGE, AT(options.host_binding), 0, NULL },
	{ DOCKER "bridge.gateway_mode_ipv4", KEY_MODE, BRIDGE, 0, 0, NULL },
	{ DOCKER "bridge.gateway_mode_ipv6", KEY_MODE, BRIDGE, 0, 0, NULL },
	{ DOCKER "driver.mtu", KEY_NUMBER, MADE, AT(options.mtu), MTU_MAX, NULL },
	{ DOCKER "container_iface_prefix", KEY_IFNAME, ALL, AT(options.iface_prefix), 0, NULL },
	{ "isolate", KEY_NOT_BOOL, BRIDGE, AT(options.open), 0, NULL },
	{ "ipvlan_mode", KEY_WORD, ON(NETWORK_IPVLAN), AT(options.mode), 0, MODES },
	{ "macvlan_mode", KEY_WORD, ON(NETWORK_MACVLAN), AT(options.mode), 0, MODES },
	{ "metric", KEY_NUMBER, ALL, AT(options.metric), UINT32_MAX, NULL },
	{ "mode", KEY_WORD, CHILDREN, AT(options.mode), 0, MODES },
	{ "mtu", KEY_NUMBER, MADE, AT(options.mtu), MTU_MAX, NULL },
	{ "no_default_route", KEY_BOOL, ALL, AT(options.no_default_route), 0, NULL },
	{ "parent", KEY_IFNAME, PARENTED, AT(options.parent), 0, NULL },
	{ "vlan", KEY_NUMBER, ON(NETWORK_VLAN), AT(options.vlan), 4094, NULL },
};

static void list_keys(const struct network *net, bool dockers, struct buf *list)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *rest = str_after(keys[i].name, DOCKER);

		if (keys[i].drivers & ON((unsigned int)net->driver) && !rest == !dockers)
			buf_addf(list, "%s%s", list->len ? ", " : "", rest ? rest : keys[i].name);
	}
}

static int key_unknown(const struct network *net, const char *key, struct err *err)
{
	cleanup_buf struct buf own = BUF_INIT, dockers = BUF_INIT;
	int r = err_fail(err, ERR_USAGE, "unsupported %s network option %s",
			 network_driver_names[net->driver], key);

	list_keys(net, false, &own);
	list_keys(net, true, &dockers);
	return err_hint(err, r, "expected %s; or " DOCKER " and %s", buf_str(&own),
			buf_str(&dockers));
}

static int value_bad(const char *key, const char *value, const char *expected, struct err *err)
{
	return err_fail(err, ERR_USAGE, "invalid value %s of network option %s: expected %s", value,
			key, expected);
}

static int set_number(const struct key *k, const char *value, uint32_t *ret, struct err *err)
{
	cleanup_free char *expected = xasprintf("a number up to %u", k->max);

	if (str_parse_u32(value, ret) < 0 || *ret > k->max)
		return value_bad(k->name, value, expected, err);
	return 0;
}

static int set_text(const struct key *k, const char *value, char **ret, struct err *err)
{
	cleanup_free char *word = xasprintf(",%s,", value);
	struct net_addr addr;

	if (k->kind == KEY_IFNAME && !str_is_ifname(value))
		return value_bad(k->name, value, "the name of an interface", err);
	if (k->kind == KEY_ADDR && net_addr_parse(value, &addr, err) < 0)
		return value_bad(k->name, value, "an address of this host", err);
	if (k->kind == KEY_WORD && !strstr(k->words, word))
		return value_bad(k->name, value,
				 "bridge, private, vepa or passthru; l2, l3 or l3s of an ipvlan",
				 err);
	free(*ret);
	*ret = xstrdup(value);
	return 0;
}

static int set(const struct key *k, struct network *net, const char *value, struct err *err)
{
	void *at = (char *)net + k->offset;
	bool b = false;

	switch (k->kind) {
	case KEY_BOOL:
	case KEY_NOT_BOOL:
		/* podman's isolate=strict is what isolation is here */
		if (str_parse_bool(value, &b) < 0 && !(b = str_eq(value, "strict")))
			return value_bad(k->name, value, "true or false", err);
		*(bool *)at = b == (k->kind == KEY_BOOL);
		return 0;
	case KEY_NUMBER:
		return set_number(k, value, at, err);
	case KEY_MODE:
		net->options.routed = str_eq(value, "routed");
		net->options.no_masquerade |= net->options.routed;
		return net->options.routed || str_eq(value, "nat")
			   ? 0
			   : value_bad(k->name, value, "nat or routed", err);
	case KEY_IFNAME:
	case KEY_ADDR:
	case KEY_WORD:
		break;
	}
	return set_text(k, value, at, err);
}

int network_option(struct network *net, const char *key, const char *value, struct err *err)
{
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!str_eq(keys[i].name, key) ||
		    !(keys[i].drivers & ON((unsigned int)net->driver)))
			continue;
		r = set(&keys[i], net, value, err);
		if (r == 0)
			json_map_set(&net->options.given, key, value);
		return r;
	}
	return key_unknown(net, key, err);
}

/* ---- subnets, gateways, ranges ---- */

static struct network_ip *ip_of(struct network *net, int family)
{
	return family == AF_INET6 ? &net->ip6 : &net->ip4;
}

/* Of which no container can have an address. */
static bool is_unusable(const struct subnet *s)
{
	static const char *const texts[] = { "0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4",
					     "::/127",    "fe80::/10",   "ff00::/8" };
	struct subnet other;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (subnet_parse(texts[i], &other, NULL) == 0 && subnet_overlaps(&other, s))
			return true;
	return false;
}

static int subnets_read(const struct network_asked *asked, struct network *net, struct err *err)
{
	struct subnet s;
	int r;

	for (size_t i = 0; asked->subnets && asked->subnets[i]; i++) {
		r = subnet_parse(asked->subnets[i], &s, err);
		if (r < 0)
			return err_wrap(err, r, "invalid --subnet");
		if (is_unusable(&s))
			return err_fail(
			    err, ERR_USAGE,
			    "invalid --subnet %s: in it are addresses of loopback, of a "
			    "link, or of multicast",
			    asked->subnets[i]);
		struct network_ip *ip = ip_of(net, s.base.family);
		if (ip->subnet.base.family)
			return err_fail(err, ERR_UNSUPPORTED,
					"a network has one subnet of IPv4 and one of IPv6: %s is "
					"one more",
					asked->subnets[i]);
		ip->subnet = s;
	}
	return 0;
}

/* One that containers might have. */
static bool is_host_of(const struct subnet *s, const struct net_addr *a)
{
	uint64_t first, last, host;

	if (s->base.family != a->family || subnet_host(s, a, &host) < 0)
		return false;
	subnet_hosts(s, &first, &last);
	return host >= first && host <= last;
}

static int gateways_read(const struct network_asked *asked, struct network *net, struct err *err)
{
	struct net_addr a;
	int r;

	for (size_t i = 0; asked->gateways && asked->gateways[i]; i++) {
		r = net_addr_parse(asked->gateways[i], &a, err);
		if (r < 0)
			return err_wrap(err, r, "invalid --gateway");
		struct network_ip *ip = ip_of(net, a.family);
		if (!is_host_of(&ip->subnet, &a))
			return err_fail(err, ERR_USAGE, "no matching subnet for gateway %s",
					asked->gateways[i]);
		if (ip->gateway.family)
			return err_fail(err, ERR_USAGE,
					"cannot configure multiple gateways (%s) on the same "
					"subnet",
					asked->gateways[i]);
		ip->gateway = a;
	}
	return 0;
}

static int range_parse(const char *text, struct net_addr *first, struct net_addr *last,
		       struct err *err)
{
	const char *dash = strchr(text, '-');
	struct subnet s;
	uint64_t a, b;
	int r;

	if (dash) {
		cleanup_free char *from = xstrndup(text, (size_t)(dash - text));

		r = net_addr_parse(from, first, err);
		return r < 0 ? r : net_addr_parse(dash + 1, last, err);
	}
	r = subnet_parse(text, &s, err);
	if (r < 0)
		return r;
	subnet_hosts(&s, &a, &b);
	/* All of it: the first and the last are addresses like others in a larger subnet. */
	a = a ? a - 1 : 0;
	if (s.base.family == AF_INET && s.prefix < 31)
		b++;
	r = subnet_address(&s, a, first);
	return r < 0 ? r : subnet_address(&s, b, last);
}

static int range_read(const char *text, struct network *net, struct err *err)
{
	struct net_addr first, last;
	uint64_t lo, hi, a, b;
	int r = range_parse(text, &first, &last, err);

	if (r < 0)
		return err_wrap(err, r, "invalid --ip-range");
	struct network_ip *ip = ip_of(net, first.family);
	if (ip->subnet.base.family != last.family || subnet_host(&ip->subnet, &first, &a) < 0 ||
	    subnet_host(&ip->subnet, &last, &b) < 0)
		return err_fail(err, ERR_USAGE, "no matching subnet for range %s", text);
	if (ip->ranged)
		return err_fail(err, ERR_USAGE,
				"cannot configure multiple ranges (%s) on the same subnet", text);
	subnet_hosts(&ip->subnet, &lo, &hi);
	a = a < lo ? lo : a;
	b = b > hi ? hi : b;
	if (a > b)
		return err_fail(err, ERR_USAGE, "range %s has no address", text);
	ip->ranged = true;
	r = subnet_address(&ip->subnet, a, &ip->first);
	return r < 0 ? r : subnet_address(&ip->subnet, b, &ip->last);
}

static int aux_read(const char *word, struct network *net, struct err *err)
{
	const char *eq = strchr(word, '=');
	cleanup_free char *name = eq ? xstrndup(word, (size_t)(eq - word)) : NULL;
	struct net_addr a;
	int r;

	if (!name || !name[0])
		return err_fail(err, ERR_USAGE, "invalid --aux-address %s: expected NAME=ADDRESS",
				word);
	r = net_addr_parse(eq + 1, &a, err);
	if (r < 0)
		return err_wrap(err, r, "invalid --aux-address %s", word);
	if (!is_host_of(&ip_of(net, a.family)->subnet, &a))
		return err_fail(err, ERR_USAGE, "no matching subnet for aux-address %s", eq + 1);
	json_map_set(&net->options.aux, name, eq + 1);
	return 0;
}

static int addresses_read(const struct network_asked *asked, struct network *net, struct err *err)
{
	int r = subnets_read(asked, net, err);

	if (r == 0)
		r = gateways_read(asked, net, err);
	for (size_t i = 0; r == 0 && asked->ranges && asked->ranges[i]; i++)
		r = range_read(asked->ranges[i], net, err);
	for (size_t i = 0; r == 0 && asked->aux && asked->aux[i]; i++)
		r = aux_read(asked->aux[i], net, err);
	return r;
}

/* ---- all ---- */

int network_servers_check(char *const *servers, struct err *err)
{
	struct net_addr a;

	if (strv_len(servers) > NETWORK_DNS_MAX)
		return err_fail(err, ERR_LIMIT, "%zu name servers: at most %d", strv_len(servers),
				NETWORK_DNS_MAX);
	for (size_t i = 0; servers && servers[i]; i++) {
		int r = net_addr_parse(servers[i], &a, err);

		if (r < 0)
			return err_wrap(err, r, "invalid name server");
	}
	return 0;
}

static int name_read(const char *name, struct network *net, struct err *err)
{
	if (!name)
		return 0;
	if (!netspec_is_name(name) || strlen(name) > NAME_MAX_LEN)
		return err_fail(err, ERR_USAGE,
				"network name %s invalid: names must match "
				"[a-zA-Z0-9][a-zA-Z0-9_.-]* and have at most %d characters",
				name, NAME_MAX_LEN);
	if (netspec_is_reserved(name))
		return err_fail(err, ERR_DENIED,
				"operation is not permitted on predefined %s network: it is a word "
				"of --network",
				name);
	net->name = xstrdup(name);
	return 0;
}

static int driver_read(const struct network_asked *asked, struct network *net, struct err *err)
{
	cleanup_free char *all = strv_join((char **)network_driver_names, ", ");
	const char *word = asked->driver ? asked->driver : "bridge";
	const char *ipam = asked->ipam_driver ? asked->ipam_driver : "default";

	for (net->driver = 0; network_driver_names[net->driver]; net->driver++)
		if (str_eq(network_driver_names[net->driver], word))
			break;
	if (!network_driver_names[net->driver])
		return err_hint(err,
				err_fail(err, ERR_USAGE, "could not find network driver %s", word),
				"expected one of %s", all);
	net->options.no_ipam = str_eq(ipam, "none") || (net->driver == NETWORK_HOST_DEVICE &&
							!asked->ipam_driver && !asked->subnets);
	if (str_eq(ipam, "dhcp"))
		return err_fail(err, ERR_UNSUPPORTED,
				"there is no DHCP client for containers' addresses: give --subnet");
	if (!net->options.no_ipam && !str_eq(ipam, "default") && !str_eq(ipam, "host-local"))
		return err_fail(err, ERR_USAGE,
				"invalid --ipam-driver %s: expected default, host-local or none",
				ipam);
	if (net->options.no_ipam && (asked->subnets || net->driver == NETWORK_BRIDGE))
		return err_fail(err, ERR_USAGE,
				"--ipam-driver none is for networks without subnets that are no "
				"bridges");
	return 0;
}

static int interface_read(const char *name, struct network *net, struct err *err)
{
	char **at = net->driver == NETWORK_BRIDGE ? &net->bridge : &net->options.parent;

	if (!name)
		return 0;
	if (!str_is_ifname(name))
		return err_fail(err, ERR_USAGE, "invalid --interface-name %s", name);
	free(*at);
	*at = xstrdup(name);
	return 0;
}

static int options_read(const struct network_asked *asked, struct network *net, struct err *err)
{
	struct json_map given = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && asked->labels && asked->labels[i]; i++)
		r = label_parse(asked->labels[i], "label", &net->labels, err);
	for (size_t i = 0; r == 0 && asked->opts && asked->opts[i]; i++)
		r = label_parse(asked->opts[i], "option", &given, err);
	for (size_t i = 0; r == 0 && i < given.n; i++)
		r = network_option(net, given.items[i].key, given.items[i].value, err);
	json_map_done(&given);
	return r;
}

/* What rules of others say of an interface, too: "+" stands for any letters to iptables(8), as "*"
 * does to nft(8), and "%" to the kernel. */
static int made_name_check(const char *name, struct err *err)
{
	if (!name || netspec_is_name(name))
		return 0;
	return err_fail(err, ERR_USAGE,
			"%s: new interfaces have letters, digits, \"_\", \".\" and \"-\" in their "
			"names",
			name);
}

static int whole_check(const struct network *net, struct err *err)
{
	uint32_t mtu = net->options.mtu;

	if (made_name_check(net->bridge, err) < 0 ||
	    made_name_check(net->options.iface_prefix, err) < 0)
		return -EINVAL;
	if (mtu && mtu < MTU_MIN)
		return err_fail(err, ERR_USAGE, "invalid MTU %u: expected %d to %d", mtu, MTU_MIN,
				MTU_MAX);
	if (mtu && mtu < MTU6_MIN && net->ip6.subnet.base.family)
		return err_fail(err, ERR_USAGE, "invalid MTU %u: IPv6 needs %d", mtu, MTU6_MIN);
	if (net->options.iface_prefix && strlen(net->options.iface_prefix) > 12)
		return err_fail(err, ERR_USAGE,
				"the prefix of interfaces %s is too long: at most 12 characters",
				net->options.iface_prefix);
	if (net->driver != NETWORK_BRIDGE && !net->options.parent)
		return err_fail(err, ERR_USAGE, "a %s network needs a parent: -o parent=INTERFACE",
				network_driver_names[net->driver]);
	if (net->driver == NETWORK_VLAN && !net->options.vlan)
		return err_fail(err, ERR_USAGE, "a vlan network needs its number: -o vlan=ID");
	return 0;
}

int network_asked_read(const struct network_asked *asked, struct network *net, struct err *err)
{
	int r = name_read(asked->name, net, err);

	if (r == 0)
		r = driver_read(asked, net, err);
	if (r == 0)
		r = interface_read(asked->interface, net, err);
	if (r == 0)
		r = options_read(asked, net, err);
	if (r == 0)
		r = addresses_read(asked, net, err);
	if (r == 0)
		r = network_servers_check(asked->dns, err);
	net->options.internal = asked->internal;
	net->options.no_dns = asked->disable_dns;
	net->options.dns = strv_copy(asked->dns);
	return r < 0 ? r : whole_check(net, err);
}

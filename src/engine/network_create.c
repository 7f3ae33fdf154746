/* SPDX-License-Identifier: Apache-2.0 */
/* What is chosen for a new network: its subnets, its bridge's name. */
#include <sys/random.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/networks_internal.h"
#include "net/veth.h"

#define BRIDGE_PREFIX     "inro"
#define PREFIX4           24
#define PREFIX4_LARGE     16 /* of the default network */
#define PREFIX6           64
#define RANDOM_TRIES      16
#define PREFIX_EVERYWHERE 7 /* of a route: not longer ones say "all the rest", not "over there" */

/* docker's first is 172.17.0.0/16, podman's are 10.88.0.0/16 and 10.89.0.0/24 ..., which are only
 * to be seen while one of their containers runs. */
static const char *const pool_texts[] = {
	"10.90.0.0/15", "10.92.0.0/14",  "10.96.0.0/11",
	"10.128.0.0/9", "172.16.0.0/12", "192.168.0.0/16",
};

/* What is taken. */
struct taken {
	struct subnet *items;
	size_t n;
	struct network_list networks;
	struct rtnl_routes routes;
};

static void taken_done(struct taken *t)
{
	free(t->items);
	network_list_done(&t->networks);
	rtnl_routes_done(&t->routes);
}
#define cleanup_taken CLEANUP(taken_done)

static struct subnet route_subnet(const struct rtnl_route *route)
{
	struct subnet s = { .base.family = route->family, .prefix = route->prefix_len };

	memcpy(s.base.bytes, route->to, route->family == AF_INET6 ? 16 : 4);
	return s;
}

/* Behind the networks in t->items: routes that lead to some place. */
static void take_all(struct taken *t)
{
	t->items = xcalloc(t->networks.n * 2 + t->routes.n + 1, sizeof(*t->items));
	for (size_t i = 0; i < t->networks.n; i++) {
		if (t->networks.items[i].ip4.subnet.base.family)
			t->items[t->n++] = t->networks.items[i].ip4.subnet;
		if (t->networks.items[i].ip6.subnet.base.family)
			t->items[t->n++] = t->networks.items[i].ip6.subnet;
	}
	for (size_t i = 0; i < t->routes.n; i++)
		if (t->routes.items[i].prefix_len > PREFIX_EVERYWHERE)
			t->items[t->n++] = route_subnet(&t->routes.items[i]);
}

/* ---- subnets ---- */

static int overlaps(const struct network *net, const char *what, const struct subnet *s,
		    struct err *err)
{
	const struct network_ip ip = { .subnet = *s };
	cleanup_free char *text = network_subnet_text(&ip);

	return err_fail(err, ERR_CONFLICT, "subnet %s of the new network%s%s is already used by %s",
			text, net->name ? " " : "", net->name ? net->name : "", what);
}

/* A given one may be part of what a wider route leads to, but not hold a narrower one. */
static int given_check(const struct network *net, const struct subnet *s, const struct taken *t,
		       struct err *err)
{
	for (size_t i = 0; i < t->networks.n; i++) {
		const struct network *n = &t->networks.items[i];
		cleanup_free char *what = xasprintf("network %s", n->name);

		if ((n->ip4.subnet.base.family && subnet_overlaps(&n->ip4.subnet, s)) ||
		    (n->ip6.subnet.base.family && subnet_overlaps(&n->ip6.subnet, s)))
			return overlaps(net, what, s, err);
	}
	for (size_t i = 0; net->driver == NETWORK_BRIDGE && i < t->routes.n; i++) {
		const struct rtnl_route *route = &t->routes.items[i];
		struct network_ip ip = { .subnet = route_subnet(route) };

		if (route->prefix_len < s->prefix || route->prefix_len == 0 ||
		    !subnet_overlaps(&ip.subnet, s))
			continue;
		cleanup_free char *to = network_subnet_text(&ip);
		cleanup_free char *what = xasprintf("this host: it has a route to %s", to);
		return overlaps(net, what, s, err);
	}
	return 0;
}

static int choose4(const struct network *net, const struct taken *t, struct subnet *ret,
		   struct err *err)
{
	struct subnet pools[ARRAY_SIZE(pool_texts)];
	uint8_t prefix = network_is_default(net) ? PREFIX4_LARGE : PREFIX4;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(pools); i++)
		if (subnet_parse(pool_texts[i], &pools[i], err) < 0)
			return -EINVAL;
	r = subnet_choose(pools, ARRAY_SIZE(pools), prefix, t->items, t->n, ret);
	if (r < 0 && prefix != PREFIX4)
		r = subnet_choose(pools, ARRAY_SIZE(pools), PREFIX4, t->items, t->n, ret);
	if (r == 0)
		return 0;
	r = err_fail(err, ERR_LIMIT,
		     "could not find an available subnet: networks and routes of this host take "
		     "all of 10.90.0.0 to 10.255.255.255, 172.16.0.0/12 and 192.168.0.0/16");
	return err_hint(err, r, "give one with --subnet, or look at ip route");
}

/* RFC 4193: 40 random bits behind fd. */
static int choose6(const struct taken *t, struct subnet *ret, struct err *err)
{
	for (int i = 0; i < RANDOM_TRIES; i++) {
		struct subnet s = { .base.family = AF_INET6, .prefix = PREFIX6 };
		bool free = true;

		s.base.bytes[0] = 0xfd;
		if (getrandom(s.base.bytes + 1, 5, 0) != 5)
			return err_errno(err, errno, "choosing an IPv6 subnet");
		for (size_t k = 0; k < t->n; k++)
			free = free && !subnet_overlaps(&t->items[k], &s);
		if (free) {
			*ret = s;
			return 0;
		}
	}
	return err_fail(err, ERR_LIMIT,
			"could not find an available IPv6 subnet: give one with "
			"--subnet");
}

/* The gateway, and which addresses are given. */
static int ip_complete(struct network_ip *ip, struct err *err)
{
	uint64_t first, last;
	int r = 0;

	subnet_hosts(&ip->subnet, &first, &last);
	if (!ip->gateway.family)
		r = subnet_address(&ip->subnet, first, &ip->gateway);
	if (last - first >= NETWORK_HOSTS_MAX)
		last = first + NETWORK_HOSTS_MAX - 1;
	if (r == 0 && !ip->ranged)
		r = subnet_address(&ip->subnet, first, &ip->first);
	if (r == 0 && !ip->ranged)
		r = subnet_address(&ip->subnet, last, &ip->last);
	return r < 0 ? err_errno(err, -r, "choosing addresses") : 0;
}

static int wanted(const char *word, const char *option, bool initial, bool given, bool *ret,
		  struct err *err)
{
	*ret = initial || given;
	if (word && str_parse_bool(word, ret) < 0)
		return err_fail(err, ERR_USAGE, "invalid %s=%s: expected true or false", option,
				word);
	if (given && !*ret)
		return err_fail(err, ERR_USAGE, "a subnet of %s with %s=false",
				str_eq(option, "--ipv6") ? "IPv6" : "IPv4", option);
	return 0;
}

static int subnets_choose(const struct network_asked *asked, struct network *net,
			  const struct taken *t, struct err *err)
{
	bool small = net->options.mtu && net->options.mtu < 1280;
	bool ip6 = veth_has_ipv6() && !small, want4 = false, want6 = false;
	bool own = net->driver == NETWORK_BRIDGE;
	int r;

	/* The others are somebody else's subnets: they can't be chosen. */
	r = wanted(asked->ipv4, "--ipv4", own, net->ip4.subnet.base.family, &want4, err);
	if (r == 0)
		r = wanted(asked->ipv6, "--ipv6", own && ip6, net->ip6.subnet.base.family, &want6,
			   err);
	if (r == 0 && !want4 && !want6 && !net->options.no_ipam)
		return err_fail(err, ERR_USAGE, "a network without addresses: %s",
				own ? "IPv4 or IPv6 must be enabled"
				    : "give --subnet, or "
				      "--ipam-driver none");
	if (r == 0 && net->ip4.subnet.base.family)
		r = given_check(net, &net->ip4.subnet, t, err);
	else if (r == 0 && want4)
		r = choose4(net, t, &net->ip4.subnet, err);
	if (r == 0 && net->ip6.subnet.base.family)
		r = given_check(net, &net->ip6.subnet, t, err);
	else if (r == 0 && want6)
		r = choose6(t, &net->ip6.subnet, err);
	if (r == 0 && want4)
		r = ip_complete(&net->ip4, err);
	if (r == 0 && want6)
		r = ip_complete(&net->ip6, err);
	return r;
}

/* ---- the bridge ---- */

static bool bridge_is_taken(const struct network_list *all, const char *name)
{
	for (size_t i = 0; i < all->n; i++)
		if (str_eq(all->items[i].bridge, name))
			return true;
	return false;
}

/* There is an interface of that name; a bridge of ours that is left is made use of again. */
static bool link_is_there(struct engine *eng, int sock, const char *name)
{
	struct rtnl_link link;

	/* A user's are in a namespace of their own. */
	return !eng->rootless && rtnl_link_read(sock, name, &link, NULL) == 0;
}

static int bridge_choose(struct engine *eng, struct network *net, const struct taken *t, int sock,
			 struct err *err)
{
	if (net->driver != NETWORK_BRIDGE)
		return 0;
	if (net->bridge && bridge_is_taken(&t->networks, net->bridge))
		return err_fail(err, ERR_CONFLICT, "bridge name %s is already in use by a network",
				net->bridge);
	if (net->bridge && link_is_there(eng, sock, net->bridge))
		return err_fail(err, ERR_CONFLICT,
				"there is an interface %s already: a network makes its own bridge",
				net->bridge);
	for (unsigned int i = 0; !net->bridge; i++) {
		cleanup_free char *name = xasprintf(BRIDGE_PREFIX "%u", i);

		if (!bridge_is_taken(&t->networks, name) && !link_is_there(eng, sock, name))
			net->bridge = take_ptr(name);
	}
	return 0;
}

static int parent_check(struct engine *eng, const struct network *net, int sock, struct err *err)
{
	struct rtnl_link link;
	int r;

	if (net->driver == NETWORK_BRIDGE)
		return 0;
	if (eng->rootless)
		return err_fail(err, ERR_UNSUPPORTED,
				"a %s network needs root: the host's interfaces are not a user's",
				network_driver_names[net->driver]);
	r = rtnl_link_read(sock, net->options.parent, &link, err);
	if (r == -ENODEV)
		return err_fail(err, ERR_NOT_FOUND, "parent interface %s does not exist",
				net->options.parent);
	return r;
}

/* ---- all ---- */

static const struct network *named(const struct network_list *all, const char *name)
{
	for (size_t i = 0; i < all->n; i++)
		if (str_eq(all->items[i].name, name))
			return &all->items[i];
	return NULL;
}

static char *name_choose(const struct network_list *all)
{
	for (unsigned int i = 1;; i++) {
		cleanup_free char *name = xasprintf("network%u", i);

		if (!named(all, name))
			return take_ptr(name);
	}
}

static int keep_addresses(struct engine *eng, const struct network *net, struct err *err)
{
	const struct json_map *aux = &net->options.aux;
	struct net_addr a;
	int r = 0;

	if (net->ip4.gateway.family)
		r = lease_keep(eng, net, &net->ip4.gateway, err);
	if (r == 0 && net->ip6.gateway.family)
		r = lease_keep(eng, net, &net->ip6.gateway, err);
	for (size_t i = 0; r == 0 && i < aux->n; i++) {
		r = net_addr_parse(aux->items[i].value, &a, err);
		if (r == 0)
			r = lease_keep(eng, net, &a, err);
	}
	return r;
}

static int create_locked(struct engine *eng, const struct network_asked *asked, int sock,
			 struct taken *t, struct network *net, struct err *err)
{
	int r = networks_list(eng, &t->networks, err);

	if (r < 0)
		return r;
	if (net->name && named(&t->networks, net->name))
		return err_fail(err, ERR_EXISTS, "network with name %s already exists", net->name);
	if (!net->name)
		net->name = name_choose(&t->networks);
	take_all(t);
	r = parent_check(eng, net, sock, err);
	if (r == 0)
		r = subnets_choose(asked, net, t, err);
	if (r == 0)
		r = bridge_choose(eng, net, t, sock, err);
	if (r == 0)
		r = network_insert(eng, net, err);
	return r < 0 ? r : keep_addresses(eng, net, err);
}

static int create(struct engine *eng, const struct network_asked *asked, struct network *net,
		  struct err *err)
{
	cleanup_taken struct taken t = { 0 };
	char id[HEX_ID_LEN + 1];
	int r = hex_random_id(id);

	if (r < 0)
		return err_errno(err, -r, "choosing an id");
	net->id = xstrdup(id);
	net->created_ns = time_now_ns();
	cleanup_fd int sock = rtnl_open(err);
	if (sock < 0)
		return sock;
	r = rtnl_routes_read(sock, &t.routes, err);
	if (r == 0)
		r = engine_db(eng, err);
	if (r == 0)
		r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	r = db_end(eng->db, create_locked(eng, asked, sock, &t, net, err), err);
	/* Who has been told its name will look for it after a power cut. */
	return r < 0 ? r : db_sync(eng->db, err);
}

int network_create(struct engine *eng, const struct network_asked *asked, struct network *ret,
		   struct err *err)
{
	cleanup_network struct network net = { 0 };
	int r = network_asked_read(asked, &net, err);

	if (r == 0)
		r = create(eng, asked, &net, err);
	if (r < 0)
		return r;
	*ret = net;
	net = (struct network){ 0 };
	return 0;
}

int network_default_make(struct engine *eng, struct err *err)
{
	cleanup_network struct network net = { .name = xstrdup(NETWORK_DEFAULT) };
	struct network_asked asked = { 0 };
	struct err own = ERR_INIT;
	int r = create(eng, &asked, &net, &own);

	if (r == 0 || own.kind == ERR_EXISTS)
		return 0;
	if (err)
		*err = own;
	return err_wrap(err, r, "making the default network " NETWORK_DEFAULT);
}

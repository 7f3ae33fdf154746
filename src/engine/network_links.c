/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_links.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/str.h"
#include "engine/network_devices.h"
#include "engine/network_place.h"
#include "sys/ns.h"

#define LINK_LOCAL_PREFIX4 16
#define LINK_LOCAL_PREFIX6 64
#define ALIAS              "inro " /* of a bridge; its network's id follows */

/* Everything that struct veth_plug borrows. */
struct plug {
	struct rtnl_bridge bridge;
	struct net_child child;
	char *alias, *outside;
	struct rtnl_addr *gateways, *addrs;
	struct rtnl_route routes[2];
};

struct plugs {
	int netns, dir;
	bool keep;
	struct veth_plug *items;
	struct plug *data;
	size_t n, looked_at;
};

static void plugs_done(struct plugs *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->data[i].alias);
		free(p->data[i].outside);
		free(p->data[i].gateways);
		free(p->data[i].addrs);
	}
	free(p->data);
	free(p->items);
}

static struct rtnl_addr addr_of(const struct net_addr *a, uint8_t prefix, uint8_t scope)
{
	struct rtnl_addr ret = {
		.family = a->family,
		.prefix_len = prefix,
		.scope = scope,
		.len = a->family == AF_INET ? 4 : 16,
		.have_local = true,
		.flags = a->family == AF_INET6 ? IFA_F_NODAD : 0,
	};

	memcpy(ret.local, a->bytes, ret.len);
	if (a->family == AF_INET && prefix < 31 && scope == RT_SCOPE_UNIVERSE) {
		uint32_t host = UINT32_MAX >> prefix;

		ret.have_broadcast = true;
		for (int i = 0; i < 4; i++)
			ret.broadcast[i] = (uint8_t)(a->bytes[i] | host >> (24 - 8 * i));
	}
	return ret;
}

static void bridge_of(const struct network *net, struct plug *to)
{
	const struct network_ip *const ips[] = { &net->ip4, &net->ip6 };
	const struct net_addr *first = NULL;
	struct rtnl_bridge *b = &to->bridge;
	size_t n = 0;

	to->gateways = xcalloc(3, sizeof(*to->gateways));
	to->alias = xasprintf(ALIAS "%s", net->id);
	*b = (struct rtnl_bridge){ .name = net->bridge,
				   .alias = to->alias,
				   .mtu = net->options.mtu,
				   .addrs = to->gateways };
	for (size_t i = 0; i < ARRAY_SIZE(ips); i++) {
		if (!ips[i]->subnet.base.family)
			continue;
		b->ipv6 |= ips[i]->subnet.base.family == AF_INET6;
		if (!first)
			first = &ips[i]->subnet.base;
		if (!ips[i]->gateway.family)
			continue;
		if (!n)
			first = &ips[i]->gateway;
		to->gateways[n++] =
		    addr_of(&ips[i]->gateway, ips[i]->subnet.prefix, RT_SCOPE_UNIVERSE);
	}
	b->ipv6 &= veth_has_ipv6();
	if (first)
		net_addr_mac(first, b->mac);
	if (!b->ipv6)
		while (n && to->gateways[n - 1].family == AF_INET6)
			n--;
	else
		to->gateways[n++] = rtnl_addr_link_local(b->mac);
	b->n_addrs = n;
}

static void child_of(const struct network *net, struct plug *to)
{
	static const int kinds[] = { [NETWORK_MACVLAN] = RTNL_MACVLAN,
				     [NETWORK_IPVLAN] = RTNL_IPVLAN,
				     [NETWORK_VLAN] = RTNL_VLAN };

	to->child = (struct net_child){ .kind = kinds[net->driver],
					.parent = net->options.parent,
					.mode = net->options.mode,
					.vlan = (uint16_t)net->options.vlan };
}

static const struct network_ip *ip_of(const struct net_link *l, int family)
{
	return family == AF_INET ? &l->net.ip4 : &l->net.ip6;
}

static bool leads_out(const struct net_link *l, int family)
{
	const struct network_options *o = &l->net.options;

	return ip_of(l, family)->gateway.family && !o->internal && !o->no_default_route;
}

/* Which interface has the default route: the one of the highest priority, of several such the one
 * that was asked for first. */
static const struct net_link *way_out(const struct net_start *ns, size_t n, int family)
{
	const struct net_link *best = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct net_link *l = &ns->links[i];

		if (leads_out(l, family) &&
		    (!best || l->asked.asked.gw_priority > best->asked.asked.gw_priority))
			best = l;
	}
	return best;
}

static void addrs_of(const struct net_link *l, struct veth_plug *v, struct plug *to)
{
	const struct netspec *asked = &l->asked.asked;
	size_t n = 0;

	to->addrs = xcalloc(2 + asked->n_link_local, sizeof(*to->addrs));
	if (l->addrs.ip4.family)
		to->addrs[n++] =
		    addr_of(&l->addrs.ip4, l->net.ip4.subnet.prefix, RT_SCOPE_UNIVERSE);
	if (l->addrs.ip6.family)
		to->addrs[n++] =
		    addr_of(&l->addrs.ip6, l->net.ip6.subnet.prefix, RT_SCOPE_UNIVERSE);
	for (size_t i = 0; i < asked->n_link_local; i++)
		to->addrs[n++] =
		    addr_of(&asked->link_local[i],
			    asked->link_local[i].family == AF_INET ? LINK_LOCAL_PREFIX4
								   : LINK_LOCAL_PREFIX6,
			    RT_SCOPE_LINK);
	v->addrs = to->addrs;
	v->n_addrs = n;
}

/* first: the others are there already, and so is a default route if one of them leads out, which
 * this one may have a better claim to. */
static void routes_of(const struct net_start *ns, const struct net_link *l, size_t first,
		      struct veth_plug *v, struct plug *to)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		const struct net_addr *gateway = &ip_of(l, families[i])->gateway;
		struct rtnl_route *route = &to->routes[v->n_routes];

		if (way_out(ns, ns->n, families[i]) != l ||
		    (families[i] == AF_INET6 && !veth_has_ipv6()))
			continue;
		*route = (struct rtnl_route){ .family = (uint8_t)families[i],
					      .have_gateway = true,
					      .replace = first > 0,
					      .metric = l->net.options.metric };
		memcpy(route->gateway, gateway->bytes, sizeof(route->gateway));
		v->n_routes++;
	}
	v->routes = to->routes;
}

/* Of a veth. Where it is taken, and nobody has asked for it, a letter follows (net/veth.c). */
static char *outside_name(const char *owner, const struct endpoint *ep)
{
	return ep->asked.host_interface ? xstrdup(ep->asked.host_interface)
					: xasprintf("iv%.8s%d", owner, ep->position % 1000);
}

static const char *device_of(const struct net_link *l)
{
	return l->net.driver == NETWORK_HOST_DEVICE ? l->net.options.parent : NULL;
}

/* Of those from the first on: a container that runs gets one more. */
static void plugs_make(const struct net_start *ns, size_t first, struct plugs *p)
{
	p->n = ns->n - first;
	p->items = xcalloc(p->n, sizeof(*p->items));
	p->data = xcalloc(p->n, sizeof(*p->data));
	for (size_t i = 0; i < p->n; i++) {
		const struct net_link *l = &ns->links[first + i];
		const struct netspec *asked = &l->asked.asked;
		struct veth_plug *v = &p->items[i];
		struct plug *to = &p->data[i];

		if (l->net.driver == NETWORK_BRIDGE)
			bridge_of(&l->net, to);
		else if (l->net.driver != NETWORK_HOST_DEVICE)
			child_of(&l->net, to);
		to->outside = outside_name(ns->owner, &l->asked);
		*v = (struct veth_plug){ .bridge = &to->bridge,
					 .child = to->child.parent ? &to->child : NULL,
					 .device = device_of(l),
					 .no_mac = !l->asked.asked.has_mac &&
						   !l->addrs.ip4.family && !l->addrs.ip6.family,
					 .outside = to->outside,
					 .own_name = asked->host_interface != NULL,
					 .inside = l->asked.ifname,
					 .mtu = asked->mtu ? asked->mtu : l->net.options.mtu,
					 .isolated = l->net.options.no_icc };
		memcpy(v->mac, l->mac, sizeof(v->mac));
		addrs_of(l, v, to);
		routes_of(ns, l, first, v, to);
	}
}

/* In a container that runs: what it has made itself is not taken for ours. */
static int check_names(void *data, struct err *err)
{
	const struct plugs *p = data;
	cleanup_fd int sock = netns_socket(p->netns, rtnl_open, err);
	int r = sock < 0 ? sock : -ENODEV;

	for (size_t i = 0; r == -ENODEV && i < p->n; i++) {
		r = rtnl_link_index(sock, p->items[i].inside, err);
		if (r >= 0)
			return err_fail(err, ERR_EXISTS,
					"the container has an interface %s already",
					p->items[i].inside);
	}
	return r == -ENODEV ? 0 : r;
}

static int plug_links(void *data, struct err *err)
{
	const struct plugs *p = data;

	return veth_plug(p->netns, p->dir, p->items, p->n, p->keep, err);
}

static int in_place(struct engine *eng, int (*fn)(void *data, struct err *err), void *data,
		    struct err *err)
{
	struct net_place place;
	int r = network_place(eng, true, &place, err);

	return r < 0 ? r : net_place_run(&place, fn, data, err);
}

struct settings {
	const struct net_start *ns;
	size_t first;
};

static int set_sysctls(void *data, struct err *err)
{
	const struct settings *s = data;
	int r = 0;

	for (size_t i = s->first; r == 0 && i < s->ns->n; i++)
		r = net_sysctls_set(s->ns->links[i].asked.asked.sysctls,
				    s->ns->links[i].asked.ifname, err);
	return r;
}

/* /proc/sys/net shows the namespace of who looks. */
static int change_sysctls(const struct net_start *ns, size_t first, int netns, struct err *err)
{
	struct settings s = { ns, first };
	cleanup_fd int userns = -EBADF;
	struct net_place place;
	bool any = false;

	for (size_t i = first; i < ns->n; i++)
		any |= ns->links[i].asked.asked.sysctls != NULL;
	if (!any)
		return 0;
	userns = net_place_userns(netns);
	place = (struct net_place){ .userns = userns, .netns = netns };
	return net_place_run(&place, set_sysctls, &s, err);
}

/* What moves to the container is noted before. What another life of it has not given back goes
 * first. */
static int note_devices(struct engine *eng, const struct net_start *ns, size_t first, int netns,
			bool runs, struct err *err)
{
	int r = runs || eng->rootless ? 0 : net_devices_return(eng, ns->owner, NULL, err);

	for (size_t i = first; r >= 0 && i < ns->n; i++)
		if (device_of(&ns->links[i]))
			r = net_device_note(eng, ns->owner, ns->links[i].asked.ifname,
					    device_of(&ns->links[i]), netns, err);
	return r < 0 ? r : 0;
}

int net_links_plug(struct engine *eng, const struct net_start *ns, size_t first, int netns,
		   bool runs, struct err *err)
{
	struct plugs p = { .netns = netns, .dir = eng->net_fd, .keep = runs };
	bool noted = false, made = false;
	int r;

	plugs_make(ns, first, &p);
	r = runs ? in_place(eng, check_names, &p, err) : 0;
	if (r == 0) {
		noted = true;
		r = note_devices(eng, ns, first, netns, runs, err);
	}
	if (r == 0)
		r = in_place(eng, plug_links, &p, err);
	plugs_done(&p);
	if (r == 0) {
		made = true;
		r = change_sysctls(ns, first, netns, err);
	}
	/* Of one that does not run yet all of it goes with its end. */
	for (size_t i = first; r < 0 && runs && i < ns->n; i++)
		if (made || (noted && device_of(&ns->links[i])))
			net_links_unplug(eng, &ns->links[i].net, &ns->links[i].asked, netns, NULL);
	return r;
}

struct inside {
	int netns;
	const char *name;
	struct rtnl_inside routes;
};

static int unplug(void *data, struct err *err)
{
	const struct inside *in = data;

	return veth_unplug(in->netns, in->name, err);
}

/* One by an interface of the host's, of which there is no other end. The container may have given
 * it another name and MAC, and have made others of this kind by what it has; but only by which one
 * it is made, in a namespace not its own, is what no container can change. */
struct child {
	int netns;
	const char *name, *kind, *parent;
	uint8_t mac[6];
};

/* The one that is called so, or else has its MAC, or else is all there is. NULL: there are several.
 */
static const struct rtnl_link *which_child(const struct child *c, const struct rtnl_links *made)
{
	for (size_t i = 0; i < made->n; i++)
		if (str_eq(made->items[i].name, c->name))
			return &made->items[i];
	for (size_t i = 0; i < made->n; i++)
		if (made->items[i].have_mac &&
		    memcmp(made->items[i].mac, c->mac, sizeof(c->mac)) == 0)
			return &made->items[i];
	return made->n == 1 ? &made->items[0] : NULL;
}

static int unplug_child(void *data, struct err *err)
{
	const struct child *c = data;
	cleanup_rtnl_links struct rtnl_links all = { 0 };
	cleanup_fd int outside = rtnl_open(err), inside = netns_socket(c->netns, rtnl_open, err);
	int r = outside < 0 ? outside : inside;
	const struct rtnl_link *link;
	size_t n = 0;
	int parent;

	if (r >= 0)
		r = parent = rtnl_link_index(outside, c->parent, err);
	if (r >= 0)
		r = rtnl_links_read(inside, &all, err);
	if (r < 0)
		return r == -ENODEV ? 0 : r; /* the kernel has taken both away */
	for (size_t i = 0; i < all.n; i++)
		if (str_eq(all.items[i].kind, c->kind) && all.items[i].lower_elsewhere &&
		    all.items[i].lower == (uint32_t)parent)
			all.items[n++] = all.items[i];
	all.n = n;
	link = which_child(c, &all);
	if (link)
		return rtnl_link_delete_index(inside, link->index, err);
	return n ? err_hint(err,
			    err_fail(err, ERR_CONFLICT,
				     "the container has renamed its interfaces by %s: none is "
				     "called %s",
				     c->parent, c->name),
			    "give them their names back in there, or stop it")
		 : 0;
}

struct cut {
	const char *bridge, *outside;
	bool own_name;
};

static bool is_end(const struct cut *c, const char *name)
{
	const char *rest = str_after(name, c->outside);

	return rest && (!*rest || (!c->own_name && *rest >= 'a' && *rest <= 'z' && !rest[1]));
}

static int cut(void *data, struct err *err)
{
	const struct cut *c = data;
	cleanup_rtnl_links struct rtnl_links all = { 0 };
	cleanup_fd int sock = rtnl_open(err);
	struct rtnl_link bridge;
	int r = sock < 0 ? sock : rtnl_link_read(sock, c->bridge, &bridge, err);

	if (r == 0)
		r = rtnl_links_read(sock, &all, err);
	for (size_t i = 0; r == 0 && i < all.n; i++)
		if (all.items[i].bridge == bridge.index && is_end(c, all.items[i].name))
			r = rtnl_link_delete(sock, all.items[i].name, err);
	return r == -ENODEV ? 0 : r;
}

int net_links_unplug(struct engine *eng, const struct network *net, const struct endpoint *ep,
		     int netns, struct err *err)
{
	struct child child = {
		netns, ep->ifname, network_driver_names[net->driver], net->options.parent, { 0 }
	};
	cleanup_free char *outside = outside_name(ep->owner, ep);
	struct lease_addrs addrs;
	struct cut c = { net->bridge, outside, ep->asked.host_interface != NULL };
	int r;

	/* What it is called inside, and in which namespace it is, the container may have changed.
	 */
	if (net->driver == NETWORK_BRIDGE)
		return in_place(eng, cut, &c, err);
	if (net->driver != NETWORK_HOST_DEVICE) {
		r = endpoint_addrs(eng, net, ep, &addrs, err);
		if (r == 0)
			endpoint_mac(&ep->asked, &addrs, child.mac);
		return r < 0 ? r : in_place(eng, unplug_child, &child, err);
	}
	r = net_devices_return(eng, ep->owner, ep->ifname, err);
	return r < 0 ? r : 0;
}

static int look_at_links(void *data, struct err *err)
{
	const struct plugs *p = data;

	return veth_is_plugged(p->netns, p->items, p->looked_at, err);
}

int net_links_there(struct engine *eng, const struct net_start *ns, size_t i, int netns,
		    struct err *err)
{
	struct plugs p = { .netns = netns, .looked_at = 1 };
	int r;

	plugs_make(ns, i, &p);
	r = in_place(eng, look_at_links, &p, err);
	plugs_done(&p);
	return r;
}

/* Of a veth by both of its ends: the bridge may be gone, or the name inside. */
static int unplug_wholly(struct engine *eng, const struct net_link *l, int netns, struct err *err)
{
	struct inside in = { .netns = netns, .name = l->asked.ifname };
	int r = net_links_unplug(eng, &l->net, &l->asked, netns, err);

	return r < 0 || l->net.driver != NETWORK_BRIDGE ? r : in_place(eng, unplug, &in, err);
}

int net_links_heal(struct engine *eng, const struct net_start *ns, int netns, struct err *err)
{
	struct plugs p = { .netns = netns };
	int r;

	plugs_make(ns, 0, &p);
	p.looked_at = p.n;
	r = in_place(eng, look_at_links, &p, err);
	plugs_done(&p);
	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; r == 0 && i < ns->n; i++)
		r = unplug_wholly(eng, &ns->links[i], netns, err);
	if (r == 0)
		r = net_links_plug(eng, ns, 0, netns, false, err);
	return r < 0 ? r : 1;
}

static int add_routes(void *data, struct err *err)
{
	const struct inside *in = data;
	cleanup_fd int sock = netns_socket(in->netns, rtnl_open, err);

	return sock < 0 ? sock : rtnl_inside(sock, &in->routes, err);
}

int net_links_reroute(struct engine *eng, const struct net_start *ns, int netns, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ns->n; i++) {
		struct plug to = { .alias = NULL };
		struct veth_plug v = { .inside = ns->links[i].asked.ifname };
		struct inside in = { .netns = netns };
		struct err own = ERR_INIT;

		routes_of(ns, &ns->links[i], 0, &v, &to);
		in.routes = (struct rtnl_inside){ .name = v.inside,
						  .routes = v.routes,
						  .n_routes = v.n_routes };
		if (v.n_routes)
			r = in_place(eng, add_routes, &in, &own);
		if (r == -EEXIST) /* there it is */
			r = 0;
		if (r < 0)
			*err = own;
	}
	return r;
}

void net_links_drop(struct net_start *ns, size_t i)
{
	net_link_done(&ns->links[i]);
	memmove(&ns->links[i], &ns->links[i + 1], (--ns->n - i) * sizeof(*ns->links));
}

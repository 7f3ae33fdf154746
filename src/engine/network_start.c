/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_start.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/life.h"
#include "engine/network_files.h"
#include "engine/network_place.h"
#include "engine/publish.h"
#include "runtime/cancel.h"
#include "runtime/sync.h"

#define LINK_LOCAL_PREFIX4 16
#define LINK_LOCAL_PREFIX6 64
#define ALIAS              "inro " /* of a bridge; its network's id follows */

static void link_done(struct net_link *l)
{
	endpoint_done(&l->asked);
	network_done(&l->net);
}

/* What was read; the socket stays. */
static void forget(struct net_start *ns)
{
	for (size_t i = 0; i < ns->n; i++)
		link_done(&ns->links[i]);
	free(take_ptr(ns->links));
	ns->n = 0;
	free(take_ptr(ns->owner));
	free(take_ptr(ns->holder));
}

void net_start_done(struct net_start *ns)
{
	forget(ns);
	ns->sock = fd_close(ns->sock);
	port_bindings_done(&ns->ports);
	ns->keep = fd_close(ns->keep);
}

/* ---- what there is to be ---- */

static int read_link(struct engine *eng, struct endpoint *ep, struct net_link *l, struct err *err)
{
	int r = network_get(eng, ep->network, &l->net, err);

	if (r == -ENOENT)
		return err_fail(err, ERR_NOT_FOUND, "network %s of the container is gone",
				ep->asked.target ? ep->asked.target : ep->network);
	if (r < 0)
		return r;
	l->asked = *ep;
	*ep = (struct endpoint){ 0 };
	return 0;
}

static int take_leases(struct engine *eng, struct net_start *ns, struct net_link *l,
		       struct err *err)
{
	const struct lease_addrs asked = { l->asked.asked.ip, l->asked.asked.ip6 };
	int r = leases_take(eng, &l->net, ns->owner, &asked, &l->addrs, &ns->holder, err);

	if (r < 0)
		return r;
	if (l->asked.asked.has_mac)
		memcpy(l->mac, l->asked.asked.mac, sizeof(l->mac));
	else
		net_addr_mac(l->addrs.ip4.family ? &l->addrs.ip4 : &l->addrs.ip6, l->mac);
	return 0;
}

int net_start_take(struct engine *eng, const struct record *rec, struct net_start *ns,
		   struct err *err)
{
	cleanup_endpoint_list struct endpoint_list list = { 0 };
	int r = endpoints_of(eng, publish_owner(rec), &list, err);

	forget(ns);
	if (r == 0)
		r = publish_store(eng, rec->id, &ns->ports, err);
	if (r < 0 || !list.n)
		return r;
	ns->owner = xstrdup(publish_owner(rec));
	ns->links = xcalloc(list.n, sizeof(*ns->links));
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		struct net_link *l = &ns->links[ns->n++];

		r = read_link(eng, &list.items[i], l, err);
		if (r == 0)
			r = take_leases(eng, ns, l, err);
	}
	return r;
}

bool net_start_again(struct engine *eng, struct net_start *ns)
{
	cleanup_free char *holder = take_ptr(ns->holder);
	cleanup_record struct record rec = { 0 };

	forget(ns);
	if (!holder || record_get(eng, holder, &rec, NULL) < 0 || !rec.running)
		return false;
	return life_repair(eng, &rec, NULL) > 0 || !rec.running;
}

/* ---- what is made of it ---- */

/* Everything that struct veth_plug borrows. */
struct plug {
	struct rtnl_bridge bridge;
	char *alias, *outside;
	struct rtnl_addr *gateways, *addrs;
	struct rtnl_route routes[2];
};

struct plugs {
	int netns, dir;
	bool keep;
	struct veth_plug *items;
	struct plug *data;
	size_t n;
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
static const struct net_link *way_out(const struct net_start *ns, int family)
{
	const struct net_link *best = NULL;

	for (size_t i = 0; i < ns->n; i++) {
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

static void routes_of(const struct net_start *ns, const struct net_link *l, struct veth_plug *v,
		      struct plug *to)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		const struct net_addr *gateway = &ip_of(l, families[i])->gateway;
		struct rtnl_route *route = &to->routes[v->n_routes];

		if (way_out(ns, families[i]) != l || (families[i] == AF_INET6 && !veth_has_ipv6()))
			continue;
		*route = (struct rtnl_route){ .family = (uint8_t)families[i],
					      .have_gateway = true,
					      .metric = l->net.options.metric };
		memcpy(route->gateway, gateway->bytes, sizeof(route->gateway));
		v->n_routes++;
	}
	v->routes = to->routes;
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

		bridge_of(&l->net, to);
		to->outside = asked->host_interface
				  ? xstrdup(asked->host_interface)
				  : xasprintf("iv%.8s%d", ns->owner, l->asked.position % 1000);
		*v = (struct veth_plug){ .bridge = &to->bridge,
					 .outside = to->outside,
					 .own_name = asked->host_interface != NULL,
					 .inside = l->asked.ifname,
					 .mtu = asked->mtu ? asked->mtu : l->net.options.mtu,
					 .isolated = l->net.options.no_icc };
		memcpy(v->mac, l->mac, sizeof(v->mac));
		addrs_of(l, v, to);
		routes_of(ns, l, v, to);
	}
}

static int plug_links(void *data, struct err *err)
{
	const struct plugs *p = data;

	return veth_plug(p->netns, p->dir, p->items, p->n, p->keep, err);
}

/* ---- the steps ---- */

struct stage {
	struct engine *eng;
	const struct record *rec;
	struct net_start *ns;
	int netns, pidfd; /* of the container, and its init; pidfd may be negative */
};

static int step_links(struct stage *s, struct err *err)
{
	struct plugs p = { .netns = s->netns, .dir = s->eng->net_fd };
	struct net_place place;
	int r = network_place(s->eng, true, &place, err);

	if (r < 0)
		return r;
	plugs_make(s->ns, 0, &p);
	r = net_place_run(&place, plug_links, &p, err);
	plugs_done(&p);
	return r;
}

static int step_ports(struct stage *s, struct err *err)
{
	return net_ports_lead(s->eng, s->ns, err);
}

static int step_hosts(struct stage *s, struct err *err)
{
	return net_hosts_write(s->eng, s->rec, s->ns, err);
}

/* What they have done is undone by the container's end: network_end.h. */
static const struct {
	const char *what;
	int (*fn)(struct stage *s, struct err *err);
} steps[] = {
	{ "adding its interfaces", step_links },
	{ "changing the firewall", step_ports },
	{ NULL, step_hosts },
};

int net_start_meet(struct net_start *ns, struct err *err)
{
	int pair[2], r = sync_pair(pair, err);

	if (r < 0)
		return r;
	ns->sock = pair[0];
	return pair[1];
}

/* 0: the init has said something; 1: the monitor has. */
static int wait_init(const struct net_start *ns, int monitor_sock, int cancel_fd, struct err *err)
{
	struct pollfd p[] = {
		{ .fd = ns->sock, .events = POLLIN },
		{ .fd = monitor_sock, .events = POLLIN },
		{ .fd = cancel_fd > 0 ? cancel_fd : -1, .events = POLLIN },
	};

	if (NO_EINTR(poll(p, ARRAY_SIZE(p), -1)) < 0)
		return err_errno(err, errno, "waiting for the container's first process");
	if (p[0].revents & POLLIN)
		return 0;
	if (p[1].revents || p[0].revents)
		return 1;
	return cancel_error(cancel_fd, err);
}

static int take_netns(struct stage *s, struct err *err)
{
	struct sync_msg msg;
	int r = sync_expect(s->ns->sock, SYNC_NETNS, &msg, err);

	if (r < 0)
		return r;
	if (msg.n_fds > 0)
		s->netns = take_fd(msg.fds[0]);
	if (msg.n_fds > 1)
		s->pidfd = take_fd(msg.fds[1]);
	sync_msg_done(&msg);
	return s->netns < 0 ? err_errno(err, EPROTO, "receiving the network namespace") : 0;
}

static int do_steps(struct stage *s, struct err *err)
{
	int r = engine_net(s->eng, err);

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(steps); i++) {
		r = steps[i].fn(s, err);
		if (r < 0 && steps[i].what)
			err_wrap(err, r, "%s", steps[i].what);
	}
	return r < 0 ? r : 0;
}

int net_start_plug(struct engine *eng, const struct record *rec, struct net_start *ns,
		   int monitor_sock, int cancel_fd, struct err *err)
{
	struct stage s = { eng, rec, ns, -EBADF, -EBADF };
	int r;

	if (ns->sock < 0)
		return 0;
	r = wait_init(ns, monitor_sock, cancel_fd, err);
	if (r == 0)
		r = take_netns(&s, err);
	if (r == 0)
		r = do_steps(&s, err);
	/* One that has died meanwhile has its monitor say so. */
	if (r == 0)
		sync_send(ns->sock, SYNC_GO, 0, NULL, 0);
	fd_close(s.netns);
	fd_close(s.pidfd);
	return r;
}

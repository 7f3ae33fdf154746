/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/rtnetlink_link.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

#include "sys/rtnetlink_internal.h"

/* A message that changes an interface by its name. */
static void put_named(struct nlbuf *q, uint16_t type, uint16_t flags, const char *name,
		      unsigned int up)
{
	rtnl_put_link(q, type, flags, 0, up);
	nlbuf_attr_str(q, IFLA_IFNAME, name);
}

static void put_mtu(struct nlbuf *q, uint32_t mtu)
{
	if (mtu)
		nlbuf_attr_u32(q, IFLA_MTU, mtu);
}

/* No address of the link by the kernel. It is refused with an interface's making, and comes too
 * late in the message that brings it up. */
static void put_no_link_local(struct nlbuf *q)
{
	size_t spec = nlbuf_nest(q, IFLA_AF_SPEC), inet6 = nlbuf_nest(q, AF_INET6);

	nlbuf_attr_u8(q, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	nlbuf_unnest(q, inet6);
	nlbuf_unnest(q, spec);
}

static void put_peer(struct nlbuf *q, const struct rtnl_veth *v)
{
	const struct ifinfomsg peer = { .ifi_index = 0 };
	size_t info = nlbuf_nest(q, IFLA_LINKINFO), data, end;

	nlbuf_attr_str(q, IFLA_INFO_KIND, "veth");
	data = nlbuf_nest(q, IFLA_INFO_DATA);
	end = nlbuf_nest(q, VETH_INFO_PEER);
	nlbuf_add(q, &peer, sizeof(peer));
	nlbuf_attr_str(q, IFLA_IFNAME, v->inside);
	nlbuf_attr_u32(q, IFLA_NET_NS_FD, (uint32_t)v->netns);
	put_mtu(q, v->mtu);
	if (v->have_mac)
		nlbuf_attr(q, IFLA_ADDRESS, v->mac, sizeof(v->mac));
	nlbuf_unnest(q, end);
	nlbuf_unnest(q, data);
	nlbuf_unnest(q, info);
}

/* Of what is a port by now: rtnl_setlink() of the kernel passes over a port's attributes without a
 * word, and rtnl_newlink() asks the bridge that it is in before the message. */
static void put_port(struct nlbuf *q, const struct rtnl_veth *v)
{
	size_t info, data;

	put_named(q, RTM_NEWLINK, 0, v->outside, 0);
	nlbuf_what(q, "setting up the port of the bridge");
	info = nlbuf_nest(q, IFLA_LINKINFO);
	nlbuf_attr_str(q, IFLA_INFO_SLAVE_KIND, "bridge");
	data = nlbuf_nest(q, IFLA_INFO_SLAVE_DATA);
	nlbuf_attr_u8(q, IFLA_BRPORT_MODE, v->hairpin);
	nlbuf_attr_u8(q, IFLA_BRPORT_ISOLATED, v->isolated);
	nlbuf_unnest(q, data);
	nlbuf_unnest(q, info);
}

/* What is for this MAC comes here, whoever else sends by it: another container, or the last
 * namespace of this one, whose veth goes a while after its processes. Kernels before 5.0 learn all
 * the same. */
static void put_mac(struct nlbuf *q, const struct rtnl_veth *v, uint32_t index)
{
	const struct ndmsg head = { .ndm_family = AF_BRIDGE,
				    .ndm_ifindex = (int)index,
				    .ndm_state = NUD_NOARP,
				    .ndm_flags = NTF_MASTER | NTF_STICKY };

	nlbuf_begin(q, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof(head));
	nlbuf_what(q, "leading packets to the port of the bridge");
	nlbuf_attr(q, NDA_LLADDR, v->mac, sizeof(v->mac));
}

/* The error is the caller's own: it has one. */
static void undo(int sock, const char *name)
{
	rtnl_link_delete(sock, name, NULL);
}

static void put_outside(struct nlbuf *q, const struct rtnl_veth *v, uint32_t index)
{
	if (v->bridge || v->ipv6) {
		put_named(q, RTM_SETLINK, 0, v->outside, 0);
		nlbuf_what(q, v->bridge ? "making the veth a port of the bridge"
					: "setting the veth up");
		if (v->ipv6)
			put_no_link_local(q);
		if (v->bridge)
			nlbuf_attr_u32(q, IFLA_MASTER, v->bridge);
		if (v->bridge)
			put_port(q, v);
		if (v->bridge && v->have_mac)
			put_mac(q, v, index);
	}
	put_named(q, RTM_SETLINK, NLM_F_ACK, v->outside, IFF_UP);
	nlbuf_what(q, "bringing the veth up");
}

/* What is made is set up by a second send(2): the messages behind one that is refused because the
 * name is taken would change what has it. */
int rtnl_veth_add(int sock, const struct rtnl_veth *v, struct err *err)
{
	cleanup_nlbuf struct nlbuf make = NLBUF_INIT, set = NLBUF_INIT;
	int r;

	put_named(&make, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, v->outside, 0);
	nlbuf_what(&make, "making a veth");
	put_mtu(&make, v->mtu);
	put_peer(&make, v);
	r = netlink_batch(sock, &make, err);
	if (r < 0)
		return r;
	r = rtnl_link_index(sock, v->outside, err);
	if (r == -ENODEV)
		return err_errno(err, ENODEV, "looking for the new veth");
	if (r > 0) {
		put_outside(&set, v, (uint32_t)r);
		r = netlink_batch(sock, &set, err);
	}
	if (r < 0)
		undo(sock, v->outside);
	return r;
}

static void put_bridge(struct nlbuf *q, const struct rtnl_bridge *b)
{
	size_t info, data;

	put_named(q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, b->name, 0);
	nlbuf_what(q, "making a bridge");
	put_mtu(q, b->mtu);
	nlbuf_attr(q, IFLA_ADDRESS, b->mac, sizeof(b->mac));
	info = nlbuf_nest(q, IFLA_LINKINFO);
	nlbuf_attr_str(q, IFLA_INFO_KIND, "bridge");
	data = nlbuf_nest(q, IFLA_INFO_DATA);
	nlbuf_attr_u32(q, IFLA_BR_FORWARD_DELAY, 0); /* a new port is one at once */
	nlbuf_unnest(q, data);
	nlbuf_unnest(q, info);
}

static int set_bridge(int sock, const struct rtnl_bridge *b, uint32_t index, struct err *err)
{
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;

	rtnl_put_link(&q, RTM_SETLINK, 0, index, 0);
	nlbuf_what(&q, "setting the bridge up");
	if (b->alias)
		nlbuf_attr(&q, IFLA_IFALIAS, b->alias, strlen(b->alias));
	if (b->ipv6)
		put_no_link_local(&q);
	for (size_t i = 0; i < b->n_addrs; i++)
		rtnl_put_addr(&q, 0, index, &b->addrs[i]);
	rtnl_put_link(&q, RTM_SETLINK, NLM_F_ACK, index, IFF_UP);
	nlbuf_what(&q, "bringing the bridge up");
	return netlink_batch(sock, &q, err);
}

int rtnl_bridge_add(int sock, const struct rtnl_bridge *b, struct err *err)
{
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;
	int r;

	put_bridge(&q, b);
	r = netlink_batch(sock, &q, err);
	if (r < 0)
		return r;
	r = rtnl_link_index(sock, b->name, err);
	if (r == -ENODEV)
		return err_errno(err, ENODEV, "looking for the new bridge");
	if (r > 0)
		r = set_bridge(sock, b, (uint32_t)r, err);
	if (r < 0)
		undo(sock, b->name);
	return r;
}

static void put_route(struct nlbuf *q, uint32_t index, const struct rtnl_route *route)
{
	const size_t len = route->family == AF_INET ? 4 : 16;
	const uint32_t table = route->table ? route->table : RT_TABLE_MAIN;
	const bool direct = !route->have_gateway && route->family == AF_INET;
	const struct rtmsg msg = {
		.rtm_family = route->family,
		.rtm_dst_len = route->prefix_len,
		.rtm_table = table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = direct ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
		.rtm_type = route->type ? route->type : RTN_UNICAST,
	};

	nlbuf_begin(q, RTM_NEWROUTE, NLM_F_CREATE | (route->replace ? NLM_F_REPLACE : NLM_F_EXCL),
		    &msg, sizeof(msg));
	nlbuf_what(q, "adding a route");
	if (route->prefix_len)
		nlbuf_attr(q, RTA_DST, route->to, len);
	if (route->have_gateway)
		nlbuf_attr(q, RTA_GATEWAY, route->gateway, len);
	if (route->index || index)
		nlbuf_attr_u32(q, RTA_OIF, route->index ? route->index : index);
	if (table >= 256)
		nlbuf_attr_u32(q, RTA_TABLE, table);
	if (route->metric)
		nlbuf_attr_u32(q, RTA_PRIORITY, route->metric);
}

static void put_inside(struct nlbuf *q, const struct rtnl_inside *in, uint32_t index)
{
	if (in->ipv6) {
		rtnl_put_link(q, RTM_SETLINK, 0, index, 0);
		nlbuf_what(q, "setting the interface up");
		put_no_link_local(q);
	}
	rtnl_put_link(q, RTM_SETLINK, 0, index, IFF_UP);
	nlbuf_what(q, "bringing the interface up");
	for (size_t i = 0; i < in->n_addrs; i++)
		rtnl_put_addr(q, 0, index, &in->addrs[i]);
	for (size_t i = 0; i < in->n_routes; i++)
		put_route(q, index, &in->routes[i]);
}

int rtnl_inside(int sock, const struct rtnl_inside *in, struct err *err)
{
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;

	if (in->name) {
		int index = rtnl_link_index(sock, in->name, err);

		if (index == -ENODEV)
			return err_errno(err, ENODEV, "looking for network interface %s", in->name);
		if (index < 0)
			return index;
		put_inside(&q, in, (uint32_t)index);
	}
	/* the last one, which nothing depends on, has the answer that ends it */
	put_named(&q, RTM_SETLINK, NLM_F_ACK, "lo", IFF_UP);
	nlbuf_what(&q, "bringing interface lo up");
	return netlink_batch(sock, &q, err);
}

struct rtnl_addr rtnl_addr_link_local(const uint8_t mac[6])
{
	return (struct rtnl_addr){
		.family = AF_INET6,
		.prefix_len = 64,
		.scope = RT_SCOPE_LINK,
		.len = 16,
		.have_local = true,
		.local = { 0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4],
			   mac[5] },
		.flags = IFA_F_NODAD,
	};
}

static int send_delete(int sock, struct nlbuf *q, struct err *err)
{
	struct netlink_answers a = { .each = NULL };
	int r;

	nlbuf_what(q, "removing the network interface");
	r = netlink_talk(sock, q, &a);
	return r < 0 && r != -ENODEV ? netlink_fail(q, &a, r, err) : 0;
}

int rtnl_link_delete(int sock, const char *name, struct err *err)
{
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;

	put_named(&q, RTM_DELLINK, NLM_F_ACK, name, 0);
	return send_delete(sock, &q, err);
}

int rtnl_link_delete_index(int sock, uint32_t index, struct err *err)
{
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;

	rtnl_put_link(&q, RTM_DELLINK, NLM_F_ACK, index, 0);
	return send_delete(sock, &q, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "sys/rtnetlink_internal.h"
#include "sys/rtnetlink_link.h"

static const struct {
	const char *kind, *what;
} kinds[] = {
	[RTNL_MACVLAN] = { "macvlan", "making a macvlan" },
	[RTNL_IPVLAN] = { "ipvlan", "making an ipvlan" },
	[RTNL_VLAN] = { "vlan", "making a vlan" },
};

static void put_data(struct nlbuf *q, const struct rtnl_child *c)
{
	const uint16_t mode = (uint16_t)c->mode;

	switch (c->kind) {
	case RTNL_MACVLAN:
		nlbuf_attr_u32(q, IFLA_MACVLAN_MODE, c->mode);
		break;
	case RTNL_IPVLAN:
		nlbuf_attr(q, IFLA_IPVLAN_MODE, &mode, sizeof(mode));
		break;
	default:
		nlbuf_attr(q, IFLA_VLAN_ID, &c->vlan, sizeof(c->vlan));
		break;
	}
}

int rtnl_child_add(int sock, const struct rtnl_child *c, struct err *err)
{
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;
	size_t info, data;

	rtnl_put_link(&q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, 0, 0);
	nlbuf_what(&q, kinds[c->kind].what);
	nlbuf_attr_str(&q, IFLA_IFNAME, c->name);
	nlbuf_attr_u32(&q, IFLA_LINK, c->parent);
	nlbuf_attr_u32(&q, IFLA_NET_NS_FD, (uint32_t)c->netns);
	if (c->mtu)
		nlbuf_attr_u32(&q, IFLA_MTU, c->mtu);
	if (c->have_mac)
		nlbuf_attr(&q, IFLA_ADDRESS, c->mac, sizeof(c->mac));
	info = nlbuf_nest(&q, IFLA_LINKINFO);
	nlbuf_attr_str(&q, IFLA_INFO_KIND, kinds[c->kind].kind);
	data = nlbuf_nest(&q, IFLA_INFO_DATA);
	put_data(&q, c);
	nlbuf_unnest(&q, data);
	nlbuf_unnest(&q, info);
	return netlink_batch(sock, &q, err);
}

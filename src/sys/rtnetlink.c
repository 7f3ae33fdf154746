/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/rtnetlink.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "sys/rtnetlink_internal.h"

#define ADDRS_MAX 65536

void rtnl_put_link(struct nlbuf *q, uint16_t type, uint16_t flags, uint32_t index, unsigned int up)
{
	const struct ifinfomsg info = { .ifi_index = (int)index,
					.ifi_flags = up,
					.ifi_change = up };

	nlbuf_begin(q, type, flags, &info, sizeof(info));
}

int rtnl_open(struct err *err)
{
	return netlink_open(NETLINK_ROUTE, err);
}

static int take_index(const char *body, size_t len, void *to)
{
	struct ifinfomsg info;

	if (len < sizeof(info))
		return -EPROTO;
	memcpy(&info, body, sizeof(info));
	*(int *)to = info.ifi_index;
	return 0;
}

int rtnl_link_ask(int sock, const char *name, struct netlink_answers *a, struct err *err)
{
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;
	int r;

	rtnl_put_link(&q, RTM_GETLINK, NLM_F_ACK, 0, 0);
	nlbuf_attr_str(&q, IFLA_IFNAME, name);
	nlbuf_attr_u32(&q, IFLA_EXT_MASK, RTNL_NO_STATS);
	r = netlink_talk(sock, &q, a);
	if (r == 0 || r == -ENODEV)
		return r;
	return err_errno(err, -r, "looking for network interface %s", name);
}

int rtnl_link_index(int sock, const char *name, struct err *err)
{
	int index = 0;
	struct netlink_answers a = { .type = RTM_NEWLINK, .each = take_index, .to = &index };
	int r = rtnl_link_ask(sock, name, &a, err);

	if (r == 0 && index <= 0)
		return err_errno(err, EPROTO, "looking for network interface %s", name);
	return r < 0 ? r : index;
}

int rtnl_link_move(int sock, int index, int netns, const char *name, struct err *err)
{
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;

	rtnl_put_link(&q, RTM_NEWLINK, NLM_F_ACK, (uint32_t)index, 0);
	nlbuf_what(&q, "moving the network interface");
	nlbuf_attr_u32(&q, IFLA_NET_NS_FD, (uint32_t)netns);
	nlbuf_attr_str(&q, IFLA_IFNAME, name);
	return netlink_batch(sock, &q, err);
}

int rtnl_link_up(int sock, int index, struct err *err)
{
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;

	rtnl_put_link(&q, RTM_NEWLINK, NLM_F_ACK, (uint32_t)index, IFF_UP);
	nlbuf_what(&q, "bringing the network interface up");
	return netlink_batch(sock, &q, err);
}

void rtnl_put_addr(struct nlbuf *q, uint16_t flags, uint32_t index, const struct rtnl_addr *a)
{
	const struct ifaddrmsg msg = {
		.ifa_family = a->family,
		.ifa_prefixlen = a->prefix_len,
		.ifa_scope = a->scope,
		.ifa_index = index,
	};

	nlbuf_begin(q, RTM_NEWADDR, (uint16_t)(NLM_F_CREATE | NLM_F_EXCL | flags), &msg,
		    sizeof(msg));
	nlbuf_what(q, "adding an address to the interface");
	if (a->have_local)
		nlbuf_attr(q, IFA_LOCAL, a->local, a->len);
	if (a->have_address)
		nlbuf_attr(q, IFA_ADDRESS, a->address, a->len);
	if (a->have_broadcast)
		nlbuf_attr(q, IFA_BROADCAST, a->broadcast, a->len);
	if (a->flags)
		nlbuf_attr_u32(q, IFA_FLAGS, a->flags);
	if (a->metric)
		nlbuf_attr_u32(q, IFA_RT_PRIORITY, a->metric);
}

int rtnl_addr_delete(int sock, int index, const struct rtnl_addr *a, struct err *err)
{
	const struct ifaddrmsg msg = { .ifa_family = a->family,
				       .ifa_prefixlen = a->prefix_len,
				       .ifa_index = (uint32_t)index };
	struct netlink_answers answers = { .each = NULL };
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;
	int r;

	nlbuf_begin(&q, RTM_DELADDR, NLM_F_ACK, &msg, sizeof(msg));
	nlbuf_what(&q, "taking an address from the interface");
	nlbuf_attr(&q, IFA_LOCAL, a->local, a->len);
	r = netlink_talk(sock, &q, &answers);
	return r < 0 && r != -EADDRNOTAVAIL ? netlink_fail(&q, &answers, r, err) : 0;
}

int rtnl_addr_add(int sock, int index, const struct rtnl_addr *a, struct err *err)
{
	struct netlink_answers answers = { .each = NULL };
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;
	int r;

	rtnl_put_addr(&q, NLM_F_ACK, (uint32_t)index, a);
	r = netlink_talk(sock, &q, &answers);
	/* Some drivers give an address to each interface that they see; it is there, then. */
	return r < 0 && r != -EEXIST ? netlink_fail(&q, &answers, r, err) : 0;
}

void rtnl_addrs_done(struct rtnl_addrs *addrs)
{
	free(addrs->items);
	*addrs = (struct rtnl_addrs){ 0 };
}

static void take_bytes(uint8_t to[16], uint8_t len, bool *have, const void *data, size_t size)
{
	if (size != len)
		return;
	memcpy(to, data, len);
	*have = true;
}

static void take_attr(struct rtnl_addr *a, unsigned int type, const void *data, size_t size)
{
	if (type == IFA_LOCAL)
		take_bytes(a->local, a->len, &a->have_local, data, size);
	else if (type == IFA_ADDRESS)
		take_bytes(a->address, a->len, &a->have_address, data, size);
	else if (type == IFA_BROADCAST)
		take_bytes(a->broadcast, a->len, &a->have_broadcast, data, size);
	else if (type == IFA_FLAGS && size == sizeof(a->flags))
		memcpy(&a->flags, data, size);
	else if (type == IFA_RT_PRIORITY && size == sizeof(a->metric))
		memcpy(&a->metric, data, size);
}

struct addrs_of {
	int index;
	struct rtnl_addrs *addrs;
};

static int parse_addr(const char *data, size_t len, void *to)
{
	const struct addrs_of *of = to;
	struct rtnl_addr a = { 0 };
	struct nlattr_view attr;
	struct ifaddrmsg msg;
	int r;

	if (len < sizeof(msg))
		return -EPROTO;
	memcpy(&msg, data, sizeof(msg));
	if (msg.ifa_index != (uint32_t)of->index ||
	    (msg.ifa_family != AF_INET && msg.ifa_family != AF_INET6))
		return 0;
	a.family = msg.ifa_family;
	a.prefix_len = msg.ifa_prefixlen;
	a.scope = msg.ifa_scope;
	a.flags = msg.ifa_flags;
	a.len = msg.ifa_family == AF_INET ? 4 : 16;
	data += sizeof(msg);
	len -= sizeof(msg);
	while ((r = nlattr_next(&data, &len, &attr)) > 0)
		take_attr(&a, attr.type, attr.data, attr.len);
	if (r < 0 || (!a.have_local && !a.have_address))
		return -EPROTO;
	if (of->addrs->n == ADDRS_MAX)
		return -E2BIG;
	of->addrs->items =
	    xrealloc(of->addrs->items, (of->addrs->n + 1) * sizeof(*of->addrs->items));
	of->addrs->items[of->addrs->n++] = a;
	return 0;
}

static void reset_addrs(void *to)
{
	rtnl_addrs_done(((struct addrs_of *)to)->addrs);
}

int rtnl_addrs_parse(const void *data, size_t len, int index, struct rtnl_addrs *addrs)
{
	struct addrs_of of = { .index = index, .addrs = addrs };
	struct netlink_answers a = { .type = RTM_NEWADDR, .each = parse_addr, .to = &of };

	return netlink_answers_parse(NULL, data, len, &a);
}

int rtnl_addrs_read(int sock, int index, struct rtnl_addrs *ret, struct err *err)
{
	const struct ifaddrmsg msg = { .ifa_family = AF_UNSPEC, .ifa_index = (uint32_t)index };
	struct addrs_of of = { .index = index, .addrs = ret };
	struct netlink_answers a = { .type = RTM_NEWADDR, .each = parse_addr, .to = &of };
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;
	int r;

	*ret = (struct rtnl_addrs){ 0 };
	nlbuf_begin(&q, RTM_GETADDR, NLM_F_DUMP, &msg, sizeof(msg));
	r = netlink_list(sock, &q, &a, reset_addrs);
	return r < 0 ? err_errno(err, -r, "reading the addresses of the network interface") : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "sys/rtnetlink_internal.h"
#include "sys/rtnetlink_link.h"

#define LINKS_MAX  (1 << 18)
#define ROUTES_MAX (1 << 21)

void rtnl_links_done(struct rtnl_links *links)
{
	free(links->items);
	*links = (struct rtnl_links){ 0 };
}

void rtnl_routes_done(struct rtnl_routes *routes)
{
	free(routes->items);
	*routes = (struct rtnl_routes){ 0 };
}

/* Room for one more: it is doubled. */
static void *grown(void *items, size_t n, size_t size)
{
	return n & (n - 1) ? items : xrealloc(items, (n ? n * 2 : 1) * size);
}

static void take_text(char *ret, size_t size, const struct nlattr_view *a)
{
	snprintf(ret, size, "%.*s", (int)strnlen(a->data, a->len), (const char *)a->data);
}

static void take_u32(uint32_t *ret, const struct nlattr_view *a)
{
	if (a->len == sizeof(*ret))
		memcpy(ret, a->data, sizeof(*ret));
}

static int take_kind(const struct nlattr_view *info, struct rtnl_link *link)
{
	const char *p = info->data;
	size_t len = info->len;
	struct nlattr_view a;
	int r;

	while ((r = nlattr_next(&p, &len, &a)) > 0)
		if (a.type == IFLA_INFO_KIND)
			take_text(link->kind, sizeof(link->kind), &a);
	return r;
}

static int take_link_attr(const struct nlattr_view *a, struct rtnl_link *link)
{
	if (a->type == IFLA_IFNAME)
		take_text(link->name, sizeof(link->name), a);
	else if (a->type == IFLA_IFALIAS)
		take_text(link->alias, sizeof(link->alias), a);
	else if (a->type == IFLA_MASTER)
		take_u32(&link->bridge, a);
	else if (a->type == IFLA_LINK)
		take_u32(&link->lower, a);
	else if (a->type == IFLA_LINK_NETNSID)
		link->lower_elsewhere = true;
	else if (a->type == IFLA_MTU)
		take_u32(&link->mtu, a);
	else if (a->type == IFLA_LINKINFO)
		return take_kind(a, link);
	else if (a->type == IFLA_ADDRESS && a->len == sizeof(link->mac)) {
		memcpy(link->mac, a->data, a->len);
		link->have_mac = true;
	}
	return 0;
}

static int parse_link(const char *body, size_t len, void *to)
{
	struct rtnl_link link = { .index = 0 };
	struct rtnl_links *links = to;
	struct nlattr_view a;
	struct ifinfomsg info;
	int r;

	if (len < sizeof(info))
		return -EPROTO;
	memcpy(&info, body, sizeof(info));
	link.index = (uint32_t)info.ifi_index;
	link.up = info.ifi_flags & IFF_UP;
	body += sizeof(info);
	len -= sizeof(info);
	while ((r = nlattr_next(&body, &len, &a)) > 0) {
		r = take_link_attr(&a, &link);
		if (r < 0)
			return r;
	}
	if (r < 0 || link.name[0] == '\0')
		return -EPROTO;
	if (links->n == LINKS_MAX)
		return -E2BIG;
	links->items = grown(links->items, links->n, sizeof(*links->items));
	links->items[links->n++] = link;
	return 0;
}

static struct netlink_answers links_answers(struct rtnl_links *to)
{
	return (struct netlink_answers){ .type = RTM_NEWLINK, .each = parse_link, .to = to };
}

int rtnl_links_parse(const void *data, size_t len, struct rtnl_links *links)
{
	struct netlink_answers a = links_answers(links);

	return netlink_answers_parse(NULL, data, len, &a);
}

static void reset_links(void *to)
{
	rtnl_links_done(to);
}

int rtnl_links_read(int sock, struct rtnl_links *ret, struct err *err)
{
	struct netlink_answers a = links_answers(ret);
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;
	int r;

	*ret = (struct rtnl_links){ 0 };
	rtnl_put_link(&q, RTM_GETLINK, NLM_F_DUMP, 0, 0);
	nlbuf_attr_u32(&q, IFLA_EXT_MASK, RTNL_NO_STATS);
	r = netlink_list(sock, &q, &a, reset_links);
	return r < 0 ? err_errno(err, -r, "listing the network interfaces") : 0;
}

int rtnl_link_read(int sock, const char *name, struct rtnl_link *ret, struct err *err)
{
	cleanup_rtnl_links struct rtnl_links links = { 0 };
	struct netlink_answers a = links_answers(&links);
	int r = rtnl_link_ask(sock, name, &a, err);

	if (r < 0)
		return r;
	if (links.n != 1)
		return err_errno(err, EPROTO, "looking for network interface %s", name);
	*ret = links.items[0];
	return 0;
}

static void take_route_attr(const struct nlattr_view *a, struct rtnl_route *route)
{
	const size_t len = route->family == AF_INET ? 4 : 16;

	if (a->type == RTA_DST && a->len == len)
		memcpy(route->to, a->data, len);
	else if (a->type == RTA_GATEWAY && a->len == len) {
		memcpy(route->gateway, a->data, len);
		route->have_gateway = true;
	} else if (a->type == RTA_OIF)
		take_u32(&route->index, a);
	else if (a->type == RTA_TABLE)
		take_u32(&route->table, a);
	else if (a->type == RTA_PRIORITY)
		take_u32(&route->metric, a);
}

static int parse_route(const char *body, size_t len, void *to)
{
	struct rtnl_routes *routes = to;
	struct rtnl_route route = { 0 };
	struct nlattr_view a;
	struct rtmsg msg;
	int r;

	if (len < sizeof(msg))
		return -EPROTO;
	memcpy(&msg, body, sizeof(msg));
	if (msg.rtm_family != AF_INET && msg.rtm_family != AF_INET6)
		return 0;
	if (msg.rtm_dst_len > (msg.rtm_family == AF_INET ? 32 : 128))
		return -EPROTO;
	route.family = msg.rtm_family;
	route.prefix_len = msg.rtm_dst_len;
	route.type = msg.rtm_type;
	route.table = msg.rtm_table;
	body += sizeof(msg);
	len -= sizeof(msg);
	while ((r = nlattr_next(&body, &len, &a)) > 0)
		take_route_attr(&a, &route);
	if (r < 0)
		return r;
	if (routes->n == ROUTES_MAX)
		return -E2BIG;
	routes->items = grown(routes->items, routes->n, sizeof(*routes->items));
	routes->items[routes->n++] = route;
	return 0;
}

static struct netlink_answers routes_answers(struct rtnl_routes *to)
{
	return (struct netlink_answers){ .type = RTM_NEWROUTE, .each = parse_route, .to = to };
}

int rtnl_routes_parse(const void *data, size_t len, struct rtnl_routes *routes)
{
	struct netlink_answers a = routes_answers(routes);

	return netlink_answers_parse(NULL, data, len, &a);
}

static void reset_routes(void *to)
{
	rtnl_routes_done(to);
}

int rtnl_routes_read(int sock, struct rtnl_routes *ret, struct err *err)
{
	const struct rtmsg msg = { .rtm_family = AF_UNSPEC };
	struct netlink_answers a = routes_answers(ret);
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;
	int r;

	*ret = (struct rtnl_routes){ 0 };
	nlbuf_begin(&q, RTM_GETROUTE, NLM_F_DUMP, &msg, sizeof(msg));
	r = netlink_list(sock, &q, &a, reset_routes);
	return r < 0 ? err_errno(err, -r, "listing the routes") : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/conntrack.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

/* The bits of CTA_FILTER_ORIG_FLAGS and _REPLY_FLAGS: of no header (the kernel's nf_internals.h).
 */
#define FILTER_IP_SRC    (1U << 0)
#define FILTER_IP_DST    (1U << 1)
#define FILTER_PROTO_NUM (1U << 3)
#define FILTER_DST_PORT  (1U << 5)

#define FLOWS_MAX (1 << 20)

static void begin_delete(struct nlbuf *q, uint8_t family)
{
	const struct nfgenmsg head = { .nfgen_family = family };

	nlbuf_begin(q, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, NLM_F_ACK, &head,
		    sizeof(head));
	nlbuf_what(q, "forgetting the connections of a port");
}

static void put_address(struct nlbuf *q, uint8_t family, bool source, const uint8_t *addr)
{
	size_t ip = nlbuf_nest(q, CTA_TUPLE_IP);

	if (family == AF_INET)
		nlbuf_attr(q, source ? CTA_IP_V4_SRC : CTA_IP_V4_DST, addr, 4);
	else
		nlbuf_attr(q, source ? CTA_IP_V6_SRC : CTA_IP_V6_DST, addr, 16);
	nlbuf_unnest(q, ip);
}

/* Where the kernel doesn't know filters, the tuple alone is not enough for it: never all flows. */
static int delete_by_filter(int sock, const struct conntrack_port *p, struct err *err)
{
	const uint16_t port = htons(p->port);
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;
	size_t tuple, part;

	begin_delete(&q, p->family);
	tuple = nlbuf_nest(&q, CTA_TUPLE_ORIG);
	if (p->to)
		put_address(&q, p->family, false, p->to);
	part = nlbuf_nest(&q, CTA_TUPLE_PROTO);
	nlbuf_attr_u8(&q, CTA_PROTO_NUM, p->proto);
	if (p->port)
		nlbuf_attr(&q, CTA_PROTO_DST_PORT, &port, sizeof(port));
	nlbuf_unnest(&q, part);
	nlbuf_unnest(&q, tuple);
	if (p->by) {
		tuple = nlbuf_nest(&q, CTA_TUPLE_REPLY);
		put_address(&q, p->family, true, p->by);
		nlbuf_unnest(&q, tuple);
	}
	part = nlbuf_nest(&q, CTA_FILTER);
	nlbuf_attr_u32(&q, CTA_FILTER_ORIG_FLAGS,
		       FILTER_PROTO_NUM | (p->port ? FILTER_DST_PORT : 0) |
			   (p->to ? FILTER_IP_DST : 0));
	if (p->by)
		nlbuf_attr_u32(&q, CTA_FILTER_REPLY_FLAGS, FILTER_IP_SRC);
	nlbuf_unnest(&q, part);
	return netlink_batch(sock, &q, err);
}

/* The first attribute of that type with `size` bytes (0: any number). */
static bool find_attr(const char *p, size_t len, uint16_t type, size_t size,
		      struct nlattr_view *ret)
{
	while (nlattr_next(&p, &len, ret) > 0)
		if (ret->type == type && (size == 0 || ret->len == size))
			return true;
	return false;
}

static bool has_address(const struct nlattr_view *tuple, const struct conntrack_port *p,
			uint16_t v4, uint16_t v6, const uint8_t *addr)
{
	const size_t len = p->family == AF_INET ? 4 : 16;
	struct nlattr_view part, a;

	return find_attr(tuple->data, tuple->len, CTA_TUPLE_IP, 0, &part) &&
	       find_attr(part.data, part.len, p->family == AF_INET ? v4 : v6, len, &a) &&
	       memcmp(a.data, addr, len) == 0;
}

/* body: behind the header of the family. */
static bool is_meant(const char *body, size_t len, const struct conntrack_port *p,
		     struct nlattr_view *ret_tuple)
{
	const uint16_t port = htons(p->port);
	struct nlattr_view part, a;

	if (!find_attr(body, len, CTA_TUPLE_ORIG, 0, ret_tuple) ||
	    !find_attr(ret_tuple->data, ret_tuple->len, CTA_TUPLE_PROTO, 0, &part) ||
	    !find_attr(part.data, part.len, CTA_PROTO_NUM, 1, &a) ||
	    *(const uint8_t *)a.data != p->proto)
		return false;
	if (p->port && (!find_attr(part.data, part.len, CTA_PROTO_DST_PORT, sizeof(port), &a) ||
			memcmp(a.data, &port, sizeof(port)) != 0))
		return false;
	if (p->to && !has_address(ret_tuple, p, CTA_IP_V4_DST, CTA_IP_V6_DST, p->to))
		return false;
	return !p->by || (find_attr(body, len, CTA_TUPLE_REPLY, 0, &a) &&
			  has_address(&a, p, CTA_IP_V4_SRC, CTA_IP_V6_SRC, p->by));
}

struct flows {
	const struct conntrack_ports *ports;
	struct nlbuf *q;
};

static int take_flow(const char *body, size_t len, void *to)
{
	const struct flows *f = to;
	struct nfgenmsg head;
	struct nlattr_view tuple;
	bool meant = false;

	if (len < sizeof(head))
		return -EPROTO;
	memcpy(&head, body, sizeof(head));
	for (size_t i = 0; !meant && i < f->ports->n; i++)
		meant =
		    head.nfgen_family == f->ports->items[i].family &&
		    is_meant(body + sizeof(head), len - sizeof(head), &f->ports->items[i], &tuple);
	if (!meant)
		return 0;
	if (f->q->seq == FLOWS_MAX)
		return -E2BIG;
	begin_delete(f->q, head.nfgen_family);
	nlbuf_attr(f->q, CTA_TUPLE_ORIG | NLA_F_NESTED, tuple.data, tuple.len);
	return 0;
}

static struct netlink_answers answers(struct flows *to)
{
	return (struct netlink_answers){ .type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW,
					 .each = take_flow,
					 .to = to };
}

int conntrack_parse(const void *data, size_t len, const struct conntrack_ports *ports,
		    struct nlbuf *ret)
{
	struct flows f = { .ports = ports, .q = ret };
	struct netlink_answers a = answers(&f);

	return netlink_answers_parse(NULL, data, len, &a);
}

static int take_count(const char *body, size_t len, void *to)
{
	struct nlattr_view a;

	if (len < sizeof(struct nfgenmsg))
		return -EPROTO;
	if (find_attr(body + sizeof(struct nfgenmsg), len - sizeof(struct nfgenmsg),
		      CTA_STATS_GLOBAL_ENTRIES, sizeof(uint32_t), &a)) {
		memcpy(to, a.data, a.len);
		*(uint32_t *)to = ntohl(*(uint32_t *)to);
	}
	return 0;
}

static struct netlink_answers count_answers(uint32_t *to)
{
	return (struct netlink_answers){ .type =
					     NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS,
					 .each = take_count,
					 .to = to };
}

int conntrack_parse_count(const void *data, size_t len, uint32_t *ret)
{
	struct netlink_answers a = count_answers(ret);

	return netlink_answers_parse(NULL, data, len, &a);
}

static struct nlbuf ask(uint16_t type, uint16_t flags, uint8_t family, const char *what)
{
	const struct nfgenmsg head = { .nfgen_family = family };
	struct nlbuf q = NLBUF_INIT;

	nlbuf_begin(&q, (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type), flags, &head, sizeof(head));
	nlbuf_what(&q, what);
	return q;
}

/* Of the socket's namespace, whatever the machine's table has of others. */
static int count(int sock, uint32_t *ret, struct err *err)
{
	cleanup_nlbuf struct nlbuf q =
	    ask(IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK, AF_UNSPEC, "counting connections");
	struct netlink_answers a = count_answers(ret);
	int r = netlink_talk(sock, &q, &a);

	return r < 0 ? netlink_fail(&q, &a, r, err) : 0;
}

/* A listing says nothing of what came and went meanwhile, which would not be these flows. */
static int delete_each(int sock, const struct conntrack_ports *ports, struct err *err)
{
	cleanup_nlbuf struct nlbuf list =
	    ask(IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC, "listing connections");
	cleanup_nlbuf struct nlbuf out = NLBUF_INIT;
	struct flows f = { .ports = ports, .q = &out };
	struct netlink_answers a = answers(&f);
	int r = netlink_talk(sock, &list, &a);

	if (r < 0)
		return netlink_fail(&list, &a, r, err);
	if (out.seq == 0)
		return 0;
	a = (struct netlink_answers){ .each = NULL };
	r = netlink_talk(sock, &out, &a);
	return r < 0 && r != -ENOENT ? netlink_fail(&out, &a, r, err) : 0; /* gone by itself */
}

/* Addresses of IPv6 in a filter mean all others: the kernel (6.18) compares them the wrong way
 * round (ctnetlink_filter_match_tuple()). */
static bool has_filter(const struct conntrack_port *p)
{
	return p->family == AF_INET || (!p->to && !p->by);
}

int conntrack_delete_ports(int sock, const struct conntrack_ports *ports, struct err *err)
{
	uint32_t there = 1;
	int r = ports->n ? count(sock, &there, err) : 0;
	bool filters = true;

	if (r < 0 || !ports->n || !there)
		return r;
	for (size_t i = 0; i < ports->n; i++)
		filters &= has_filter(&ports->items[i]);
	for (size_t i = 0; filters && i < ports->n; i++) {
		struct err why = ERR_INIT;

		r = delete_by_filter(sock, &ports->items[i], &why);
		filters = r != -EINVAL;
		if (r < 0 && filters && err)
			*err = why;
		if (r < 0 && filters)
			return r;
	}
	return filters ? 0 : delete_each(sock, ports, err);
}

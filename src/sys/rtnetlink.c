/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/rtnetlink.h"

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/fd.h"

#define ANSWER_MAX      32768
#define REQUEST_MAX     512
#define ADDRS_MAX       65536
#define ANSWER_SECONDS  10
#define DUMP_ATTEMPTS   5
#define ATTR_ALIGN(len) (((len) + 3U) & ~3U)

struct request {
	struct nlmsghdr hdr;
	char body[REQUEST_MAX];
};

static void request_init(struct request *q, uint16_t type, uint16_t flags)
{
	memset(q, 0, sizeof(*q));
	q->hdr.nlmsg_len = NLMSG_HDRLEN;
	q->hdr.nlmsg_type = type;
	q->hdr.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	q->hdr.nlmsg_seq = 1;
}

static void request_add(struct request *q, const void *data, size_t len)
{
	memcpy((char *)q + q->hdr.nlmsg_len, data, len);
	q->hdr.nlmsg_len += (uint32_t)ATTR_ALIGN(len);
}

static void request_attr(struct request *q, uint16_t type, const void *data, size_t len)
{
	struct rtattr attr = { .rta_type = type, .rta_len = (uint16_t)(RTA_LENGTH(len)) };

	request_add(q, &attr, sizeof(attr));
	request_add(q, data, len);
}

static void request_u32(struct request *q, uint16_t type, uint32_t value)
{
	request_attr(q, type, &value, sizeof(value));
}

static void request_link(struct request *q, uint16_t type, uint16_t flags, int index,
			 unsigned int up)
{
	struct ifinfomsg info = { .ifi_index = index, .ifi_flags = up, .ifi_change = up };

	request_init(q, type, flags);
	request_add(q, &info, sizeof(info));
}

int rtnl_open(struct err *err)
{
	/* An answer comes with the request; this is for a kernel that gives none. */
	const struct timeval limit = { .tv_sec = ANSWER_SECONDS };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return err_errno(err, errno, "making an rtnetlink socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static int receive(int sock, void *answer, size_t size)
{
	struct sockaddr_nl from = { 0 };
	socklen_t from_len = sizeof(from);
	ssize_t n;

	do
		n = NO_EINTR(
		    recvfrom(sock, answer, size, MSG_TRUNC, (struct sockaddr *)&from, &from_len));
	while (n >= 0 && from.nl_pid != 0); /* only the kernel's word counts */
	if (n < 0)
		return -errno;
	return (size_t)n > size ? -EMSGSIZE : (int)n;
}

/* Sends and takes one answer. Its length, or -errno: the kernel's own, too. */
static int ask(int sock, struct request *q, void *answer, size_t size)
{
	const struct nlmsghdr *hdr = answer;
	const struct nlmsgerr *e = NLMSG_DATA(hdr);
	int n;

	if (NO_EINTR(send(sock, q, q->hdr.nlmsg_len, 0)) < 0)
		return -errno;
	n = receive(sock, answer, size);
	if (n < 0)
		return n;
	if ((size_t)n < sizeof(*hdr))
		return -EPROTO;
	if (hdr->nlmsg_type == NLMSG_ERROR)
		return (size_t)n < NLMSG_LENGTH(sizeof(*e)) ? -EPROTO : e->error;
	return n;
}

int rtnl_link_index(int sock, const char *name, struct err *err)
{
	const uint32_t no_stats = 1 << 3; /* RTEXT_FILTER_SKIP_STATS */
	char answer[ANSWER_MAX] __attribute__((aligned(8)));
	const struct nlmsghdr *hdr = (const struct nlmsghdr *)answer;
	struct ifinfomsg info;
	struct request q;
	int r;

	request_link(&q, RTM_GETLINK, 0, 0, 0);
	request_attr(&q, IFLA_IFNAME, name, strlen(name) + 1);
	request_u32(&q, IFLA_EXT_MASK, no_stats);
	r = ask(sock, &q, answer, sizeof(answer));
	if (r == -ENODEV)
		return r;
	if (r >= 0 && (hdr->nlmsg_type != RTM_NEWLINK || (size_t)r < NLMSG_LENGTH(sizeof(info))))
		r = -EPROTO;
	if (r < 0)
		return err_errno(err, -r, "looking for network interface %s", name);
	memcpy(&info, NLMSG_DATA(hdr), sizeof(info));
	return info.ifi_index;
}

static int change(int sock, struct request *q)
{
	char answer[ANSWER_MAX] __attribute__((aligned(8)));

	return ask(sock, q, answer, sizeof(answer));
}

int rtnl_link_move(int sock, int index, int netns, const char *name, struct err *err)
{
	struct request q;
	int r;

	request_link(&q, RTM_NEWLINK, NLM_F_ACK, index, 0);
	request_u32(&q, IFLA_NET_NS_FD, (uint32_t)netns);
	request_attr(&q, IFLA_IFNAME, name, strlen(name) + 1);
	r = change(sock, &q);
	return r < 0 ? err_errno(err, -r, "moving the network interface") : 0;
}

int rtnl_link_up(int sock, int index, struct err *err)
{
	struct request q;
	int r;

	request_link(&q, RTM_NEWLINK, NLM_F_ACK, index, IFF_UP);
	r = change(sock, &q);
	return r < 0 ? err_errno(err, -r, "bringing the network interface up") : 0;
}

int rtnl_addr_add(int sock, int index, const struct rtnl_addr *a, struct err *err)
{
	struct ifaddrmsg msg = {
		.ifa_family = a->family,
		.ifa_prefixlen = a->prefix_len,
		.ifa_scope = a->scope,
		.ifa_index = (uint32_t)index,
	};
	struct request q;
	int r;

	request_init(&q, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	request_add(&q, &msg, sizeof(msg));
	if (a->have_local)
		request_attr(&q, IFA_LOCAL, a->local, a->len);
	if (a->have_address)
		request_attr(&q, IFA_ADDRESS, a->address, a->len);
	if (a->have_broadcast)
		request_attr(&q, IFA_BROADCAST, a->broadcast, a->len);
	if (a->flags)
		request_u32(&q, IFA_FLAGS, a->flags);
	if (a->metric)
		request_u32(&q, IFA_RT_PRIORITY, a->metric);
	r = change(sock, &q);
	/* Some drivers give an address to each interface that they see; it is there, then. */
	return r < 0 && r != -EEXIST ? err_errno(err, -r, "adding an address to the interface") : 0;
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

static int parse_addr(const char *data, size_t len, int index, struct rtnl_addrs *addrs)
{
	struct rtnl_addr a = { 0 };
	struct ifaddrmsg msg;

	if (len < sizeof(msg))
		return -EPROTO;
	memcpy(&msg, data, sizeof(msg));
	if (msg.ifa_index != (uint32_t)index ||
	    (msg.ifa_family != AF_INET && msg.ifa_family != AF_INET6))
		return 0;
	a.family = msg.ifa_family;
	a.prefix_len = msg.ifa_prefixlen;
	a.scope = msg.ifa_scope;
	a.flags = msg.ifa_flags;
	a.len = msg.ifa_family == AF_INET ? 4 : 16;
	for (size_t at = ATTR_ALIGN(sizeof(msg)); at + sizeof(struct rtattr) <= len;) {
		struct rtattr attr;

		memcpy(&attr, data + at, sizeof(attr));
		if (attr.rta_len < sizeof(attr) || attr.rta_len > len - at)
			return -EPROTO;
		take_attr(&a, attr.rta_type & NLA_TYPE_MASK, data + at + sizeof(attr),
			  attr.rta_len - sizeof(attr));
		at += ATTR_ALIGN(attr.rta_len);
	}
	if (!a.have_local && !a.have_address)
		return -EPROTO;
	if (addrs->n == ADDRS_MAX)
		return -E2BIG;
	addrs->items = xrealloc(addrs->items, (addrs->n + 1) * sizeof(*addrs->items));
	addrs->items[addrs->n++] = a;
	return 0;
}

int rtnl_addrs_parse(const void *data, size_t len, int index, struct rtnl_addrs *addrs)
{
	const char *p = data;

	while (len >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr hdr;
		size_t next;
		int e, r = 0;

		memcpy(&hdr, p, sizeof(hdr));
		if (hdr.nlmsg_len < sizeof(hdr) || hdr.nlmsg_len > len)
			return -EPROTO;
		if (hdr.nlmsg_flags & NLM_F_DUMP_INTR)
			addrs->disturbed = true;
		if (hdr.nlmsg_type == NLMSG_DONE)
			return 1;
		if (hdr.nlmsg_type == NLMSG_ERROR) {
			if (hdr.nlmsg_len < sizeof(hdr) + sizeof(e))
				return -EPROTO;
			memcpy(&e, p + sizeof(hdr), sizeof(e));
			return e < 0 && e >= -4095 ? e : -EPROTO;
		}
		if (hdr.nlmsg_type == RTM_NEWADDR)
			r = parse_addr(p + sizeof(hdr), hdr.nlmsg_len - sizeof(hdr), index, addrs);
		if (r < 0)
			return r;
		next = ATTR_ALIGN((size_t)hdr.nlmsg_len);
		if (next >= len)
			break;
		p += next;
		len -= next;
	}
	return 0;
}

static int dump_addrs(int sock, int index, struct rtnl_addrs *ret)
{
	char answer[ANSWER_MAX] __attribute__((aligned(8)));
	struct ifaddrmsg msg = { .ifa_family = AF_UNSPEC, .ifa_index = (uint32_t)index };
	struct request q;
	int r;

	request_init(&q, RTM_GETADDR, NLM_F_DUMP);
	request_add(&q, &msg, sizeof(msg));
	if (NO_EINTR(send(sock, &q, q.hdr.nlmsg_len, 0)) < 0)
		return -errno;
	do {
		r = receive(sock, answer, sizeof(answer));
		if (r >= 0)
			r = rtnl_addrs_parse(answer, (size_t)r, index, ret);
	} while (r == 0);
	return r;
}

int rtnl_addrs_read(int sock, int index, struct rtnl_addrs *ret, struct err *err)
{
	int r = 0;

	for (int i = 0; i < DUMP_ATTEMPTS && r >= 0; i++) {
		*ret = (struct rtnl_addrs){ 0 };
		r = dump_addrs(sock, index, ret);
		if (r > 0 && !ret->disturbed)
			return 0;
		rtnl_addrs_done(ret);
	}
	return err_errno(err, r < 0 ? -r : EAGAIN,
			 "reading the addresses of the network interface");
}

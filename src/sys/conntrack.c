/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/conntrack.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include "sys/netlink.h"

/* The bits of CTA_FILTER_ORIG_FLAGS: of no header (the kernel's nf_internals.h). */
#define FILTER_IP_DST    (1U << 1)
#define FILTER_PROTO_NUM (1U << 3)
#define FILTER_DST_PORT  (1U << 5)

static void put_address(struct nlbuf *q, uint8_t family, const uint8_t *to)
{
	size_t ip = nlbuf_nest(q, CTA_TUPLE_IP);

	if (family == AF_INET)
		nlbuf_attr(q, CTA_IP_V4_DST, to, 4);
	else
		nlbuf_attr(q, CTA_IP_V6_DST, to, 16);
	nlbuf_unnest(q, ip);
}

/* Where the kernel doesn't know filters, the tuple alone is not enough for it: never all flows. */
int conntrack_delete_port(int sock, uint8_t family, const uint8_t *to, uint8_t proto, uint16_t port,
			  struct err *err)
{
	const struct nfgenmsg head = { .nfgen_family = family };
	const uint16_t port_be = htons(port);
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;
	size_t tuple, part;

	nlbuf_begin(&q, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, NLM_F_ACK, &head,
		    sizeof(head));
	nlbuf_what(&q, "forgetting the connections of a port");
	tuple = nlbuf_nest(&q, CTA_TUPLE_ORIG);
	if (to)
		put_address(&q, family, to);
	part = nlbuf_nest(&q, CTA_TUPLE_PROTO);
	nlbuf_attr_u8(&q, CTA_PROTO_NUM, proto);
	nlbuf_attr(&q, CTA_PROTO_DST_PORT, &port_be, sizeof(port_be));
	nlbuf_unnest(&q, part);
	nlbuf_unnest(&q, tuple);
	part = nlbuf_nest(&q, CTA_FILTER);
	nlbuf_attr_u32(&q, CTA_FILTER_ORIG_FLAGS,
		       FILTER_PROTO_NUM | FILTER_DST_PORT | (to ? FILTER_IP_DST : 0));
	nlbuf_unnest(&q, part);
	return netlink_batch(sock, &q, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/nlbuf.h"

#include <arpa/inet.h>
#include <string.h>

#define ALIGNED(len) (((len) + 3U) & ~(size_t)3)

void nlbuf_done(struct nlbuf *q)
{
	buf_done(&q->buf);
	*q = (struct nlbuf)NLBUF_INIT;
}

static void put(struct nlbuf *q, const void *data, size_t len)
{
	static const char zeros[4];

	buf_add(&q->buf, data, len);
	buf_add(&q->buf, zeros, ALIGNED(len) - len);
}

static void set_message_length(struct nlbuf *q)
{
	uint32_t len = (uint32_t)(q->buf.len - q->msg);

	memcpy(q->buf.data + q->msg + offsetof(struct nlmsghdr, nlmsg_len), &len, sizeof(len));
}

void nlbuf_begin(struct nlbuf *q, uint16_t type, uint16_t flags, const void *head, size_t len)
{
	struct nlmsghdr hdr = { .nlmsg_type = type,
				.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
				.nlmsg_seq = ++q->seq };

	q->msg = q->buf.len;
	if (flags & NLM_F_ACK || (flags & NLM_F_DUMP) == NLM_F_DUMP)
		q->last = q->seq;
	put(q, &hdr, sizeof(hdr));
	put(q, head, len);
	set_message_length(q);
}

void nlbuf_what(struct nlbuf *q, const char *what)
{
	if (q->seq > 0 && q->seq <= NLBUF_NAMED)
		q->what[q->seq - 1] = what;
}

const char *nlbuf_what_of(const struct nlbuf *q, uint32_t seq)
{
	for (uint32_t i = seq < NLBUF_NAMED ? seq : NLBUF_NAMED; i > 0; i--)
		if (q->what[i - 1])
			return q->what[i - 1];
	return "asking the kernel over netlink";
}

void nlbuf_attr(struct nlbuf *q, uint16_t type, const void *data, size_t len)
{
	struct nlattr attr = { .nla_len = (uint16_t)(sizeof(attr) + len), .nla_type = type };

	put(q, &attr, sizeof(attr));
	put(q, data, len);
	set_message_length(q);
}

void nlbuf_attr_str(struct nlbuf *q, uint16_t type, const char *s)
{
	nlbuf_attr(q, type, s, strlen(s) + 1);
}

void nlbuf_attr_u8(struct nlbuf *q, uint16_t type, uint8_t value)
{
	nlbuf_attr(q, type, &value, sizeof(value));
}

void nlbuf_attr_u32(struct nlbuf *q, uint16_t type, uint32_t value)
{
	nlbuf_attr(q, type, &value, sizeof(value));
}

void nlbuf_attr_be32(struct nlbuf *q, uint16_t type, uint32_t value)
{
	nlbuf_attr_u32(q, type, htonl(value));
}

void nlbuf_add(struct nlbuf *q, const void *data, size_t len)
{
	put(q, data, len);
	set_message_length(q);
}

size_t nlbuf_nest(struct nlbuf *q, uint16_t type)
{
	size_t at = q->buf.len;

	nlbuf_attr(q, type | NLA_F_NESTED, "", 0);
	return at;
}

void nlbuf_unnest(struct nlbuf *q, size_t at)
{
	uint16_t len = (uint16_t)(q->buf.len - at);

	memcpy(q->buf.data + at + offsetof(struct nlattr, nla_len), &len, sizeof(len));
}

size_t nlbuf_room(const struct nlbuf *q, size_t at)
{
	size_t used = q->buf.len - at;

	return used < UINT16_MAX ? UINT16_MAX - used : 0;
}

/* Past what is at *p, and past its padding, which may be missing behind the last one. */
static void step(const char **p, size_t *len, size_t size)
{
	size_t n = ALIGNED(size);

	if (n > *len)
		n = *len;
	*p += n;
	*len -= n;
}

int nlmsg_next(const char **p, size_t *len, struct nlmsg_view *ret)
{
	struct nlmsghdr hdr;

	if (*len < sizeof(hdr))
		return 0;
	memcpy(&hdr, *p, sizeof(hdr));
	if (hdr.nlmsg_len < sizeof(hdr) || hdr.nlmsg_len > *len)
		return -EPROTO;
	*ret = (struct nlmsg_view){ .type = hdr.nlmsg_type,
				    .flags = hdr.nlmsg_flags,
				    .seq = hdr.nlmsg_seq,
				    .body = *p + sizeof(hdr),
				    .len = hdr.nlmsg_len - sizeof(hdr) };
	step(p, len, hdr.nlmsg_len);
	return 1;
}

int nlattr_next(const char **p, size_t *len, struct nlattr_view *ret)
{
	struct nlattr attr;

	if (*len < sizeof(attr))
		return *len == 0 ? 0 : -EPROTO;
	memcpy(&attr, *p, sizeof(attr));
	if (attr.nla_len < sizeof(attr) || attr.nla_len > *len)
		return -EPROTO;
	*ret = (struct nlattr_view){ .type = attr.nla_type & NLA_TYPE_MASK,
				     .data = *p + sizeof(attr),
				     .len = attr.nla_len - sizeof(attr) };
	step(p, len, attr.nla_len);
	return 1;
}

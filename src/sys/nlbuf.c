/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/nlbuf.h"

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
	put(q, &hdr, sizeof(hdr));
	put(q, head, len);
	set_message_length(q);
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

void nlbuf_attr_u32(struct nlbuf *q, uint16_t type, uint32_t value)
{
	nlbuf_attr(q, type, &value, sizeof(value));
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

int nlattr_next(const char **p, size_t *len, struct nlattr_view *ret)
{
	struct nlattr attr;
	size_t step;

	if (*len < sizeof(attr))
		return *len == 0 ? 0 : -EPROTO;
	memcpy(&attr, *p, sizeof(attr));
	if (attr.nla_len < sizeof(attr) || attr.nla_len > *len)
		return -EPROTO;
	*ret = (struct nlattr_view){ .type = attr.nla_type & NLA_TYPE_MASK,
				     .data = *p + sizeof(attr),
				     .len = attr.nla_len - sizeof(attr) };
	step = ALIGNED((size_t)attr.nla_len);
	if (step > *len)
		step = *len;
	*p += step;
	*len -= step;
	return 1;
}

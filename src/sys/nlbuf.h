/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of netlink(7), many in one buffer: heads, attributes, nests. Lengths are kept right
 * while the buffer is filled. Of messages that are read, nlattr_next() goes through the attributes.
 */
#pragma once

#include <linux/netlink.h>

#include "base/buf.h"

struct nlbuf {
	struct buf buf;
	size_t msg;   /* where the current message begins */
	uint32_t seq; /* its number, from 1 */
};
#define NLBUF_INIT                                                                                 \
	{                                                                                          \
		.buf = BUF_INIT                                                                    \
	}
void nlbuf_done(struct nlbuf *q);
#define cleanup_nlbuf CLEANUP(nlbuf_done)

/* A new message: NLM_F_REQUEST and flags; head is what stands behind the nlmsghdr. */
void nlbuf_begin(struct nlbuf *q, uint16_t type, uint16_t flags, const void *head, size_t len);
void nlbuf_attr(struct nlbuf *q, uint16_t type, const void *data, size_t len);
void nlbuf_attr_str(struct nlbuf *q, uint16_t type, const char *s);
void nlbuf_attr_u32(struct nlbuf *q, uint16_t type, uint32_t value);
/* Attributes up to nlbuf_unnest() are in this one. A nest holds 64 kB at most: nlbuf_room() says
 * how much is left of the one that began at `at`. */
size_t nlbuf_nest(struct nlbuf *q, uint16_t type);
void nlbuf_unnest(struct nlbuf *q, size_t at);
size_t nlbuf_room(const struct nlbuf *q, size_t at);

struct nlattr_view {
	uint16_t type; /* without NLA_F_* */
	const void *data;
	size_t len;
};
/* The attribute at *p, which is moved behind it: 1, 0 at the end, -EPROTO. */
int nlattr_next(const char **p, size_t *len, struct nlattr_view *ret);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of netlink(7), many in one buffer: heads, attributes, nests. Lengths are kept right
 * while the buffer is filled. nlmsg_next() and nlattr_next() go through what is read. netlink.h
 * sends and receives.
 */
#pragma once

#include <linux/netlink.h>

#include "base/buf.h"

#define NLBUF_NAMED 16

struct nlbuf {
	struct buf buf;
	size_t msg;    /* where the current message begins */
	uint32_t seq;  /* its number, from 1 */
	uint32_t last; /* number of the last message that is answered in any case */
	bool whole;    /* a batch of nfnetlink's, done whole or not at all */
	const char *what[NLBUF_NAMED];
};
#define NLBUF_INIT                                                                                 \
	{                                                                                          \
		.buf = BUF_INIT                                                                    \
	}
void nlbuf_done(struct nlbuf *q);
#define cleanup_nlbuf CLEANUP(nlbuf_done)

/* A new message: NLM_F_REQUEST and flags; head is what stands behind the nlmsghdr. */
void nlbuf_begin(struct nlbuf *q, uint16_t type, uint16_t flags, const void *head, size_t len);
/* What error messages call the current message, and those behind it that have no name of their own;
 * borrowed. Only of the first NLBUF_NAMED. */
void nlbuf_what(struct nlbuf *q, const char *what);
const char *nlbuf_what_of(const struct nlbuf *q, uint32_t seq);
void nlbuf_attr(struct nlbuf *q, uint16_t type, const void *data, size_t len);
void nlbuf_attr_str(struct nlbuf *q, uint16_t type, const char *s);
void nlbuf_attr_u8(struct nlbuf *q, uint16_t type, uint8_t value);
void nlbuf_attr_u32(struct nlbuf *q, uint16_t type, uint32_t value);
void nlbuf_attr_be32(struct nlbuf *q, uint16_t type, uint32_t value); /* in network byte order */
/* Plain bytes: the head that some nests have. */
void nlbuf_add(struct nlbuf *q, const void *data, size_t len);
/* Attributes up to nlbuf_unnest() are in this one. A nest holds 64 kB at most: nlbuf_room() says
 * how much is left of the one that began at `at`. */
size_t nlbuf_nest(struct nlbuf *q, uint16_t type);
void nlbuf_unnest(struct nlbuf *q, size_t at);
size_t nlbuf_room(const struct nlbuf *q, size_t at);

struct nlmsg_view {
	uint16_t type, flags;
	uint32_t seq;
	const char *body; /* what stands behind the nlmsghdr; may not be aligned */
	size_t len;
};
/* The message at *p, which is moved behind it: 1, 0 at the end, -EPROTO. */
int nlmsg_next(const char **p, size_t *len, struct nlmsg_view *ret);

struct nlattr_view {
	uint16_t type; /* without NLA_F_* */
	const void *data;
	size_t len;
};
/* The attribute at *p, which is moved behind it: 1, 0 at the end, -EPROTO. */
int nlattr_next(const char **p, size_t *len, struct nlattr_view *ret);

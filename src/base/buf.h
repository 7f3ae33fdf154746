/* SPDX-License-Identifier: Apache-2.0 */
/* Growable byte buffer, always NUL-terminated behind len. Owner calls buf_done() or buf_take(). */
#pragma once

#include "base/util.h"

struct buf {
	char *data; /* NULL while empty */
	size_t len, cap;
};
#define BUF_INIT                                                                                   \
	{                                                                                          \
		.data = NULL, .len = 0, .cap = 0                                                   \
	}

void buf_add(struct buf *b, const void *data, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_fill(struct buf *b, char c, size_t n);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_reserve(struct buf *b, size_t extra);
void buf_reset(struct buf *b);            /* len = 0, keeps the memory */
const char *buf_str(const struct buf *b); /* never NULL */
char *buf_take(struct buf *b); /* never NULL; the caller frees; the buffer is empty again */
void buf_done(struct buf *b);
#define cleanup_buf CLEANUP(buf_done)

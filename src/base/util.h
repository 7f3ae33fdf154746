/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Macros that every file uses: cleanup attributes, ownership transfer, array sizes.
 * A variable declared with a cleanup_* attribute frees what it holds when its scope ends;
 * take_ptr()/take_fd() hand the value on and leave the variable empty.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

#include "base/banned.h"

#define ARRAY_SIZE(a)     (sizeof(a) / sizeof((a)[0]))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define CLEANUP(fn)       __attribute__((cleanup(fn)))
#define MUST_CHECK        __attribute__((warn_unused_result))
#define UNUSED            __attribute__((unused))

/* Retries a system call that a signal interrupted. Never for close(2). */
#define NO_EINTR(expr)                                                                             \
	__extension__({                                                                            \
		__typeof__(expr) no_eintr_r_;                                                      \
		do                                                                                 \
			no_eintr_r_ = (expr);                                                      \
		while (no_eintr_r_ < 0 && errno == EINTR);                                         \
		no_eintr_r_;                                                                       \
	})

static inline void cleanup_free_(void *p)
{
	free(*(void **)p);
}
#define cleanup_free CLEANUP(cleanup_free_)

#define take_ptr(p)                                                                                \
	__extension__({                                                                            \
		__typeof__(p) take_ptr_v_ = (p);                                                   \
		(p) = NULL;                                                                        \
		take_ptr_v_;                                                                       \
	})

/* Small internal allocations: abort on failure. A size that comes from outside is limited first. */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* SPDX-License-Identifier: Apache-2.0 */
/* The keys by which a terminal lets go of its container: docker's --detach-keys. Pure. */
#pragma once

#include "base/err.h"

#define DETACH_KEYS_MAX     16
#define DETACH_KEYS_DEFAULT "ctrl-p,ctrl-q"

struct detach_keys {
	char keys[DETACH_KEYS_MAX];
	size_t n;       /* 0: none */
	size_t matched; /* of them have been typed and are held back */
};

/* "ctrl-a", "ctrl-@", "x", with commas between; "": none; NULL: the default. */
int detach_keys_parse(const char *text, struct detach_keys *ret, struct err *err);
/* What was typed becomes what goes on, in out (room for len + DETACH_KEYS_MAX); *ret_len of it.
 * True: the keys were among it, and what came before them is in out. */
bool detach_keys_filter(struct detach_keys *k, const char *in, size_t len, char *out,
			size_t *ret_len);

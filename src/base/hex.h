/* SPDX-License-Identifier: Apache-2.0 */
/* Lower-case hexadecimal and random ids. */
#pragma once

#include "base/util.h"

void hex_encode(const void *data, size_t len, char *out); /* out: 2 * len + 1 bytes */
/* Accepts lower-case digits only, exactly 2 * len of them. 0 or -EINVAL. */
int hex_decode(const char *s, void *data, size_t len) MUST_CHECK;
/* 64 hex digits from getrandom(2), for container ids. */
#define HEX_ID_LEN 64
int hex_random_id(char out[HEX_ID_LEN + 1]);
bool hex_is_id_prefix(const char *word); /* or a whole one */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content digests as text, "algorithm:hex" (image-spec descriptor.md, Digests). Pure: nothing is
 * hashed here. Only the registered algorithms that the engine can verify are accepted; the hex part
 * is lower case and has exactly the algorithm's length, so a checked digest is also a safe file
 * name in blobs/<algorithm>/<hex>.
 */
#pragma once

#include "base/err.h"

enum digest_alg { DIGEST_SHA256, DIGEST_SHA512, DIGEST_ALGS };

/* Longest text with its NUL: "sha512:" and 128 digits. */
#define DIGEST_TEXT_MAX  136
#define DIGEST_BYTES_MAX 64

struct digest {
	enum digest_alg alg;
	uint8_t bytes[DIGEST_BYTES_MAX]; /* digest_size() of them are used, the rest is zero */
};

const char *digest_alg_name(enum digest_alg alg);
size_t digest_size(enum digest_alg alg); /* bytes: 32 or 64 */

/* Parses the whole string. 0, or -EINVAL with what was expected; ret untouched then. */
int digest_parse(const char *text, struct digest *ret, struct err *err);
/* Is text a whole, well-formed digest of a known algorithm? NULL is not. */
bool digest_valid(const char *text);
/* The hex part of a digest that digest_valid() accepts; points into text. */
const char *digest_hex(const char *text);
/* Writes "algorithm:hex" into out, which it returns. */
const char *digest_format(const struct digest *digest, char out[DIGEST_TEXT_MAX]);
bool digest_equal(const struct digest *a, const struct digest *b);

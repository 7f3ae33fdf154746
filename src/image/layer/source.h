/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The archive as it comes in: reads an fd (a pipe too), recognises gzip, zstd and xz by their first
 * bytes, decompresses, hashes both sides on the way and enforces the limits. One pass, no seeking.
 */
#pragma once

#include "base/err.h"

#define SOURCE_DIGEST_MAX (sizeof("sha256:") + 64)

struct source_limits {
	uint64_t max_bytes; /* after decompression */
	uint64_t max_ratio; /* of decompressed to compressed, once over 256 MiB */
};
/* Hashing costs a third of the time, so it is asked for. */
enum { SOURCE_HASH_INPUT = 1 << 0, SOURCE_HASH_OUTPUT = 1 << 1 };

struct source;
struct source *source_new(int fd, const struct source_limits *limits, unsigned int flags);
void source_free(struct source *src);

/* The next block of decompressed bytes, valid until the next call. Returns its length, 0 at the
 * end, or -errno. After an error every call returns it again (see source_error). */
ssize_t source_next(struct source *src, const void **ret_data);
/* The error that source_next() met, or NULL. */
const struct err *source_error(const struct source *src);
/* Reads what is left, so that the hashes cover all of the input. 0 or -errno. */
int source_drain(struct source *src, struct err *err);
/* "sha256:<hex>"; call once, after the end. */
void source_input_digest(struct source *src, char out[SOURCE_DIGEST_MAX]);
void source_output_digest(struct source *src, char out[SOURCE_DIGEST_MAX]);
uint64_t source_input_bytes(const struct source *src);
uint64_t source_output_bytes(const struct source *src);

/* SHA-256 with libcrypto, for the split mode's files. */
struct evp_md_ctx_st;
struct evp_md_ctx_st *hash_new(void);
void hash_add(struct evp_md_ctx_st *ctx, const void *data, size_t len);
void hash_finish(struct evp_md_ctx_st *ctx, char out[SOURCE_DIGEST_MAX]); /* and starts anew */
void hash_free(struct evp_md_ctx_st *ctx);

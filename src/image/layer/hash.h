/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 with libcrypto, which uses the CPU's instructions for it. */
#pragma once

#include "base/err.h"

#define HASH_TEXT_MAX (sizeof("sha256:") + 64)

struct evp_md_ctx_st;
struct evp_md_ctx_st *hash_new(void);
void hash_add(struct evp_md_ctx_st *ctx, const void *data, size_t len);
/* "sha256:<hex>"; the context starts anew. */
void hash_finish(struct evp_md_ctx_st *ctx, char out[HASH_TEXT_MAX]);
void hash_free(struct evp_md_ctx_st *ctx);

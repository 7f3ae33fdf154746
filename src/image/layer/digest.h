/* SPDX-License-Identifier: Apache-2.0 */
/* Copying a blob from fd to fd while it is hashed: for what only moves blobs on. */
#pragma once

#include "image/layer/hash.h"

/* ERR_LIMIT: more than max bytes. */
int digest_copy(struct evp_md_ctx_st *ctx, int in_fd, int out_fd, uint64_t max,
		char ret_digest[HASH_TEXT_MAX], uint64_t *ret_size, struct err *err);

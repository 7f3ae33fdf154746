/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stages of unpacking a layer that only read and write: each is a process of its own
 * (pipeline.h), so that what parses compressed data or tar has no say in what a digest is.
 */
#pragma once

#include "image/layer/hash.h"
#include "image/layer/result.h"
#include "image/layer/source.h"

struct stage_hash {
	struct evp_md_ctx_st *ctx;
	/* What has come before is in this file; what comes is appended to it. Negative: none. */
	int partial_fd;
	int in_fd, out_fd;
};
/* Hashes what it passes on. -EPIPE: the next stage has given up, which has its own reason. */
int stage_hash(const struct stage_hash *stage, struct stage_result *ret, struct err *err);
/* Decompresses from in_fd to out_fd within the limits. -EPIPE as above. */
int stage_decompress(int in_fd, int out_fd, const struct source_limits *limits, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compressing a layer anew, as a stage of its own (pipeline.h). The same tar, way and level give
 * the same bytes with the same library.
 */
#pragma once

#include "base/err.h"

#define COMPRESS_ZSTD_MAX 19 /* beyond it the fence's memory does not suffice */

/* to: "gzip" or "zstd". level 0: the default, else 1 to 9 or COMPRESS_ZSTD_MAX. -EPIPE: the next
 * stage has given up. */
int stage_compress(int in_fd, int out_fd, const char *to, int level, struct err *err);

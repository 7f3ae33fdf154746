/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The archive as it comes in: reads an fd (a pipe too), recognises gzip, zstd and xz by their first
 * bytes, decompresses and enforces the limits. One pass, no seeking.
 */
#pragma once

#include "base/err.h"

struct source_limits {
	uint64_t max_bytes; /* after decompression: what there is room for */
	uint64_t max_ratio; /* of decompressed to compressed, once over 256 MiB */
	/* What must be left free on the disk of the directory keep_fd while this one is read:
	 * others write to it at the same time. 0: no matter. */
	uint64_t keep_bytes, keep_inodes;
	int keep_fd;
};
enum { SOURCE_PLAIN = 1 << 0 /* decompressed already, whatever the first bytes are */ };

struct source;
struct source *source_new(int fd, const struct source_limits *limits, unsigned int flags);
void source_free(struct source *src);

/* The next block of decompressed bytes, valid until the next call. Returns its length, 0 at the
 * end, or -errno. After an error every call returns it again (see source_error). */
ssize_t source_next(struct source *src, const void **ret_data);
/* The error that source_next() met, or NULL. */
const struct err *source_error(const struct source *src);
/* Reads what is left: the digests of others cover all of the input. 0 or -errno. */
int source_drain(struct source *src, struct err *err);

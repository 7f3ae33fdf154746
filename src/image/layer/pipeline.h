/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking as a pipeline of processes, all made before the first byte is read, each behind its own
 * fence and with its own pipe to the engine:
 *   1 hash        what comes in; keeps it in the partial file
 *   2 decompress  read, write, memory: nothing else is let through
 *   3 hash        the tar: the diff id
 *   4 apply       this process; see apply.h
 * To make another blob of a layer the last step is another one:
 *   4 compress    as 2; not when the blob is to be the tar itself
 *   5 hash        the blob, which it writes: this process
 * They read and write, since a page that were shared could change between hash and use.
 */
#pragma once

#include "image/layer/source.h"

struct pipeline_options {
	struct source_limits limits;
	bool plain; /* a tar whose digest the engine knows to be the diff id: no 2 and 3 */
	const char *compress; /* "gzip", "zstd", or NULL: no compressing */
	int level;            /* 0: the default */
};
/* Starts all stages but the last one. Returns the fd that it reads. */
int pipeline_start(const struct pipeline_options *options, struct err *err);
/* Waits for the processes that pipeline_start() made. */
void pipeline_wait(void);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partial/<hex>-<key>: the beginning of a blob that is being downloaded, or whose download was
 * killed. Who holds its lock downloads it; others wait for that, or go on with it when the holder
 * has died. The key stands for where the blob comes from: nobody waits for somebody else's
 * registry, which may be slow on purpose. Nothing in it is believed: the pipeline that unpacks the
 * blob hashes these bytes, too.
 */
#pragma once

#include "image/store.h"

struct partial {
	int fd;        /* locked, at its start; the lock goes with the last copy of the fd */
	uint64_t size; /* bytes that are there */
	char *digest, *name;
};
#define PARTIAL_INIT                                                                               \
	{                                                                                          \
		.fd = -EBADF                                                                       \
	}

/* source: any text, or NULL for a file that nobody else will find. 1: it is ours; 0: another
 * process is at it, or was a moment ago: look again; *ret_size is what it has got so far. max_size:
 * of the blob; when more is there it starts anew. */
int partial_open(struct image_store *store, const char *digest, const char *source,
		 uint64_t max_size, struct partial *ret, uint64_t *ret_size, struct err *err);
/* Begins anew with nothing. */
int partial_clear(struct partial *pa, struct err *err);
/* It has become the whole blob, verified by the caller: puts it into the store, in place of one
 * that is there. */
int partial_commit(struct image_store *store, struct partial *pa, struct err *err);
/* Lets go of it; what is there stays for another try. */
void partial_done(struct partial *pa);
#define cleanup_partial CLEANUP(partial_done)

/* Removes those that nobody holds and nobody has touched for so long. Returns the bytes freed. */
uint64_t partial_collect(struct image_store *store, int64_t age_ns);

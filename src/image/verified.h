/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which blobs the store's layers are known to come from. A manifest pairs blobs with diff ids as
 * its author likes: that a layer of the diff id is here says nothing of the blob beside it. What
 * has been unpacked and hashed once is noted in the layer's directory (info.json, and from-<hex>
 * for each further blob), so that nobody need do it again.
 */
#pragma once

#include "image/store.h"

/* What the names of these notes begin with. */
#define LAYER_NOTE "from-"

/* Is the layer here, and has this blob been seen to unpack to it? The blob itself may be gone. */
bool layer_comes_from(const struct image_store *store, const char *diff_id, const char *digest);
/* The same, and the blob is here with that many bytes (negative: whatever). */
bool layer_is_whole(const struct image_store *store, const char *diff_id, const char *digest,
		    int64_t size);
/* Notes that a blob, which the caller has seen unpacked, is one more form of the layer. */
int layer_note_blob(struct image_store *store, const char *diff_id, const char *digest,
		    struct err *err);
/* Adds the blobs that the layer is known to come from, here or not: any of them unpacks to it. */
void layer_blobs(const struct image_store *store, const char *diff_id, char ***ret);
/* Puts the file name of from_dir into the store as the blob, in place of one that is there with
 * other content: its own has just been verified, that of the other one perhaps a long time ago.
 * Without such a file nothing happens. */
int store_put_blob(struct image_store *store, int from_dir, const char *name, const char *digest,
		   struct err *err);

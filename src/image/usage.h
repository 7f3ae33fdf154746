/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What images take on the disk, for the budget. Nothing that a registry or an archive says comes
 * into it: blocks are counted. Reads a whole tree, the first time.
 */
#pragma once

#include "image/store.h"

/* 0: not there. */
uint64_t store_blob_usage(const struct image_store *store, const char *digest);
/* A layer never changes: what was found is kept beside its tree. */
uint64_t store_layer_usage(struct image_store *store, const char *diff_id);
/* Bytes of all that is below a directory of the store. */
uint64_t store_dir_usage(struct image_store *store, const char *name);
/* It has got more: the next who asks measures it again. */
void store_layer_usage_forget(const struct image_store *store, const char *diff_id);

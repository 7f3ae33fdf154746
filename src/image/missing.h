/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store does not have, for many blobs and layers at once: three directories are read, and
 * nothing is looked up. Somebody may add to the store meanwhile.
 */
#pragma once

#include "image/store.h"

struct store_names {
	char **items; /* sorted */
	size_t n;
};
struct store_names_all {
	struct store_names blobs, layers, lost;
};
int store_names_read(struct image_store *store, struct store_names_all *ret, struct err *err);
void store_names_done(struct store_names_all *names);
#define cleanup_store_names CLEANUP(store_names_done)
/* Is the blob, or the layer, among them, and was not lost when the machine went down? */
bool store_names_have(const struct store_names_all *names, bool blob, const char *digest);

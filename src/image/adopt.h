/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories that a layer has only because something in them changed, without an entry of their
 * own (umoci writes such layers): overlayfs would show them with the attributes that unpacking made
 * up, so they take on those of the directory that they cover. A layer is unpacked without its lower
 * ones and shared by all images that have it; what lies below it in the first one counts.
 */
#pragma once

#include "image/store.h"

/* For the layers that are in staging, bottom first. */
int adopt_implied(struct image_store *store, const struct staging *st, char *const *diff_ids,
		  struct err *err);
/* For the one that is diff_ids[k]; nothing happens when it is not in staging. */
int adopt_layer(struct image_store *store, const struct staging *st, char *const *diff_ids,
		size_t k, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is what the store has what it should be? Blobs are hashed, layers are unpacked once more from
 * their blobs and compared file by file, by inro-layer. Whoever calls holds the store's lock.
 */
#pragma once

#include "image/store.h"

/* 1: it is damaged, *ret_problem (heap) says how, as in "has other content"; 0: it is whole; or
 * -errno: it can't be told. quick: nothing is read through. Else what was not known to be on the
 * disk when the machine went down (sync.h), and turns out to be whole, counts as there again. */
int verify_blob(struct image_store *store, const char *digest, bool quick, char **ret_problem,
		struct err *err);
int verify_layer(struct image_store *store, const char *diff_id, bool quick, char **ret_problem,
		 struct err *err);

/* Unpacks the layer once more, from a blob that it is known to come from or one of these more, and
 * puts that in place of the one that is there. For whoever holds the store's lock alone. Has a
 * container been started meanwhile, which in_use() tells, then the old tree stays on the disk
 * beside the new one, as long as the layer. */
int repair_layer(struct image_store *store, const char *diff_id, char *const *more,
		 bool (*in_use)(void *data), void *data, struct err *err);

/* How the tree differs from the one that is expected: as in image/layer/compare.h. */
int verify_trees(struct image_store *store, int expected, int tree, struct buf *ret_doc,
		 struct err *err);

/* What is in the store and belongs to nobody. */
struct leftover {
	char *path; /* in the store */
	char *why;
	uint64_t size;
	bool removed;
};
struct leftovers {
	struct leftover *items;
	size_t n;
};
/* Adds to *ret: blobs, layers and shims that are for nothing of this, downloads that nobody has
 * gone on with for age_ns, marks of what is not there. remove: removes what image_collect() would
 * leave.
 */
int leftovers_find(struct image_store *store, const struct image_keep *keep, int64_t age_ns,
		   bool remove, struct leftovers *ret, struct err *err);
/* Takes path and why over. */
void leftovers_add(struct leftovers *list, char *path, uint64_t size, char *why, bool removed);
void leftovers_done(struct leftovers *list);

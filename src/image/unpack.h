/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking layers into a staging directory, as many at once as there are processors. */
#pragma once

#include "image/store.h"

struct unpack_layer {
	const char *digest;  /* the blob, in staging or in the store */
	const char *diff_id; /* what it must unpack to; borrowed */
	uint64_t size;       /* bytes that the blob must have */
	bool unpacked;       /* the result: it was, so its blob is what it should be */
};
/* Puts equal ones next to each other and leaves one of each. Returns how many. */
size_t unpack_sort(struct unpack_layer *layers, size_t n);
/* A blob that is in the store and was seen to unpack to the store's layer is not unpacked again.
 * Another blob for the same diff id is, to see that it really does. Nobody else's word is taken for
 * what a staged blob holds. */
int unpack_layers(struct image_store *store, const struct staging *st, struct unpack_layer *layers,
		  size_t n, struct err *err);
/* Unpacks what comes from in_fd, of which nothing is known, into the staging directory under its
 * diff id, and writes it to the empty file blob_fd. -ECANCELED when cancel_fd (<= 0: none) is
 * readable before it is done. */
int unpack_unknown(struct image_store *store, const struct staging *st, int in_fd, int blob_fd,
		   int cancel_fd, struct apply_result *ret, struct err *err);

/* dir/fs in the staging directory, for the tree; returns an fd of it. */
int unpack_mkdir(const struct staging *st, const char *dir, struct err *err);
/* Puts what is known of the layer beside its tree. */
int unpack_seal(const struct staging *st, const char *dir, const struct apply_result *info,
		struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking layers into a staging directory, as many at once as there are processors. */
#pragma once

#include "image/store.h"

struct unpack_layer {
	const char *digest;  /* the blob, in staging or in the store */
	const char *diff_id; /* what it must unpack to; borrowed */
};
/* A blob that the store's layer came from, or that is plain and so has the diff id as its own
 * digest, is not unpacked again. Another blob for the same diff id is, to see that it really
 * unpacks to it.
 */
int unpack_layers(struct image_store *store, const struct staging *st,
		  const struct unpack_layer *layers, size_t n, struct err *err);
/* Unpacks what comes from in_fd, of which nothing is known, into the staging directory under its
 * diff id, and writes it to the empty file blob_fd. */
int unpack_unknown(struct image_store *store, const struct staging *st, int in_fd, int blob_fd,
		   struct apply_result *ret, struct err *err);

/* dir/fs in the staging directory, for the tree; returns an fd of it. */
int unpack_mkdir(const struct staging *st, const char *dir, struct err *err);
/* Puts what is known of the layer beside its tree. */
int unpack_seal(const struct staging *st, const char *dir, const struct apply_result *info,
		struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories that a layer has only because something in them changed, without an entry of their
 * own (umoci and bazel write such layers): overlayfs would show them with the attributes that
 * unpacking made up, so they must show those of the directory that they cover. That one belongs to
 * the layers below, which differ from image to image, while the layer's tree is shared by all
 * images that have it and must say the same in each. So there goes a shim on top of the layer: a
 * tree of these directories alone, layers/<hex>/shims/<hex of the chain id>/fs. The chain id
 * (image-spec config.md) stands for the layer and all that is below it, and the shim follows from
 * these alone: images with the same ones share it, others can't reach it. No fs in it: none is
 * needed.
 *
 * A directory with a whiteout that no lower layer has is in there, too: one that comes from a
 * single layer is read by overlayfs as it is, and the whiteout would be listed.
 *
 * The root directory of a layer without an entry for it needs no shim: the layer has the mark
 * "noroot", and whoever shows an image takes "/" from image_init_upper().
 */
#pragma once

#include "image/sha256.h"
#include "image/store.h"

/* The chain id of what was in chain ("": nothing) and this layer on top of it. */
void shim_chain_add(char chain[SHA256_TEXT_MAX], const char *diff_id);
/* All that the images with these stacks, "DIFFID,DIFFID..." from the bottom up, can have shims for:
 * chain ids, sorted. */
struct shim_chains {
	char **ids;
	size_t n;
};
void shim_chains_read(char *const *stacks, struct shim_chains *ret);
bool shim_chains_have(const struct shim_chains *chains, const char *hex);
void shim_chains_done(struct shim_chains *chains);
/* Makes what the image of these layers, which are all in the store, has not got yet. */
int shims_make(struct image_store *store, char *const *diff_ids, struct err *err);
/* Are they what shims_make() would make? A word for each that is not goes into *ret_problems.
 * quick: whether they are there, alone. repair: they are made anew. */
int shims_check(struct image_store *store, char *const *diff_ids, bool quick, bool repair,
		char ***ret_problems, struct err *err);
/* Its name below the store's root, or NULL when there is none. The caller frees. */
char *shim_name(const struct image_store *store, char *const *diff_ids, size_t k);
/* The directory to go on top of diff_ids[k] for overlayfs: an fd, -ENOENT when none is needed,
 * -ENODATA when it has gone, as with a layer that had to be replaced, or another -errno with a
 * message. map: the hash of mapped.h, or NULL. */
int shim_open(const struct image_store *store, char *const *diff_ids, size_t k, const char *map,
	      struct err *err);
/* Where it is below the store's root, needed or not. The caller frees. */
char *shim_path(char *const *diff_ids, size_t k);

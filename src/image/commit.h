/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container has changed: seen, taken out, and made an image of. All of it comes from the
 * overlay's upper directory, read by the confined inro-layer; mounts are no part of it.
 */
#pragma once

#include "image/ids.h"
#include "image/image.h"

struct commit_tree {
	int upper_fd; /* O_PATH will do */
	int idmap_fd; /* a user namespace that maps the ids of its files to what the container
			 sees; negative: none */
	const struct image_ids *ids; /* rootless: of the container; NULL: the store's; borrowed */
	int *layers;                 /* of image_open_layers(): topmost first */
	size_t n_layers;
	char **mounts; /* absolute paths on which something was mounted */
};
void commit_tree_done(struct commit_tree *tree);
#define cleanup_commit_tree CLEANUP(commit_tree_done)

/* ret: "A/path", "C/path", "D/path" with a NUL behind each, sorted by path. */
int commit_diff(struct image_store *store, const struct commit_tree *tree, struct buf *ret,
		struct err *err);
/* The whole tree as a tar to out_fd. newest: later times become this one (seconds); < 0: any. */
int commit_export(struct image_store *store, const struct commit_tree *tree, int64_t newest,
		  int out_fd, struct err *err);

struct commit_options {
	const char *base_manifest;       /* digest of the image that the container was made of */
	struct oci_image_config *config; /* the new one, but for rootfs: the layer's is added */
	struct oci_history *history;     /* of the new layer */
	bool docker;                     /* Docker's media types in the place of OCI's */
	int64_t timestamp, newest;       /* of the files, in seconds; < 0: not */
	int cancel_fd;                   /* -ECANCELED when it is readable; <= 0: none */
};
/* The upper directory becomes a layer on top of the base image's. */
int image_commit(struct image_store *store, const struct commit_tree *tree,
		 const struct commit_options *opts, struct image *ret, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the image store:
 *   blobs/sha256/<hex>        as in an OCI image layout
 *   layers/<hex>/fs           the unpacked layer of that diff id: an overlay lower directory
 *   layers/<hex>/info.json    struct apply_result without `implied` and `whiteouts`
 *   layers/<hex>/implied.json there when it has any: those alone, without "."
 *   layers/<hex>/noroot       there when it has no entry for its root directory
 *   layers/<hex>/from-<hex>   another blob that unpacks to it, see verified.h
 *   layers/<hex>/shims/       see shim.h
 *   layers/<hex>/replaced-*   what a container runs on that was started while it was repaired
 *   layers/<hex>/opaque       there when the layer hides all that lies below it
 *   partial/<hex>-<key>       blobs that are being downloaded, see partial.h
 *   unsynced/<name>           marks of what is not on the disk yet, see sync.h
 *   staging/<random>/         half-done work; whose flock is free is nobody's
 *   empty/                    the lower directory of an image without layers
 *   lock                      shared: images are being added; exclusive: collecting
 *   collect                   there while garbage waits for the end of what adds images
 * fs is one level down because a user namespace's root may not move a directory that its own user
 * cannot write to, as "/" of an image may be.
 */
#pragma once

#include "base/buf.h"
#include "image/image.h"
#include "image/layer/result.h"

struct staging {
	int fd; /* the directory, locked */
	char *name;
};
#define STAGING_INIT                                                                               \
	{                                                                                          \
		.fd = -EBADF, .name = NULL                                                         \
	}
int staging_new(struct image_store *store, struct staging *ret, struct err *err);
/* Removes it with all that is still in it. */
void staging_done(struct image_store *store, struct staging *st);

/* Takes the store's lock until image_store_unlock(). */
int store_lock_shared(struct image_store *store, struct err *err);
/* 1: locked; 0: an image is being added. */
int store_lock_exclusive(struct image_store *store, struct err *err);

/* Has the filesystem put each directory that is made in dir, and what is made in that, into a group
 * of inodes by its name, here a random one, where it has such groups and this flag (ext4). The next
 * to the last one's may be full of inodes freed in the last minutes, by an `rmi` or many `run
 * --rm`, which ext4 steps over one by one for each file that it makes: after an `rmi`, longer than
 * all else that a pull does. */
void store_spread_directories(int dir);
/* A directory of the store by name ("blobs/sha256", "layers", "staging"), readable. */
int store_open_dir(const struct image_store *store, const char *name, struct err *err);

#define STORE_AGAIN_HINT "get the image again: `inro pull` or `inro load`"

/* Digests are checked sha256 ones. */
bool blob_exists(const struct image_store *store, const char *digest, int64_t size);
/* An fd, -EINVAL when it is no file, or another -errno. */
int store_open_blob(const struct image_store *store, const char *digest);
uint64_t blob_size(const struct image_store *store, const char *digest); /* 0: not there */
/* Reads a document of at most OCI_BLOB_MAX bytes and verifies it. */
int blob_read(const struct image_store *store, const char *digest, struct buf *out,
	      struct err *err);
/* The same from a directory that holds it under its hex name. */
int blob_read_at(int dir_fd, const char *digest, struct buf *out, struct err *err);
/* Writes data into the staging directory under its hex name. */
int blob_stage(const struct staging *st, const char *digest, const struct buf *data,
	       struct err *err);
bool layer_exists(const struct image_store *store, const char *diff_id);
/* "opaque", "noroot", "implied.json" */
bool layer_has_mark(const struct image_store *store, const char *diff_id, const char *mark);
int layer_info(const struct image_store *store, const char *diff_id, struct apply_result *ret,
	       struct err *err);
/* Its `implied` and `whiteouts` alone, of which one may be NULL. -ENOENT: there are none. */
int layer_implied(const struct image_store *store, const char *diff_id, struct apply_result *ret,
		  struct err *err);

/* As image_open_layers(), but -ENODATA when something has to be made first: a shim, or, with the
 * hash of mapped.h, a tree of that mapping. */
int store_open_layers(struct image_store *store, char *const *diff_ids, const char *map,
		      int **ret_fds, size_t *ret_n, struct err *err);

/* What to move from the staging directory into the store: blobs by digest (those that are not in
 * staging are there already), layers (staged under their hex name with the prefix "layer-"). It is
 * there at once, and on the disk after sync_finish(). */
int store_commit(struct image_store *store, const struct staging *st, char *const *digests,
		 char *const *diff_ids, struct err *err);
/* Removes what has the blob's name and is no such file, or was lost when the machine went down. */
int store_clear_blob(struct image_store *store, const char *digest, struct err *err);
/* One by one; from_dir holds the blob under its hex name. */
int store_add_blob(struct image_store *store, int from_dir, const char *digest, struct err *err);
int store_add_layer(struct image_store *store, const struct staging *st, const char *diff_id,
		    struct err *err);
#define STAGED_LAYER "layer-"

/* Fills *ret from a manifest and config whose layers are all in the store, as many in the one as in
 * the other, and makes what they lack to be shown on top of each other. Each blob was seen to
 * unpack to its layer: that is noted. Names stay empty. */
int image_fill(struct image_store *store, const char *manifest_digest,
	       const struct oci_manifest *manifest, const struct oci_image_config *config,
	       struct image *ret, struct err *err);

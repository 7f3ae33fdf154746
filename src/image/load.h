/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of image_load(): the members of the outer archive, in a staging directory by now, and the
 * images found in it. load_docker.c and load_oci.c find them, load.c unpacks their layers.
 */
#pragma once

#include "image/store.h"

/* Bytes of documents that are read of one archive, however many images there are in it: what they
 * are parsed into stays in memory to the end. */
#define LOAD_DOCS_MAX (32u << 20)

struct load_image {
	char *manifest_digest;
	bool made_manifest;
	struct oci_manifest manifest; /* its layers name blobs */
	struct oci_image_config config;
	char **names; /* full references */
};

struct load {
	struct image_store *store;
	struct staging staging;
	const struct oci_platform *platform; /* that was asked for, NULL: this machine's */
	struct split_result archive;
	const struct split_entry **members; /* of archive, by name */
	size_t n_members;
	struct load_image *images;
	size_t n_images;
	uint64_t docs_bytes;         /* read so far */
	struct unpack_layer *layers; /* of all images, each once */
	size_t n_layers;
};

/* Takes the archive that comes from fd apart, into a staging directory: what is in there has names
 * that are digests, and no more than that is known of it. Holds the store's lock. */
int load_begin(struct load *ld, struct image_store *store, int fd, struct err *err);
void load_done(struct load *ld);
/* Unpacks the layers of the images and puts all of it into the store. */
int load_finish(struct load *ld, struct image_list *ret, struct err *err);

/* Sorts the members of archive: load_member() finds none before that. */
void load_sort_members(struct load *ld);

/* The regular member of that name, links followed. NULL: none. */
const struct split_entry *load_member(const struct load *ld, const char *name);
/* Reads a member that is a document. -ENOENT (ERR_NOT_FOUND) when it is not there. */
int load_read_member(struct load *ld, const char *name, struct buf *out, struct err *err);
/* Checks that the blob of an OCI archive is what its descriptor says: there (or in the store
 * already), of that content and size. */
int load_check_blob(const struct load *ld, const struct oci_descriptor *desc, struct err *err);
int load_read_blob(struct load *ld, const struct oci_descriptor *desc, struct buf *out,
		   struct err *err);
/* A document among the blobs, by a digest that split has given. */
int load_read_staged(struct load *ld, const char *digest, struct buf *out, struct err *err);

/* Checks that manifest and config belong together and adds the image, or only the names when it is
 * there already. Takes over what image holds, also on failure. */
int load_add_image(struct load *ld, struct load_image *image, struct err *err);
/* The one that was added for this manifest, or NULL. */
struct load_image *load_find_image(const struct load *ld, const char *manifest_digest);
/* Adds the full form of a name from the archive; one that is no reference is left out. */
void load_add_name(char ***names, const char *name);
void load_image_done(struct load_image *image);
#define cleanup_load_image CLEANUP(load_image_done)

int load_docker(struct load *ld, struct err *err);
int load_oci(struct load *ld, struct err *err);
/* The image of this manifest, which is among the blobs; name may be NULL. */
int load_oci_manifest(struct load *ld, const struct oci_descriptor *desc, const char *name,
		      struct err *err);

/* The image of a manifest that is in a staging directory, under its hex name like all that it
 * needs and the store does not have: layers unpacked, all of it in the store, the lock on which is
 * held. Takes the staging directory over. made_manifest: as in struct image. */
int image_load_staged(struct image_store *store, struct staging *st, const char *manifest,
		      char *const *names, bool made_manifest, struct image_list *ret,
		      struct err *err);

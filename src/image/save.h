/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images out of the store, into an archive or a directory that other tools read. Blobs go out as
 * they are, so that every digest survives. The tar is written here and not by inro-layer: nothing
 * hostile is parsed for it, only headers are made, and the kernel copies blobs from file to file.
 */
#pragma once

#include "image/image.h"

enum save_format {
	SAVE_DOCKER_ARCHIVE, /* a docker-archive and an OCI layout in one, as docker since 25 */
	SAVE_OCI_ARCHIVE,    /* a tar of an OCI layout (image-spec image-layout.md) */
	SAVE_OCI_DIR,        /* the layout as a directory */
	SAVE_DOCKER_DIR,     /* containers/image's "dir:": one image */
};
extern const char *const save_format_names[]; /* by enum save_format, NULL-terminated */
static inline bool save_format_is_dir(enum save_format format)
{
	return format == SAVE_OCI_DIR || format == SAVE_DOCKER_DIR;
}

struct save_image {
	char *manifest;     /* digest of its manifest or index */
	bool list;          /* it is an index: what the store has of it goes along */
	char *const *names; /* full references, or NULL */
	const char *ref;    /* what index.json calls it when it has no names, or NULL */
};

struct save_options {
	enum save_format format;
	int64_t mtime;     /* of all members of an archive */
	bool uncompressed; /* layers as plain tars: digests change; not of lists */
	/* Gives up with -ECANCELED between two blobs when it becomes readable; <= 0: never. */
	int cancel_fd;
};

/* Writes images whose blobs are in a directory under their hex names, and who holds it believes
 * them: out_fd as for image_save(). */
int image_save_blobs(int blobs_fd, const struct save_image *images, size_t n,
		     const struct save_options *opts, int out_fd, struct err *err);
/* Writes the images, each once, to out_fd: a file, pipe or socket; or an empty directory. Holds the
 * store's lock shared, so call image_store_unlock() when done. */
int image_save(struct image_store *store, const struct save_image *images, size_t n,
	       const struct save_options *opts, int out_fd, struct err *err);

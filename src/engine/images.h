/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images by name: the database's side of the image store. The files of an image (image/image.h) are
 * there before its row appears, and go after its row has gone.
 */
#pragma once

#include "engine/engine.h"

#define IMAGE_HOST "host" /* the reserved name of the built-in image */

struct image_row {
	char *id, *manifest; /* digests */
	char **names;        /* full references; NULL: none ("<none>") */
	char **diff_ids;     /* bottom first */
	char *architecture, *os;
	int64_t created_ns;
	uint64_t size;
};
void image_row_done(struct image_row *row);
#define cleanup_image_row CLEANUP(image_row_done)

struct image_rows {
	struct image_row *items;
	size_t n;
};
void image_rows_done(struct image_rows *rows);
#define cleanup_image_rows CLEANUP(image_rows_done)

/* By reference, by id or by the beginning of an id. ERR_NOT_FOUND: "No such image: ...". */
int images_find(struct engine *eng, const char *word, struct image_row *ret, struct err *err);
/* All, newest first, with their names. filter: NULL, or "repository" or "repository:tag", then only
 * matching names and their images. */
int images_list(struct engine *eng, const char *filter, struct image_rows *ret, struct err *err);

/* Adds the names of the image to *ret. images_find() leaves them out: `run` does not need them. */
int images_names(struct engine *eng, const char *id, char ***ret, struct err *err);

/* Loads an archive (docker-archive, oci-archive) from fd and enters what it holds. */
int images_load(struct engine *eng, int fd, struct image_list *ret, struct err *err);
/* Imports a root filesystem tarball; name may be NULL. *ret_id: heap. */
int images_import(struct engine *eng, int fd, const struct oci_image_config *config,
		  const char *name, char **ret_id, struct err *err);

/* What rmi says, in order: "Untagged: ..." and "Deleted: ..." lines. */
int images_remove(struct engine *eng, const char *word, bool force, char ***ret_lines,
		  struct err *err);

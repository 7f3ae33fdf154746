/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images by name: the database's side of the image store. The files of an image (image/image.h) are
 * there before its row appears, and go after its row has gone.
 */
#pragma once

#include "engine/engine.h"

#define IMAGE_HOST "host" /* the reserved name of the built-in image */

enum image_kind {
	IMAGE_KIND_IMAGE,
	IMAGE_KIND_LIST,     /* an index, see lists.h: manifest is its digest, it has no layers */
	IMAGE_KIND_ARTIFACT, /* any other content: id and manifest are the manifest's digest */
};

extern const char *const image_kind_names[]; /* by enum image_kind, NULL-terminated */

struct image_row {
	enum image_kind kind;
	char *id;            /* digest of the config */
	char *manifest;      /* digest; of several, the one that the word leads to by which the
				image was found */
	char **names;        /* full references; NULL: none ("<none>") */
	char **repo_digests; /* "docker.io/library/debian@sha256:..."; NULL: none */
	char **diff_ids;     /* bottom first */
	char *architecture, *os, *variant;
	int64_t created_ns, tagged_ns /* when it got its last name */, last_used_ns;
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

/* By reference, by id or by the beginning of an id, then by what the settings say that a short name
 * stands for. ERR_NOT_FOUND: "No such image: ...". */
int images_find(struct engine *eng, const char *word, struct image_row *ret, struct err *err);
/* All, newest first, with their names. filter: NULL, or "repository" or "repository:tag", then only
 * matching names and their images. */
int images_list(struct engine *eng, const char *filter, struct image_rows *ret, struct err *err);
/* The same without diff_ids; without words and filter also without names and repo_digests. */
int images_list_brief(struct engine *eng, const char *filter, bool words, struct image_rows *ret,
		      struct err *err);

/* Those without content: see images_fill_content(). */
int images_list_uncounted(struct engine *eng, struct image_rows *ret, struct err *err);

/* Adds the names of the image to *ret. images_find() leaves them out, and the digests: `run` does
 * not need them. */
int images_names(struct engine *eng, const char *id, char ***ret, struct err *err);
/* Adds "repository@digest" for all that registries call it. */
int images_repo_digests(struct engine *eng, const char *id, char ***ret, struct err *err);
/* images_find() with names and repo_digests. */
int images_find_whole(struct engine *eng, const char *word, struct image_row *ret, struct err *err);

/* Gives the image one more name (a reference without digest), which it takes from whoever has it.
 * word as for images_find(). */
int images_tag(struct engine *eng, const char *word, const char *name, struct err *err);
/* Takes these names, or with NULL all, from the image; it stays. ERR_NOT_FOUND: it has no such
 * name. Nothing happens then. *ret_lines: "Untagged: ...". */
int images_untag(struct engine *eng, const char *word, char *const *names, char ***ret_lines,
		 struct err *err);
/* Notes that the image is being used, at most once an hour: what is longest unused goes first when
 * the store is too full. Never fails a command: an error is logged. */
void images_used(struct engine *eng, const struct image_row *row);

/* Enters images whose files are in the store, with their names, digests and content. action: what
 * an event tells of each ("load"), or NULL. */
int images_enter(struct engine *eng, enum image_kind kind, const char *action,
		 const struct image *images, size_t n, struct err *err);
/* The event of that name, of image's id and first name. */
int images_tell(struct engine *eng, const char *action, const struct image *image, struct err *err);
/* The same in a transaction of the caller's. ERR_CONFLICT: an id is known as something else. */
int images_enter_within(struct engine *eng, enum image_kind kind, const struct image *images,
			size_t n, struct err *err);
/* What the image needs, by all manifests that it has: added to ret's content. */
int images_read_content(struct engine *eng, const struct image_row *row, struct image *ret,
			struct err *err);
/* Enters what is not there yet of image's content as that of the image id. */
int images_enter_content(struct engine *eng, const char *id, const struct image *image,
			 struct err *err);
/* What images need of that kind ("blob", "layer"), sorted, as far as the store can have it. */
int images_content_digests(struct engine *eng, const char *kind, char ***ret, struct err *err);
/* Adds the layers of each image, bottom first, with commas between them. */
int images_stacks(struct engine *eng, char ***ret, struct err *err);
/* Is there content of rows that the database does not know yet (images of an older inro)? Reads it
 * from their manifests. To be called before a query on the table content. */
int images_fill_content(struct engine *eng, struct err *err);
/* Removes files that no image needs: now, or when whoever is adding images is done. */
int images_collect(struct engine *eng, uint64_t *ret_freed, struct err *err);
/* To be called when images (NULL: none, after a failure) have been added and their rows entered:
 * gives the store's lock back, collects when somebody wanted to meanwhile, and has all of it
 * written to the disk. */
void images_added(struct engine *eng, const struct image *images, size_t n);
/* The same for what can't be had again: when this returns 0 it is on the disk, the rows, too. r is
 * what adding them has come to, and is returned unless it is 0. */
int images_added_safely(struct engine *eng, const struct image *images, size_t n, int r,
			struct err *err);

/* Loads an archive (docker-archive, oci-archive) from fd and enters what it holds. platform: as
 * --platform has it, NULL: this machine's. */
int images_load(struct engine *eng, int fd, const char *platform, struct image_list *ret,
		struct err *err);
/* Imports a root filesystem tarball; name may be NULL. *ret_id: heap. */
int images_import(struct engine *eng, int fd, const struct oci_image_config *config,
		  const char *name, char **ret_id, struct err *err);

struct images_condition {
	bool nameless;        /* no name leads to it: else nothing happens */
	const char *manifest; /* it is still this one; NULL: any */
	int64_t before_ns;    /* it was brought and named before that; 0: whenever */
};
/* Takes the image with all its names from the database, unless a container has it or the condition
 * is not met: ERR_CONFLICT. Its files are for images_collect(). *ret_lines as of images_remove().
 */
int images_remove_unused(struct engine *eng, const char *id, const struct images_condition *when,
			 char ***ret_lines, struct err *err);
/* The same if no name leads to it, else nothing, in a transaction of the caller's. 1: it goes. */
int images_remove_nameless_within(struct engine *eng, const char *id, struct err *err);
/* The image by its id with all of its names, unless a container has it: force as of
 * images_remove(). Its files are for images_collect(). */
int images_remove_whole(struct engine *eng, const char *id, bool force, char ***ret_lines,
			struct err *err);
/* What rmi says, in order: "Untagged: ..." and "Deleted: ..." lines. */
int images_remove(struct engine *eng, const char *word, bool force, char ***ret_lines,
		  struct err *err);

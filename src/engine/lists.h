/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of manifests as rows of the database. What a list is stands in its index, a blob like any
 * other, which each change replaces by a new one; the id is drawn by lot and stays, so that two
 * empty lists are two. A list needs what the store has of its members, so that it can be pushed
 * when their own names are gone.
 */
#pragma once

#include "engine/images.h"

struct list {
	struct image_row row;
	struct oci_index index;
};
void list_done(struct list *list);
#define cleanup_list CLEANUP(list_done)

/* Its row, whether or not it can be read. ERR_NOT_FOUND; ERR_CONFLICT: it is there but no list. */
int lists_find(struct engine *eng, const char *word, struct image_row *ret, struct err *err);
/* The same, with what it holds. ERR_CORRUPT: that is broken. */
int lists_open(struct engine *eng, const char *word, struct list *ret, struct err *err);

/* Changes an index; anything but 0 undoes it. */
typedef int (*list_change)(struct oci_index *index, void *data, struct err *err);
/* Makes a list of that name, a full reference, after change() has filled it. Is there one, then
 * amend says whether to change it. *ret_id: heap. ERR_EXISTS. */
int lists_create(struct engine *eng, const char *name, bool amend, list_change change, void *data,
		 char **ret_id, struct err *err);
/* Nobody else changes it meanwhile. */
int lists_edit(struct engine *eng, const char *word, list_change change, void *data, char **ret_id,
	       struct err *err);

/* Enters the index of that digest, which is in the store with what there is of its members, as a
 * list of these names, full references. The store's lock keeps all of it there. A list that one of
 * the names leads to and that has this index stays what it is. *ret_id: heap. */
int lists_enter(struct engine *eng, const char *digest, char *const *names,
		char *const *repo_digests, char **ret_id, struct err *err);

/* What the list with that index needs: added to ret's content. */
int lists_read_content(struct engine *eng, const char *manifest, struct image *ret,
		       struct err *err);

int lists_read_index(struct engine *eng, const struct image_row *row, struct oci_index *ret,
		     struct err *err);

/* The image that the list has for the platform, when it is here, or its blobs are: then it is
 * unpacked. "os/arch[/variant]", NULL: this machine's. ERR_NOT_FOUND. */
int lists_image(struct engine *eng, const struct image_row *row, const char *platform,
		struct image_row *ret, struct err *err);
/* A word by which the image that word means is found for the platform: word itself for an image,
 * which must be for that, or of a list its member's name. platform as above, NULL: whatever word
 * means. ERR_NOT_FOUND. *ret: heap. */
int images_for_platform(struct engine *eng, const char *word, const char *platform, char **ret,
			struct err *err);

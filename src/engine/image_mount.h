/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of an image as a read-only tree, for programs of the host to look at: an overlay of its
 * layers at <runroot>/mounts/<hex of the id>/fs, in a mount namespace of engine_unshare(), and
 * nowhere else. Mounted twice it wants to be unmounted twice.
 */
#pragma once

#include "engine/images.h"

struct image_mount {
	struct image_row image; /* only id and manifest when its record has gone */
	char *path;
};
struct image_mounts {
	struct image_mount *items; /* by id */
	size_t n;
};
void image_mounts_done(struct image_mounts *mounts);
#define cleanup_image_mounts CLEANUP(image_mounts_done)

/* Adds the image to ret, mounted. ERR_UNSUPPORTED: not in such a namespace. */
int image_mount(struct engine *eng, const char *word, struct image_mounts *ret, struct err *err);
/* Adds what is mounted. */
int image_mount_list(struct engine *eng, struct image_mounts *ret, struct err *err);
/* What word means now, or else what it meant when that was mounted: a name may have been given to
 * another image since. *ret_id: heap, NULL when it isn't mounted. force: however often it was
 * mounted. ERR_CONFLICT: several are meant. */
int image_unmount(struct engine *eng, const char *word, bool force, char **ret_id, struct err *err);

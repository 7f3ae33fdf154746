/* SPDX-License-Identifier: Apache-2.0 */
/* An unprivileged user's containers with another mapping than the image store's (image/mapped.h):
 * of `--userns keep-id` and `nomap`, and those that join such a one. */
#pragma once

#include "engine/engine.h"
#include "sys/idmap.h"

/* The text of the mapping for the container's record, or NULL: it is the store's own. *ret: heap.
 */
int mapped_text(struct engine *eng, const struct idmap *uids, const struct idmap *gids, char **ret,
		struct err *err);
/* Is the caller nobody in there (--userns nomap)? NULL: no. */
bool mapped_hides_user(const char *mapping);
/* Such a container's root gets what it is to own in the container's directory, which its init can't
 * take itself. */
int mapped_give(struct engine *eng, const char *mapping, int bundle_fd, size_t n_secrets,
		struct err *err);
/* And the volume, dir being volume_open()'s, unless it has files already. Of another mapping
 * nothing is done. */
int mapped_give_volume(struct engine *eng, const char *mapping, int dir, struct err *err);
/* As image_open_layers(), with the owners of the mapping that a container's record names; NULL: the
 * store's. Makes the trees that are missing, which takes as long as unpacking the image. */
int engine_open_layers(struct engine *eng, char *const *diff_ids, const char *mapping,
		       int **ret_fds, size_t *ret_n, struct err *err);

/* Trees of mappings that no container has: is it one? */
struct mapped_item;
struct mappings_used {
	char **hashes;
};
int mapped_read_used(struct engine *eng, struct mappings_used *ret, struct err *err);
bool mapped_is_used(const struct mappings_used *used, const struct mapped_item *item);
/* Removes them, unless images are being added just now. */
int mapped_prune(struct engine *eng, uint64_t *ret_freed, struct err *err);

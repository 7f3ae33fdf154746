/* SPDX-License-Identifier: Apache-2.0 */
/* An unprivileged user's containers with another mapping than the image store's (image/mapped.h):
 * of `--userns keep-id`, and those that join such a one. */
#pragma once

#include "engine/engine.h"
#include "sys/idmap.h"

/* The text of the mapping for the container's record, or NULL: it is the store's own. *ret: heap.
 */
int mapped_text(struct engine *eng, const struct idmap *uids, const struct idmap *gids, char **ret,
		struct err *err);
/* As image_open_layers(), with the owners of the mapping that a container's record names; NULL: the
 * store's. Makes the trees that are missing, which takes as long as unpacking the image. */
int engine_open_layers(struct engine *eng, char *const *diff_ids, const char *mapping,
		       int **ret_fds, size_t *ret_n, struct err *err);

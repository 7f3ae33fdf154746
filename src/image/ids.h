/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user namespace that a rootless container's files are seen in, where that is another one than
 * the store's (`--userns keep-id`). As text "INSIDE:OUTSIDE:COUNT,...;INSIDE:..." of users and of
 * groups, which the container's record has.
 */
#pragma once

#include "base/buf.h"
#include "sys/idmap.h"

struct image_ids {
	struct idmap uids, gids;
};
void image_ids_write(const struct idmap *uids, const struct idmap *gids, struct buf *out);
/* -EINVAL: it is none. */
int image_ids_parse(const char *text, struct image_ids *ret);
void image_ids_done(struct image_ids *ids);
#define cleanup_image_ids CLEANUP(image_ids_done)

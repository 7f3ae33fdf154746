/* SPDX-License-Identifier: Apache-2.0 */
/* Saving images, by the names that users have for them. */
#pragma once

#include "engine/engine.h"
#include "image/save.h"

/* What the words mean, as docker reads them: "repository" is all images that have a name in it,
 * "repository:tag" the image under this name alone, an id or a digest the image without a name.
 * platform: of lists, the image for that; other images must be for it; NULL: any. Writes to fd as
 * image_save() does. */
int images_save(struct engine *eng, char *const *words, const char *platform,
		const struct save_options *opts, int fd, struct err *err);

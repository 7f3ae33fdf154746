/* SPDX-License-Identifier: Apache-2.0 */
/* The disk budget of images: the setting image.max_size. */
#pragma once

#include "engine/images.h"

/* Removes images that no container needs, those first that nobody has used for the longest time,
 * until all together take at most max bytes, or none is left that was last used before before_ns.
 * Returns how many. */
int images_trim(struct engine *eng, uint64_t max, int64_t before_ns, struct err *err);
/* The same with image.max_size, if there is one, after images were added since before_ns. A failure
 * is a warning: the images are there. */
void images_keep_budget(struct engine *eng, int64_t before_ns);

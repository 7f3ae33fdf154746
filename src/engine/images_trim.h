/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk budget of images: the setting image.max_size. What counts is what the file system says
 * that their files take, with downloads that are under way or were broken off; sizes in manifests
 * and archives are just words.
 */
#pragma once

#include "engine/images.h"

/* Removes images that no container needs and nobody has used since before_ns, those first that were
 * not used for the longest time, until all together take at most max bytes. Is that out of reach,
 * none goes. Returns how many. */
int images_trim(struct engine *eng, uint64_t max, int64_t before_ns, struct err *err);
/* The same with image.max_size, if there is one. */
int images_trim_configured(struct engine *eng, int64_t before_ns, struct err *err);
/* The same in a process of its own, for which nobody waits, after images were added since
 * before_ns. A failure is a warning: the images are there. */
void images_keep_budget(struct engine *eng, int64_t before_ns);

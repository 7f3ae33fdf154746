/* SPDX-License-Identifier: Apache-2.0 */
/* How much room images and containers take: `inro system df`. */
#pragma once

#include "engine/images.h"
#include "engine/record.h"
#include "engine/volumes.h"
#include "image/mapped.h"

struct df_image {
	struct image_row row;
	uint64_t shared, unique; /* bytes in layers that other images have, too, and in the rest */
	uint32_t containers;
};
struct df_container {
	struct record record;
	uint64_t size; /* bytes in the files that it has made or changed */
};
struct df_volume {
	struct volume volume;
	uint64_t size;
};
/* What images consist of, each file or layer once. */
struct df_sizes {
	size_t n, active;           /* active: containers' images have it */
	uint64_t size, reclaimable; /* that no container's image has */
};
struct engine_df {
	struct df_image *images;
	size_t n_images;
	struct df_container *containers;
	size_t n_containers;
	struct df_volume *volumes;
	size_t n_volumes, volumes_active; /* active: containers use it */
	uint64_t volumes_size, volumes_reclaimable;
	struct df_sizes layers, blobs; /* blobs: as they are pushed and saved */
	uint64_t containers_size, containers_reclaimable;
	size_t images_active, containers_active;
	struct image_partials partials;
	/* Layers once more, with the owners of other mappings; active: a container has it. */
	struct mapped_items mapped;
	struct df_mapping {
		const struct mapped_item *item;
		uint32_t containers;
	} * mapping; /* of each */
	struct df_sizes mappings;
};
/* Of the regular files below a directory of the engine's root. */
uint64_t df_tree_size(struct engine *eng, const char *path);
/* Of what a container has written. */
uint64_t df_container_size(struct engine *eng, const char *id);
int engine_df(struct engine *eng, struct engine_df *ret, struct err *err);
void engine_df_done(struct engine_df *df);
#define cleanup_df CLEANUP(engine_df_done)

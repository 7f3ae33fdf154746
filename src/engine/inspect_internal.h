/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of container_inspect(). */
#pragma once

#include "engine/asked.h"
#include "engine/container_inspect.h"
#include "oci/spec.h"

/* All that is known of it. */
struct inspected {
	struct engine *eng;
	struct record rec;
	struct asked asked;
	struct spec spec;
	struct oci_image_config image; /* empty: the image is gone, or "host" */
};

/* inspect_host.c: HostConfig. */
void inspect_host_fill(const struct inspected *in, struct inspect_host_config *ret);
/* inspect_config.c: Config. */
void inspect_config_fill(const struct inspected *in, struct inspect_container_config *ret);
/* An object of these names without values. */
void inspect_set_keys(const oci_keys *keys, struct json_map *ret);

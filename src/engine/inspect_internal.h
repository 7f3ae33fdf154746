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
/* inspect_network.c: NetworkSettings. mode: HostConfig's NetworkMode; pid: of its init, or 0. */
void inspect_network_fill(const struct inspected *in, const char *mode, int64_t pid,
			  struct inspect_network *ret);
/* Words of -p as docker's PortBindings: {"80/tcp": [{"HostIp", "HostPort"}]}. */
void inspect_wanted_ports(char *const *words, struct json_map *ret);
/* Ports as they were asked for, of both; which have all else. */
void inspect_ports_fill(const struct inspected *in, struct inspect_host_config *host,
			struct inspect_container_config *config);
/* An object of these names without values. */
void inspect_set_keys(const oci_keys *keys, struct json_map *ret);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `inspect` and `history` tell of an image: docker's members (Engine API, ImageInspect), and
 * podman's beside them.
 */
#pragma once

#include "engine/images.h"

struct inspect_driver_data {
	char *lower_dir, *upper_dir; /* of the layers; NULL when there are none */
};
struct inspect_driver {
	char *name;
	struct inspect_driver_data data;
};
struct inspect_rootfs {
	char *type;
	char **layers;
};
struct inspect_metadata {
	char *last_tag_time;
};
typedef JSON_LIST(struct oci_history) oci_histories;

struct image_inspect {
	char *id;
	char **repo_tags, **repo_digests;
	char *parent, *comment, *created, *docker_version, *author;
	struct oci_config *config;
	char *architecture, *variant, *os, *os_version;
	int64_t size, virtual_size;
	struct inspect_driver driver;
	struct inspect_rootfs rootfs;
	struct inspect_metadata metadata;
	/* podman's */
	char *digest, *manifest_type, *user;
	struct json_map labels, annotations;
	oci_histories history;
	char **names_history;
	struct oci_healthcheck *healthcheck;
};
extern const struct json_desc image_inspect_desc;

int image_inspect(struct engine *eng, const char *word, struct image_inspect *ret, struct err *err);
void image_inspect_done(struct image_inspect *ii);
#define cleanup_image_inspect CLEANUP(image_inspect_done)

/* One step of an image's making, newest first. */
struct image_step {
	char *id;           /* of the newest: the image's; of the others NULL */
	int64_t created_ns; /* 0: not known */
	char *created_by, *comment;
	uint64_t size;
	char *layer; /* diff id, NULL: it made none */
};
struct image_steps {
	struct image_step *items;
	size_t n;
};
int image_history(struct engine *eng, const char *word, struct image_steps *ret, struct err *err);
/* Bytes in the files of a layer; 0: it isn't there. */
uint64_t image_layer_size(struct engine *eng, const char *diff_id);
void image_steps_done(struct image_steps *steps);
#define cleanup_image_steps CLEANUP(image_steps_done)

/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of image_pull(). */
#pragma once

#include "image/pull.h"
#include "image/store.h"

struct pull {
	struct image_store *store;
	const struct pull_request *req;
	struct staging staging;
	char *digest; /* what the reference means */
	struct oci_manifest manifest;
	char *manifest_digest;
	struct oci_image_config config;
	struct buf index_text, manifest_text, config_text;
	bool new_data;
};

/* A request to the endpoints of this pull but for the first ones; the lists are borrowed. */
struct registry_request pull_ask(const struct pull *pl, int op, size_t skip);
/* One more endpoint may do better than endpoint number n, whose content is not what it should be.
 * Says so. */
bool pull_try_next(const struct pull *pl, size_t n, const struct err *why);
/* Fetches, unpacks and commits the layers of manifest and config. */
int pull_layers(struct pull *pl, struct err *err);

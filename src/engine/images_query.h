/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images that meet conditions: --filter of listings and of prune.
 *
 *   dangling=BOOL     without a name
 *   label=KEY[=VALUE] in the configuration; label!=...
 *   before=IMAGE, since=IMAGE (after=)  made before, after it
 *   until=TIME        made before that
 *   reference=GLOB    of a name, as it is shown; only these names remain
 *   id=PREFIX, digest=DIGEST, containers=BOOL (in use), manifest=BOOL (a list of manifests)
 *   intermediate=BOOL, readonly=BOOL   podman's: there are none such
 */
#pragma once

#include "engine/filter.h"
#include "engine/images.h"

struct images_query {
	char *const *filters; /* NULL: none */
	const char *name;     /* NULL: any; "repository[:tag]", or a glob */
	bool ids_only;        /* no names and digests are wanted */
	bool artifacts;       /* these, too */
};
int images_query(struct engine *eng, const struct images_query *query, struct image_rows *ret,
		 struct err *err);

/* The labels of an image; none when it has no configuration. */
int images_labels(struct engine *eng, const struct image_row *row, struct json_map *ret,
		  struct err *err);

/* Removes images and artifacts without names (all: images that no container uses, too) which meet
 * the filters dangling, label and until. *ret_lines: what docker says, "untagged: ..." and
 * "deleted: ...". */
int images_prune(struct engine *eng, bool all, char *const *filters, char ***ret_lines,
		 uint64_t *ret_freed, struct err *err);

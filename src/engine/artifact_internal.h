/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of engine/artifact.h: artifact_add.c makes them, artifact.c does the rest. */
#pragma once

#include "engine/artifact.h"

/* A file's name: one name in UTF-8, without control characters. */
bool artifact_title_valid(const char *title);
/* ERR_CORRUPT, too, when the store has no manifest for the row. text: its bytes. */
int artifact_read_manifest(struct engine *eng, const struct image_row *row,
			   struct oci_manifest *ret, struct buf *text, struct err *err);
/* artifact_enter() in a transaction of the caller's. image has names and repository digests, the
 * rest is filled in. */
int artifact_enter_within(struct engine *eng, const struct staging *st, const struct buf *text,
			  struct image *image, struct err *err);

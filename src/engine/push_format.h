/* SPDX-License-Identifier: Apache-2.0 */
/* A manifest in the words of the other format. Pure. */
#pragma once

#include "oci/image.h"

enum push_format { PUSH_AS_IT_IS, PUSH_OCI, PUSH_DOCKER };

/* "oci", or "v2s2" and "docker". ERR_USAGE: another word. */
int push_format_parse(const char *word, enum push_format *ret, struct err *err);
/* Writes the manifest in that format: only media types change, layers and config stay the same
 * bytes. ERR_UNSUPPORTED: it has what the format has no words for. */
int push_format_convert(struct oci_manifest *manifest, enum push_format format, struct buf *out,
			struct err *err);
/* The same of a list, whose members are described as they will be. */
int push_format_convert_list(struct oci_index *index, enum push_format format, struct buf *out,
			     struct err *err);
/* Is the media type a word of that format? */
bool push_format_has(enum push_format format, const char *media_type);

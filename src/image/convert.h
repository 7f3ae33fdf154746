/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers as other blobs: compressed in another way, or not at all. What is in them stays, by their
 * diff ids, which are checked; digests of layers, manifest and image do not.
 */
#pragma once

#include "image/store.h"

enum convert_to { CONVERT_NOT, CONVERT_GZIP, CONVERT_ZSTD, CONVERT_PLAIN };

struct convert_options {
	enum convert_to to;
	int level; /* 0: the default */
	bool all;  /* also what is compressed in another way; else what is not compressed */
};

/* The words of --compression-format and --compression-level. format NULL: CONVERT_NOT, then there
 * may be no level. ERR_USAGE, ERR_UNSUPPORTED. */
int convert_parse(const char *format, const struct opt_i64 *level, struct convert_options *ret,
		  struct err *err);
/* Puts blobs of the layers into the staging directory, under their hex names, and into the manifest
 * what they are. Foreign layers stay. Returns how many were made. */
int convert_layers(struct image_store *store, const struct staging *st,
		   const struct convert_options *options, struct oci_manifest *manifest,
		   struct err *err);

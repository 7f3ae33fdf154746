/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What inro-layer hands back to the engine: one JSON document on file descriptor 3 and exit status
 * 0, or one struct err and exit status 1. Both sides use these tables. The engine treats the
 * document as hostile too: inro-layer has looked at the archive. The stages of `unpack` that do not
 * look at it, but hash, have pipes of their own: what comes from there is true.
 */
#pragma once

#include "base/json.h"

/* File descriptors that inro-layer is started with, besides the archive on 0. */
enum {
	LAYER_FD_RESULT = 3, /* write end */
	LAYER_FD_DIR = 4,    /* the directory to work in: staging, layer root, or tree's parent */
	LAYER_FD_SYNC = 5,   /* rootless: socket over which the engine says "mapped" */
	LAYER_FD_PATHS = 6,  /* own: what to look at */
	LAYER_FD_COPY = 6,   /* digest: where the copy goes; entries: the records */
	/* unpack alone: */
	LAYER_FD_PARTIAL = 6,    /* file with the beginning of the blob, or none */
	LAYER_FD_HASH_IN = 7,    /* write ends for one struct stage_result, or struct err */
	LAYER_FD_DECOMPRESS = 8, /* the result says nothing but that it has ended well */
	LAYER_FD_HASH_OUT = 9,
	/* convert: as unpack, and */
	LAYER_FD_COMPRESS = 10, /* as DECOMPRESS */
	LAYER_FD_OUT = 11,      /* the blob that it makes */
	/* pack, diff, export and unpack: a user namespace that maps the ids of the directory's
	 * files to those that the container sees, or none */
	LAYER_FD_IDMAP = 12,
	LAYER_FD_END,
	/* diff and export: the container's layers, topmost first */
	LAYER_FD_LOWER = 16,
};
#define LAYER_LOWER_MAX 500 /* of overlayfs */

struct stage_result {
	char digest[80]; /* "sha256:<hex>" of what has come through */
	uint64_t bytes;
};

/* A member of an outer archive. A regular file: digest and size, its bytes are in a file of the
 * staging directory named by the hex part. A link: target as the archive gives it. */
struct split_entry {
	char *name; /* cleaned, relative */
	char *digest;
	char *symlink, *hardlink;
	uint64_t size;
};
struct split_result {
	JSON_LIST(struct split_entry) entries;
};
extern const struct json_desc split_result_desc;

/* What is known of an unpacked layer. The engine adds what the hashing stages say. */
struct apply_result {
	char *diff_id; /* sha256 of the uncompressed tar */
	char *digest;  /* sha256 of the blob that it came from */
	uint64_t tar_size, input_size;
	uint64_t size; /* bytes in regular files */
	uint64_t entries;
	char **implied;   /* directories, "." too, that have no entry of their own: made as root's,
			     0755 */
	char **whiteouts; /* directories with a whiteout, but for "." */
	bool opaque;      /* an opaque mark on the root: nothing below this layer shows */
};
extern const struct json_desc apply_result_desc;

/* The blob that was made of a layer. */
struct convert_result {
	char *digest;
	uint64_t size;
};
extern const struct json_desc convert_result_desc;

/* verify: comes on 0. */
struct verify_item {
	char *payload, *signature; /* base64 */
};
struct verify_request {
	char **keys; /* PEM */
	JSON_LIST(struct verify_item) items;
};
extern const struct json_desc verify_request_desc;
struct verify_result {
	struct json_u32s keys; /* of each item: the number of the key that signed it, from 1; 0 */
};
extern const struct json_desc verify_result_desc;

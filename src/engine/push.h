/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images to registries: what the registry lacks is uploaded as it is stored, so that digests stay
 * what they are; then the manifest, or the members of a list and the list, last of all under the
 * tag. Blobs that another repository of that registry is known to have are mounted from there.
 */
#pragma once

#include "engine/images.h"
#include "engine/push_format.h"
#include "engine/registries.h"
#include "image/convert.h"

enum push_event_kind {
	PUSH_WAITING,  /* a blob that is to be there: digest, size */
	PUSH_PROGRESS, /* done of size bytes */
	PUSH_EXISTS,   /* the registry had it */
	PUSH_MOUNTED,  /* from another repository: from */
	PUSH_PUSHED,   /* uploaded */
	PUSH_SKIPPED,  /* a layer that must not be distributed: it has its own address */
	PUSH_MANIFEST, /* about to write the manifest of that digest */
	PUSH_NOTICE    /* text */
};
struct push_event {
	enum push_event_kind kind;
	const char *digest, *from, *text;
	uint64_t size, done;
};

struct push_options {
	struct registry_access access;
	enum push_format format;
	bool list_alone; /* a list without its members, which the registry has */
	bool foreign;    /* also layers that are not to be handed on */
	struct convert_options convert;
	void (*event)(void *ctx, const struct push_event *event); /* may be NULL */
	void *ctx;
};

struct push_result {
	char *digest; /* of what stands under the tag now */
	uint64_t size;
};
void push_result_done(struct push_result *result);
#define cleanup_push_result CLEANUP(push_result_done)

/* word: as for images_find(). to: with a tag, or a digest, which must then be the image's. */
int push(struct engine *eng, const char *word, const struct reference *to,
	 const struct push_options *options, struct push_result *ret, struct err *err);

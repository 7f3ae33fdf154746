/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images from anywhere to anywhere (engine/transport.h), without a detour through the store's
 * images: blob by blob, each hashed on its way before the destination has it under its digest.
 * Manifests stay the bytes that they are unless another format is asked for.
 */
#pragma once

#include "engine/pull.h"
#include "engine/push.h"
#include "engine/transport.h"

struct copy_options {
	struct registry_access from, to;
	bool all;        /* an index with all of its members, not the one for this platform */
	bool index_only; /* an index without its members */
	bool artifact;   /* into the store as an artifact: nothing is unpacked */
	bool keep;       /* fail rather than change a digest */
	bool foreign;    /* layers, too, that their owner wants nobody to hand on */
	char *platform;  /* as --platform has it, or NULL */
	enum push_format format;
	char **more_names; /* that it gets in a docker-archive */
	/* To archives and "dir:": the file, or the new, empty directory. */
	int out_fd;
	int64_t mtime; /* of an archive's members */
	/* Gives up with -ECANCELED when it becomes readable; <= 0: never. */
	int cancel_fd;
	void (*event)(void *ctx, const struct push_event *event); /* may be NULL */
	void *ctx;
	const struct pull_events *pull; /* of what a registry gives our store, or NULL */
};

struct copy_result {
	bool found;   /* the source has it: whatever failed came after that */
	char *digest; /* of what stands at the destination now */
	uint64_t size;
	char *id;     /* of the image, when it is in our store now */
	char **names; /* that it got there */
};
void copy_result_done(struct copy_result *result);
#define cleanup_copy_result CLEANUP(copy_result_done)

/* Is the copy a pull, which tells of what it does by options->pull instead of options->event? */
bool copy_is_pull(const struct transport_name *from, const struct transport_name *to,
		  const struct copy_options *options);
/* A destination in our store without a name: the image gets those that the source has for it. */
int engine_copy(struct engine *eng, const struct transport_name *from,
		const struct transport_name *to, const struct copy_options *options,
		struct copy_result *ret, struct err *err);

/* All images of a directory into the store, under the names that they have in it: of an OCI image
 * layout, or the one of "dir:". Those that came before one that fails stay. platform: as
 * images_load() has it. */
int engine_load_dir(struct engine *eng, const char *path, char *platform, struct image_list *ret,
		    struct err *err);

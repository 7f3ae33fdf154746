/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `inro pull`: what a name means (short names, settings, credentials: engine/registries.h), the
 * image into the store (image/pull.h), its names and digests into the database.
 */
#pragma once

#include "engine/registries.h"
#include "image/pull.h"

struct pull_outcome {
	const char *reference; /* as docker shows it: "debian:latest", "debian@sha256:..." */
	const char *full;      /* "docker.io/library/debian:latest" */
	const char *digest;    /* of what the reference means at the registry */
	const char *id;
	bool up_to_date; /* nothing was new about it */
};

/* What a user may want to see; all may be NULL. */
struct pull_events {
	void (*started)(void *data, const struct reference *ref);
	void (*finished)(void *data, const struct pull_outcome *outcome);
	struct pull_watch watch;
	void *data; /* watch has its own */
};

struct pull_options {
	char *platform; /* as --platform has it, or NULL */
	bool all_tags;  /* of a repository without a tag */
	char *name;     /* instead of the reference's own, or NULL */
	struct registry_access access;
	const struct pull_events *events; /* or NULL */
};

/* word as people write it. *ret_id: heap; of the last image. */
int engine_pull(struct engine *eng, const char *word, const struct pull_options *opts,
		char **ret_id, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/* An image made of a container's changes. */
#pragma once

#include "engine/engine.h"

struct container_commit {
	const char *container;
	const char *name; /* of the image, or NULL */
	const char *author, *message;
	char *const *changes; /* instructions, see changes.h */
	bool pause;           /* while its files are read */
	bool pause_or_not;    /* with pause: where it can't be paused, go on with a warning */
	bool docker;          /* Docker's formats in the place of OCI's */
	int64_t timestamp;    /* seconds: of the image and all files; < 0: now, and theirs */
	int64_t newest;       /* seconds: of the image, and no file's is later; < 0: none */
	int cancel_fd;        /* of cancel_begin(); <= 0: none */
};
/* *ret_id: heap. */
int container_commit(struct engine *eng, const struct container_commit *opts, char **ret_id,
		     struct err *err);

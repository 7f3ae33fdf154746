/* SPDX-License-Identifier: Apache-2.0 */
/* What a container has changed in its image's files, and all that it sees, running or not. */
#pragma once

#include "engine/images.h"
#include "engine/record.h"
#include "image/commit.h"
#include "oci/spec.h"

/* A container's files, and what it was made of. */
struct container_tree {
	struct record rec;
	struct image_row image;
	struct spec spec;        /* of its config.json */
	struct image_ids ids;    /* of the record's mapping */
	struct commit_tree tree; /* borrows these */
};
void container_tree_done(struct container_tree *ct);
#define cleanup_container_tree CLEANUP(container_tree_done)
/* ERR_UNSUPPORTED for the image "host". */
int container_tree_open(struct engine *eng, const char *word, struct container_tree *ret,
			struct err *err);

/* A user namespace that maps the ids of a container's files out here to those that it sees.
 * -ENOENT: they are the same, or as an unprivileged user's inro-layer sees them. Else fd or -errno.
 */
int container_idmap(struct engine *eng, const char *id, struct err *err);

struct change {
	char kind; /* 'A', 'C', 'D' */
	const char *path;
};
struct change_list {
	struct change *items; /* by path */
	size_t n;
	struct buf text; /* holds the paths */
};
void change_list_done(struct change_list *list);
int container_diff(struct engine *eng, const char *word, struct change_list *ret, struct err *err);
/* What an image's topmost layer changes in those below; of a list, its image for this machine. */
int image_diff(struct engine *eng, const char *word, struct change_list *ret, struct err *err);
/* A tar of the merged tree, without what is mounted in it, to fd. newest: see commit_export(). */
int container_export(struct engine *eng, const char *word, int64_t newest, int fd, struct err *err);

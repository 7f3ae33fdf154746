/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a directory that is no layer (a volume), as a tar and from one, by inro-layer: with
 * their owners, modes, times, links and attributes, also where those are a user namespace's ids.
 */
#pragma once

#include "image/commit.h"

/* 1: there is nothing in it; 0, or -errno. */
int tree_is_empty(struct image_store *store, int dir_fd, struct err *err);
/* What an overlay of tree->upper_fd and tree->layers has in the directory path goes into to_fd, in
 * place of what has the same names there; to_fd becomes as that directory is. -ENOENT, -ENOTDIR:
 * there is none of that name. to_idmap: a user namespace that maps the ids on to_fd's disk to those
 * of the tree; <= 0: they are the same. -ECANCELED when cancel_fd (<= 0: none) is readable before
 * it is done.
 */
int tree_copy(struct image_store *store, const struct commit_tree *tree, const char *path,
	      int to_fd, int to_idmap, int cancel_fd, struct err *err);
/* The directory and all below it get the owner; rootless, in ids of the user namespace, which ids
 * names (NULL: the store's). Links are not followed, mounts not entered. part: the directory of
 * this path in it alone, to which links lead that leave it nowhere; or NULL. */
int tree_chown(struct image_store *store, int dir_fd, const char *part, const struct image_ids *ids,
	       uint32_t uid, uint32_t gid, struct err *err);
/* Entries of the directory, not what is in them, become root's of the user namespace. Those that
 * are not there are left out. names: paths in it, up to NULL. */
int tree_give(struct image_store *store, int dir_fd, const char *const *names,
	      const struct image_ids *ids, struct err *err);
/* All of the directory as a tar to out_fd. newest: as commit_export(). */
int tree_pack(struct image_store *store, int dir_fd, int64_t newest, int out_fd, struct err *err);
/* A tar, plain, gzip, zstd or xz, from in_fd into the directory, as tree_copy(). */
int tree_unpack(struct image_store *store, int in_fd, int to_fd, int cancel_fd, struct err *err);

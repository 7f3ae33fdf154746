/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers for a user namespace of another mapping than the one that they were unpacked in: an
 * unprivileged user can't have a file system's ids mapped (mount_setattr(2) wants the rights of who
 * made that), so there is a second tree with the owners of that mapping,
 * layers/<hex>/maps/<hash>/fs, and for a shim layers/<hex>/shims/<chain>/maps/<hash>/fs. It is made
 * when the first container wants it, shared by all containers of that mapping, and goes with its
 * layer or shim. <hash> is the sha256 of the mapping's text (ids.h).
 */
#pragma once

#include "image/ids.h"
#include "image/store.h"

#define MAPPED_DIR  "maps"
#define MAPPED_MARK "map-" /* in unsynced/: map-<hash>-<hex of the layer or shim> */

/* <hash>, and the name that the mark of base's tree has. base: "layers/<hex>" or that of a shim.
 * The caller frees. */
char *mapped_hash(const char *text);
char *mapped_mark(const char *base, const char *hash);
/* The tree that base has for the mapping, or NULL: it has none that is whole. The caller frees. */
char *mapped_tree(const struct image_store *store, const char *base, const char *hash);
/* As image_open_layers(), of the mapping that text names. -ENODATA: mapped_make() is needed. */
int mapped_open(struct image_store *store, char *const *diff_ids, const char *text, int **ret_fds,
		size_t *ret_n, struct err *err);
/* Makes what is missing, with the store's lock held shared. *ret_size: bytes written. Two at once
 * share the work. store->cancel_fd ends it. */
int mapped_make(struct image_store *store, char *const *diff_ids, const char *text,
		uint64_t *ret_size, struct err *err);

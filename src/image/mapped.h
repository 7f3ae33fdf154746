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

#define MAPPED_DIR   "maps"
#define MAPPED_ABOUT "about" /* beside fs: the mapping's text, and the size in bytes */
#define MAPPED_MARK  "map-"  /* in unsynced/: map-<hash>-<hex of the layer or shim> */

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

/* ---- all that there are (mapped_list.c) ---- */

struct mapped_item {
	char *base, *hash;
	char *text;    /* the mapping; NULL: nobody knows */
	uint64_t size; /* of its files, in bytes */
};
struct mapped_items {
	struct mapped_item *items;
	size_t n;
};
void mapped_items_done(struct mapped_items *list);
#define cleanup_mapped_items CLEANUP(mapped_items_done)
/* What can't be read is left out. */
void mapped_find(struct image_store *store, struct mapped_items *ret);
/* The hex of the layer that it is of. The caller frees. */
char *mapped_layer(const struct mapped_item *item);
/* Makes the tree once more and compares. 1: it is damaged, *ret_problem says how; 0: it is whole,
 * and counts as there again after a power cut; or -errno. With the store's lock held. */
int mapped_verify(struct image_store *store, const struct mapped_item *item, char **ret_problem,
		  struct err *err);
/* Removes those that are not used, which is asked before and, as containers start without the
 * store's lock, once they are out of the way. With that lock held alone, which is given back. How
 * many, or -errno. */
typedef int (*mapped_used)(const struct mapped_item *item, bool again, void *data, struct err *err);
int mapped_remove(struct image_store *store, const struct mapped_items *list, mapped_used used,
		  void *data, uint64_t *ret_freed, struct err *err);
/* Inside: item's tree made once more in a directory that staging gets: its fd. */
struct staging;
int mapped_stage(struct image_store *store, const struct mapped_item *item, struct staging *staging,
		 struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in the store, but perhaps not on the disk yet. Writing 40,000 files back can take longer
 * than unpacking them; nobody waits for it. A blob or layer appears under its name at once, and
 * beside it unsynced/<name>, a symlink to the kernel's boot id (in the inode: it has no data that
 * could come later). The file systems keep the order of such changes. When the data is on the disk,
 * the mark goes, unless it was made since. After a power cut what has the mark of another boot
 * counts as absent.
 *
 * Rows of the database can come to the disk before marks and names do: what they name is then not
 * there at all. So the first command of each boot looks whether all is there (engine/check_boot.c);
 * <root>/looked is a symlink to the id of the boot in which that was done.
 */
#pragma once

#include "image/store.h"

#define SYNC_MARKS "unsynced"
/* The names in unsynced/: "<hex>" of a blob, "layer-<hex>" of a layer; MAPPED_MARK... of
 * mapped.h. */

/* Marks it. To be called before it gets its name. */
int sync_mark(struct image_store *store, const char *name, struct err *err);
/* Was it not on the disk when the machine went down? */
bool sync_is_lost(const struct image_store *store, const char *name);
/* What it was for has gone. */
void sync_forget(const struct image_store *store, const char *name);
enum sync_how {
	SYNC_SHORT,      /* little data: a mark may still come back after a power cut */
	SYNC_BACKGROUND, /* in a process of its own, which goes on when this one has ended */
	SYNC_WAIT,       /* all that was done is on the disk afterwards, the database, too */
};
/* Writes all back and takes the marks away. */
int sync_finish(struct image_store *store, enum sync_how how, struct err *err);

/* Has nobody looked at the store since the machine was started? */
bool sync_boot_is_new(int root_fd);
void sync_boot_seen(int root_fd);

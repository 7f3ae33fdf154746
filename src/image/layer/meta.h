/* SPDX-License-Identifier: Apache-2.0 */
/* Owner, mode, xattrs, ACLs and times of an unpacked object, as its archive header gives them. */
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <time.h>

#include "base/err.h"

/* The object: by fd where it can be opened, else as name in the directory dirfd (symlinks, device
 * nodes, FIFOs: made by us a moment ago, so the name leads to it). */
struct meta_target {
	int fd; /* or negative */
	int dirfd;
	const char *name;
	const char *path; /* for messages */
	bool userns;
};
/* Sets all but, for directories, the times. */
int meta_apply(const struct meta_target *t, struct archive_entry *entry, struct err *err);
void meta_times(struct archive_entry *entry, struct timespec ret[2]);
/* Marks a directory as opaque for overlayfs. */
int meta_set_opaque(int fd, bool userns, const char *path, struct err *err);

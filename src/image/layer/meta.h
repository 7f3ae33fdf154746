/* SPDX-License-Identifier: Apache-2.0 */
/* Owner, mode, xattrs, ACLs and times of an unpacked object, as its archive header gives them. */
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <time.h>

#include "base/buf.h"
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
/* Sets all but, for directories, the times and the default ACL. */
int meta_apply(const struct meta_target *t, struct archive_entry *entry, struct err *err);
/* A directory's default ACL, empty when the entry has none. Files that are made in it would inherit
 * it, so it is set when all of them are there. */
void meta_default_acl(struct archive_entry *entry, struct buf *out);
/* acl empty: the directory has none. */
int meta_set_default_acl(int fd, const struct buf *acl, const char *path, struct err *err);
/* Takes away what an earlier entry of the same directory has given it: attributes are those of the
 * last one. */
int meta_clear_xattrs(int fd, const char *path, struct err *err);
void meta_times(struct archive_entry *entry, struct timespec ret[2]);
/* Marks a directory as opaque for overlayfs. */
int meta_set_opaque(int fd, bool userns, const char *path, struct err *err);
bool meta_is_opaque(int fd, bool userns);

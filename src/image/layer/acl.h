/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POSIX ACLs from archive headers (SCHILY.acl.access, SCHILY.acl.default) in the form that the
 * kernel takes as the xattrs system.posix_acl_access and system.posix_acl_default
 * (linux/posix_acl_xattr.h).
 */
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include "base/buf.h"

/* type: ARCHIVE_ENTRY_ACL_TYPE_ACCESS or _DEFAULT. False when the entry has none,
 * or one that names users without their ids. */
bool acl_encode(struct archive_entry *entry, int type, struct buf *out);

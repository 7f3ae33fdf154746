/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines that are added to the text of a container's /etc/passwd and /etc/group, with what stands
 * there so far untouched, whole last line or not. Pure; user.h reads them.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct user_entry {
	const char *name, *gecos, *home;
	uint32_t uid, gid;
};
struct group_entry {
	const char *name, *members;
	uint32_t gid;
};
/* custom: the line as the user wants it, podman's variables in it; NULL: as podman has it. A home
 * that would break the line is "/". */
void user_entry_add(struct buf *passwd, const char *custom, const struct user_entry *e);
void group_entry_add(struct buf *group, const char *custom, const struct group_entry *e);
/* Is it one line? option: whose value it is, for the message. */
int user_entry_check(const char *option, const char *custom, struct err *err);

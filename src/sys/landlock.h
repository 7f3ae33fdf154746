/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock: a process gives up the filesystem but for what it names. landlock(7). Kernels without
 * it are reported, not an error: it is a second line of defence.
 */
#pragma once

#include "base/err.h"

enum landlock_access {
	LANDLOCK_READ,    /* read files, list directories */
	LANDLOCK_EXECUTE, /* that, and execute */
	LANDLOCK_WRITE    /* all of it, also making and removing of any type */
};
struct landlock_rule {
	int fd; /* directory (all below it) or file; O_PATH is enough */
	enum landlock_access access;
};
enum {
	LANDLOCK_NO_NETWORK = 1 << 0, /* no TCP bind and connect (ABI 4) */
	LANDLOCK_SCOPED = 1 << 1      /* no abstract sockets, signals to others (ABI 6) */
};

/* Version of the kernel's interface, 0: none. */
int landlock_abi(void);
/* Restricts this thread and its children for ever; sets no_new_privs. Returns the ABI that was used
 * (0: this kernel has none, nothing was restricted) or -errno. */
int landlock_restrict(const struct landlock_rule *rules, size_t n, unsigned int flags,
		      struct err *err);

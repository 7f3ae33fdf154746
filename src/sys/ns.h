/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces by name, path or pidfd: namespaces(7), setns(2), ioctl_ns(2), time_namespaces(7). */
#pragma once

#include "base/err.h"

struct ns_type {
	const char *name;  /* the runtime-spec's word: "pid", "network", "mount" ... */
	const char *file;  /* below /proc/PID/ns: "pid", "net", "mnt" ... */
	unsigned int flag; /* CLONE_NEW* */
};
/* All eight, in the order in which they are to be joined: user first (it gives the rights for the
 * others), mount last (paths mean something else after it). */
#define NS_TYPES 8
extern const struct ns_type ns_types[NS_TYPES];
const struct ns_type *ns_by_name(const char *name); /* either word; NULL: unknown */
const struct ns_type *ns_by_flag(unsigned int flag);

/* Opens path (trusted: from the configuration; resolved as the host sees it) and checks that it is
 * a namespace of the type flag. fd or -errno. */
int ns_open(const char *path, unsigned int flag, struct err *err);
/* Whether an open file is a namespace of that type. */
bool ns_is(int fd, unsigned int flag);
/* The namespace of that type of process pid. fd or -errno, -ESRCH: it has ended. */
int ns_open_of(pid_t pid, unsigned int flag, struct err *err);
int ns_join(int fd, unsigned int flag, struct err *err);
/* Joins all namespaces in flags of the process at once (kernel >= 5.8); all or none. */
int ns_join_pidfd(int pidfd, unsigned int flags, struct err *err);
/* The user namespace that owns it; -EPERM: one outside of the own. fd or -errno. */
int ns_owner(int fd);
/* The user namespace that this one is below; -EPERM: as above. */
int ns_parent(int userns);
/* Whether this process is in that namespace (same inode). 1, 0 or -errno. */
int ns_is_own(int fd, unsigned int flag);

struct ns_time_offset {
	int clock; /* CLOCK_MONOTONIC or CLOCK_BOOTTIME */
	int64_t secs;
	uint32_t nanosecs; /* below 1000000000 */
};
/* unshare(CLONE_NEWTIME) and offsets: children made from here on are in the new namespace. fd: this
 * process's timens_offsets (NS_TIME_OFFSETS, see procfs.h), for writing; with n 0 it does not
 * matter. */
#define NS_TIME_OFFSETS "self/timens_offsets"
int ns_unshare_time(int fd, const struct ns_time_offset *offsets, size_t n, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private handle on procfs (design rule 3): files below it are what the kernel says, whatever
 * somebody has mounted on /proc. Everything that is written to procfs goes through it.
 */
#pragma once

#include "base/err.h"

enum {
	PROCFS_MOUNTED = 1 << 1,    /* the one at /proc: the mounts here are the host's */
	PROCFS_SUBSET_PID = 1 << 0, /* processes only, no sysctl; fits user namespaces */
};
/* A new instance, mounted nowhere (fsopen, kernel >= 5.2, needs rights over the pid namespace), or
 * /proc when it really is the root of a procfs. O_PATH-like directory fd, CLOEXEC, or -errno. */
int procfs_open(unsigned int flags, struct err *err);
/* Opens path below the handle; refuses magic links and mounts on the way ("self" is fine). */
int procfs_open_at(int procfd, const char *path, int flags, struct err *err);
/* Writes value to a file with one write(2). */
int procfs_write(int procfd, const char *path, const char *value, struct err *err);

/* "net.ipv4.ip_forward" -> "sys/net/ipv4/ip_forward". Slashes and dots as sysctl(8) swaps them:
 * "net.ipv4.conf.eth0/1.forwarding". Heap, or NULL for names with empty, "." or ".." parts. Pure.
 */
char *procfs_sysctl_path(const char *name);
int procfs_write_sysctl(int procfd, const char *name, const char *value, struct err *err);
/* Label for exec or keyrings: attr is "exec", "apparmor/exec", "keycreate" ... below self/attr.
 * "thread-self", as labels belong to threads. */
int procfs_write_attr(int procfd, const char *attr, const char *value, struct err *err);
int procfs_write_oom_score_adj(int procfd, int value, struct err *err);

/* Field 22 (start time in clock ticks) and 3 (state) of /proc/PID/stat. Pure. 0 or -EINVAL. */
int procfs_parse_stat(const char *text, size_t len, char *ret_state, uint64_t *ret_start_time);
/* The same of process pid from /proc. -ESRCH when it is gone. ret_state may be NULL. */
int procfs_stat(pid_t pid, char *ret_state, uint64_t *ret_start_time);

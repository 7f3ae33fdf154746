/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User namespace mappings: user_namespaces(7), subuid(5), newuidmap(1). Written directly where this
 * process may, else by newuidmap and newgidmap, which check /etc/subuid. Parsers are pure; files
 * are read by the caller.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct idmap_range {
	uint32_t inside, outside, count;
};
struct idmap {
	struct idmap_range *ranges; /* heap */
	size_t n;
};
#define IDMAP_RANGES_MAX 340 /* the kernel's limit since 4.15 */

/* Adds a range. -EINVAL when count is 0, it wraps, or overlaps another one inside or outside. */
int idmap_add(struct idmap *m, uint32_t inside, uint32_t outside, uint32_t count);
void idmap_done(struct idmap *m);
/* True when both have the same ranges in the same order. */
bool idmap_equal(const struct idmap *a, const struct idmap *b);
/* Looks an id up. 0, or -ENOENT when it is not mapped. */
int idmap_to_outside(const struct idmap *m, uint32_t inside, uint32_t *ret);
int idmap_to_inside(const struct idmap *m, uint32_t outside, uint32_t *ret);

/* m in the words of a namespace that has the mapping above: ranges are split where that one's are.
 * -ENOENT: an id is not mapped there; -E2BIG. */
int idmap_below(const struct idmap *m, const struct idmap *above, struct idmap *ret);

/* Parses /proc/PID/uid_map ("         0       1000          1" lines). */
int idmap_parse_proc(const char *text, size_t len, struct idmap *ret, struct err *err);
/* True for the one range 0 0 4294967295 of the initial user namespace. */
bool idmap_is_full(const struct idmap *m);

struct subid_range {
	uint32_t start, count;
};
#define SUBID_RANGES_MAX 64
/* Ranges that the text of /etc/subuid or /etc/subgid ("name:100000:65536") gives to the user: lines
 * with its name (NULL: none known) or its uid in digits. Malformed lines are skipped, as newuidmap
 * does. Stores up to max in file order. Returns how many. */
size_t subid_parse(const char *text, size_t len, const char *user, uint32_t uid,
		   struct subid_range *ret, size_t max);

/* All ids of this process's user namespace, each as itself: for one inside of it. */
int idmap_own(struct idmap *uids, struct idmap *gids, struct err *err);

/* The mapping for an unprivileged user: 0 -> own id, then 1.. -> the subordinate ranges. */
int idmap_rootless(uint32_t own_id, const struct subid_range *sub, size_t n, struct idmap *ret);

/*
 * Writes setgroups, gid_map and uid_map of process pid, which is in a new user namespace.
 * Directly when that is permitted: with CAP_SETUID/CAP_SETGID in the parent user namespace, or for
 * a single own id (setgroups is then denied first, as the kernel wants it). Otherwise runs
 * newuidmap/newgidmap. The errors say what is missing (uidmap package, line in /etc/subuid).
 */
int idmap_write(pid_t pid, const struct idmap *uids, const struct idmap *gids, struct err *err);
/* The same for a process in a new user namespace below userns, which is one of this process's: from
 * in there, so no program has to help. The ids outside are this process's, and mapped in userns. */
int idmap_write_below(int userns, pid_t pid, const struct idmap *uids, const struct idmap *gids,
		      struct err *err);
/* An fd of a user namespace with these mappings, for mount_set(..., userns_fd). Makes a short-lived
 * child. Needs the rights that idmap_write needs. */
int idmap_userns_fd(const struct idmap *uids, const struct idmap *gids, struct err *err);

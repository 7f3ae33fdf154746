/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cgroup hierarchies this machine has and where this process is in them. cgroups(7).
 * Layouts: v1 (controllers below /sys/fs/cgroup/NAME), hybrid (v1 plus a cgroup2 at unified, mostly
 * without controllers), v2 (cgroup2 at /sys/fs/cgroup; named v1 hierarchies without a controller
 * beside it change nothing). No policy: text in, structs out.
 */
#pragma once

#include "base/err.h"

enum cgroup_layout { CGROUP_NONE, CGROUP_V1, CGROUP_HYBRID, CGROUP_V2 };

#define CGROUP_HIERARCHIES_MAX 24
struct cgroup_hierarchy {
	char *mount_point; /* "/sys/fs/cgroup/memory" */
	char *mount_root;  /* root field of mountinfo: what part of the hierarchy is mounted, mostly
			      "/" */
	char **controllers; /* v1: "cpu", "cpuacct" or "name=systemd"; v2: NULL */
	char *own_path;     /* this process's cgroup, from /proc/self/cgroup */
	bool v2;
};
struct cgroup_system {
	enum cgroup_layout layout;
	struct cgroup_hierarchy h[CGROUP_HIERARCHIES_MAX];
	size_t n;
};

/* Reads /proc/self/mountinfo and /proc/self/cgroup, each once. A kernel without cgroups is
 * CGROUP_NONE, not an error. The caller calls cgroup_system_done() in any case. */
int cgroup_system_read(struct cgroup_system *ret, struct err *err);
/* The same for another process: own_path is where that one is. */
int cgroup_system_read_of(pid_t pid, struct cgroup_system *ret, struct err *err);
void cgroup_system_done(struct cgroup_system *s);
/* Is this process, in cgroup2 or in all of v1's hierarchies, at the root or in a cgroup whose path
 * ends so? It takes one small file. */
bool cgroup_self_is_in(bool v2, const char *end);
/* Pure part of it. */
bool cgroup_text_is_in(const char *self_cgroup, bool v2, const char *end);

/* Pure part of it, for tests and fuzzing. Each hierarchy is listed once: of several mounts of it
 * the one below /sys/fs/cgroup is taken, else the first; a mount over another one at the same place
 * hides it. */
int cgroup_system_parse(const char *mountinfo, size_t mountinfo_len, const char *self_cgroup,
			size_t self_len, struct cgroup_system *ret, struct err *err);

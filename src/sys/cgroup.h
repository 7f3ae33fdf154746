/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cgroup hierarchies this machine has and where this process is in them. cgroups(7).
 * Layouts: v1 (controllers below /sys/fs/cgroup/NAME), hybrid (v1 plus an empty cgroup2 at
 * unified), v2 (cgroup2 at /sys/fs/cgroup). No policy: paths in, files written.
 */
#pragma once

#include "base/err.h"

enum cgroup_layout { CGROUP_NONE, CGROUP_V1, CGROUP_HYBRID, CGROUP_V2 };

#define CGROUP_HIERARCHIES_MAX 16
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
int cgroup_system_read(struct cgroup_system *ret,
		       struct err *err); /* mountinfo + /proc/self/cgroup */
void cgroup_system_done(struct cgroup_system *s);
/* Pure part of it, for tests and fuzzing. */
int cgroup_system_parse(const char *mountinfo, size_t mountinfo_len, const char *self_cgroup,
			size_t self_len, struct cgroup_system *ret, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/* Out-of-memory kills in a cgroup, as they happen: an eventfd on v1's memory.oom_control, inotify
 * on v2's memory.events. */
#pragma once

#include "runtime/cgroup.h"

struct cgroup_oom {
	int fd;   /* to poll for reading; -EBADF: nothing is watched */
	int file; /* of the kernel's counters */
	bool v2;
	uint64_t seen; /* kills counted already */
};

/* After cgroup_create or cgroup_open. ERR_UNSUPPORTED: no memory controller. */
int cgroup_oom_watch(struct cgroup *cg, struct cgroup_oom *ret, struct err *err);
/* Whether there was one since the last call. On v2 up to 20 ms later than the notice: its count
 * comes behind it. */
bool cgroup_oom_happened(struct cgroup_oom *o);
void cgroup_oom_done(struct cgroup_oom *o);

/* What the kernel has counted of a cgroup's memory so far. What it does not count is 0. */
struct cgroup_memory {
	uint64_t oom_kills;
	uint64_t limit; /* bytes; 0: none */
	uint64_t peak;
};
/* After cgroup_open, also of one without processes. ERR_UNSUPPORTED: no memory controller. */
int cgroup_memory_read(struct cgroup *cg, struct cgroup_memory *ret, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a container's first process: clone3(2) with namespaces, a pidfd and (cgroup v2) straight
 * into a cgroup; clone(2) where clone3 is missing (ENOSYS: old seccomp profiles). Copies the
 * address space: for the small static programs only. The caller is single-threaded.
 */
#pragma once

#include <sched.h>

#include "base/util.h"

struct clone_spec {
	/*
	 * CLONE_NEW*, CLONE_PARENT, CLONE_CLEAR_SIGHAND; CLONE_PIDFD is added. CLONE_NEWTIME puts
	 * the child into the namespace at once, after which its offsets can't be written any more:
	 * with offsets use ns_unshare_time() of sys/ns.h before, and no CLONE_NEWTIME here.
	 */
	uint64_t flags;
	int cgroup_fd; /* CLONE_INTO_CGROUP (kernel >= 5.7), or negative */
};
/* Returns 0 in the child, the pid in the parent (*ret_pidfd filled, CLOEXEC), or -errno. With
 * cgroup_fd and no clone3: -ENOSYS, the caller joins the cgroup itself. */
pid_t clone_process(const struct clone_spec *spec, int *ret_pidfd);

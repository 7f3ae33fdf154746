/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a process that was made for a container and is not to execute its program any more. */
#pragma once

#include "runtime/cgroup.h"
#include "runtime/container.h"

/*
 * SIGKILL, after which it executes nothing, and a wait for its end; p->pidfd is closed then. Not
 * for long: on cgroup v1 a frozen process dies only when it is thawed, one that waits for a
 * filesystem of the container's when that answers, one that is traced when its tracer lets it go.
 * It is left to that, with a warning that says why: false. cg: the cgroups that it may be in; thaw:
 * they are the caller's to thaw.
 */
bool child_end(struct container *p, const struct cgroup *cg, bool thaw);

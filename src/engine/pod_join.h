/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start of a pod's member: under the pod's lock, <runroot>/pods/<id>, its cgroup is made when
 * nobody runs in it, and the namespaces that it shares are opened at members that run. Where none
 * does they are the member's own: whoever comes next finds them there, once it runs, which is when
 * the lock is given up. So of several that start at once one makes them.
 *
 * A pod that shares what ends with its first process has one that runs for nothing else
 * (infra.h): it is started first, and has all that the others join.
 *
 * Without root all of them belong to one user namespace, which members share as well.
 */
#pragma once

#include "engine/join.h"
#include "engine/pods.h"

/* Of pod id. fd or -errno. ERR_CONFLICT: somebody has it for too long. */
int pod_lock(struct engine *eng, const char *id, struct err *err);
/* The same, without waiting: -EBUSY, without a message. */
int pod_try_lock(struct engine *eng, const char *id);
/* With the lock: namespaces to join, up to max, which the caller closes. How many, or -errno. */
int pod_join(struct engine *eng, const struct record *rec, int lock, struct join_fd *ret,
	     size_t max, struct err *err);
/* With the lock: is a process in its cgroup? 1 or 0. */
int pod_is_used(const char *id, int lock, struct err *err);
/* With the lock, of a pod without members: its cgroup and the lock's file go. */
int pod_clear(struct engine *eng, const char *id, int lock, struct err *err);

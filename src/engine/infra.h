/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The infra container of a pod whose members share what ends with its first process: a pid
 * namespace, or a cgroup namespace, whose root is that process's cgroup. It is a member like the
 * others, made with the pod, but runs nothing of the user's: inro-init in an empty directory,
 * without capabilities. Whoever starts a member starts it before (pod_join.h). It goes on until
 * the pod is stopped or, with --exit-policy stop, until the last of the others has ended. Other
 * pods have none.
 */
#pragma once

#include "engine/pods.h"

bool pod_has_infra(const struct pod *pod);
/* Only it makes this namespace (enum spec_ns). */
bool infra_holds(int type);
/* Makes it. ERR_EXISTS: its name is in use. */
int infra_create(struct engine *eng, const struct pod *pod, struct err *err);
/* With the pod's lock. One that is not there is made: who made the pod was killed. */
int infra_start(struct engine *eng, const struct pod *pod, int lock, struct err *err);
/* A member of the pod has ended, or could not be started: was it the last, and the pod is to end
 * with it, this does so. wait: for other commands that look at the pod. */
void infra_release(struct engine *eng, const struct record *rec, bool wait);

/* SPDX-License-Identifier: Apache-2.0 */
/* What is done with all members of a pod, beside their end (pod_end.h). What one member can't do
 * does not keep the others; the first error is the verb's, and further ones are warnings. */
#pragma once

#include "engine/pod_end.h"

/* Oldest first. Those that run are as wished. */
int pod_start(struct engine *eng, const struct pod_view *v, struct err *err);
int pod_restart(struct engine *eng, const struct pod_view *v, struct err *err);
int pod_pause(struct engine *eng, const struct pod_view *v, struct err *err);
int pod_unpause(struct engine *eng, const struct pod_view *v, struct err *err);
/* Those whose members have all ended. *ret_ids: which went, even when another one could not. */
int pods_prune(struct engine *eng, char ***ret_ids, struct err *err);

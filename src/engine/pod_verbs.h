/* SPDX-License-Identifier: Apache-2.0 */
/* What is done with all members of a pod. What one member can't do does not keep the others; the
 * first error is the verb's, and further ones are warnings. */
#pragma once

#include "engine/pods_query.h"
#include "engine/stop.h"

/* Oldest first. Those that run are as wished. */
int pod_start(struct engine *eng, const struct pod_view *v, struct err *err);
/* All are asked to end before any is waited for. */
int pod_stop(struct engine *eng, const struct pod_view *v, const struct stop_options *opts,
	     struct err *err);
int pod_restart(struct engine *eng, const struct pod_view *v, struct err *err);
/* Those that run. */
int pod_kill(struct engine *eng, const struct pod_view *v, int signo, struct err *err);
int pod_pause(struct engine *eng, const struct pod_view *v, struct err *err);
int pod_unpause(struct engine *eng, const struct pod_view *v, struct err *err);
/* The pod with its members. force: those that run are killed first, or, timed, stopped. Else
 * ERR_CONFLICT when one runs. */
int pod_remove(struct engine *eng, const struct pod_view *v, bool force,
	       const struct stop_options *opts, struct err *err);
/* Those whose members have all ended. *ret_ids: which went, even when another one could not. */
int pods_prune(struct engine *eng, char ***ret_ids, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod's members are stopped, killed or removed, in two steps, of which the second waits: so the
 * members of several pods end at the same time. What one can't do does not keep the others; the
 * first error is the verb's, and further ones are warnings. The infra container (infra.h) ends
 * last.
 */
#pragma once

#include "engine/pods_query.h"
#include "engine/stop.h"

enum pod_end_kind { POD_END_STOP, POD_END_KILL, POD_END_REMOVE };
struct pod_end_how {
	enum pod_end_kind kind;
	struct stop_options
	    stop;   /* of a removal by force: only when it is timed, else they are killed */
	int signo;  /* of POD_END_KILL, for those that run */
	bool force; /* of POD_END_REMOVE; else ERR_CONFLICT when one runs */
};

struct pod_end;
/* v and how are borrowed until it is freed. What goes wrong is told by the second step. */
struct pod_end *pod_end_begin(struct engine *eng, const struct pod_view *v,
			      const struct pod_end_how *how);
int pod_end_finish(struct engine *eng, struct pod_end *e, struct err *err);
void pod_end_free(struct pod_end *e);
/* Both. */
int pod_end(struct engine *eng, const struct pod_view *v, const struct pod_end_how *how,
	    struct err *err);
/* One without members; ERR_CONFLICT: it has some. Whoever is made a member meanwhile needs the
 * lock, which this takes, to be started. Killed in between, this leaves a pod that has nothing. */
int pod_remove_empty(struct engine *eng, const struct pod *pod, struct err *err);
/* Removes a pod that was made by a step of something that has failed; warns when it can't. */
void pod_discard(struct engine *eng, const char *id);

/* ERR_CONFLICT: a member runs, or is paused. */
int pod_check_ended(const struct pod_view *v, struct err *err);
/* The first error stays in err. Returns r, or what came before it. */
int pod_gather(int before, int r, const struct err *one, struct err *err);

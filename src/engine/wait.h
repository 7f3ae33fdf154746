/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for containers' ends. */
#pragma once

#include "engine/engine.h"

/* Until the container is in one of these states, podman's words (wait_states); looks again after
 * each interval. *ret_code: its exit status, or -1 where it has not ended. ERR_CONFLICT: it has
 * ended, or has no health check, so that none of them will come. */
extern const char *const wait_states[];
int engine_wait_for(struct engine *eng, const char *word, char *const *states, int64_t interval_ns,
		    int *ret_code, struct err *err);
/* The exit status of a container that has ended, when it has: its end is in the database by then.
 * One that does not run is not waited for. */
int engine_wait(struct engine *eng, const char *word, int *ret_code, struct err *err);

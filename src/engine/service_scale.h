/* SPDX-License-Identifier: Apache-2.0 */
/* How many replicas a service has: `run --replicas`, `scale`. */
#pragma once

#include "engine/engine.h"
#include "engine/runopts.h"

/* engine_run() of several; *ret_id: their ids, each in a line. Whole or not at all. */
int service_run(struct engine *eng, const struct run_options *opts, char *const *args,
		char **ret_id, struct err *err);
/* Makes and starts replicas as the newest one was made, or takes away those with the highest
 * numbers. What has been made when one can't be stays: the error says which. */
int service_scale(struct engine *eng, const char *name, uint64_t n, struct err *err);

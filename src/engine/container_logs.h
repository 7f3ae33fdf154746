/* SPDX-License-Identifier: Apache-2.0 */
/* The logs of containers, one or several joined in order of time, to their end or while they run.
 */
#pragma once

#include "engine/engine.h"
#include "engine/logs.h"

struct container_logs_source {
	const char *id, *name;
	size_t index; /* in the order of the words */
};
struct container_logs_options {
	struct logs_query query;
	/* Go on until the containers have ended, or query.until_ns is over. */
	bool follow;
	int (*record)(void *data, const struct container_logs_source *source,
		      const struct logs_record *record, struct err *err);
	/* There is nothing more for the moment; what is held back should be shown. */
	int (*idle)(void *data, struct err *err);
	void *data;
};

/* words: names or ids. What record or idle returns below 0 ends it. ERR_NOT_FOUND: no such
 * container. */
int container_logs(struct engine *eng, char *const *words, const struct container_logs_options *o,
		   struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ending a container in an orderly way: its stop signal, and SIGKILL for what has not ended in
 * time. In two steps, so that of several containers each has its time at once.
 */
#pragma once

#include "engine/record.h"

#define STOP_FOREVER (-1)

struct stop_options {
	bool timed;    /* else the container's own time */
	int timeout_s; /* or STOP_FOREVER */
	bool keep;     /* it is wanted afterwards: one of run --rm is left alone */
	int signo;     /* 0: the container's own */
	bool for_boot; /* the machine goes down: who is started at boot is started then */
	bool again;    /* it is started again at once: who stops it still wants it */
};

struct stop {
	struct record rec;
	int64_t deadline_ns; /* CLOCK_MONOTONIC; negative: none */
	int watch;           /* live_watch() */
	bool done;           /* it did not run */
	bool late;           /* a pod's infra container: others end with it */
	struct stop_options opts;
};
#define STOP_INIT                                                                                  \
	{                                                                                          \
		.deadline_ns = -1, .watch = -EBADF                                                 \
	}
void stop_done(struct stop *stop);
#define cleanup_stop CLEANUP(stop_done)

/* Sends the signal; a paused container goes on with it. One that does not run is no error. A pod's
 * infra container gets it in stop_finish(), when the others have had theirs. */
int stop_begin(struct engine *eng, const char *word, const struct stop_options *opts,
	       struct stop *ret, struct err *err);
/* Has somebody stopped it for the machine's end, since it was started? */
bool stop_was_for_boot(struct engine *eng, const char *id);
void stop_forget_boot(struct engine *eng, const char *id); /* it is started */
/* Its end is recorded when this returns, or it is removed. */
int stop_finish(struct engine *eng, struct stop *stop, struct err *err);

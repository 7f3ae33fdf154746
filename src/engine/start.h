/* SPDX-License-Identifier: Apache-2.0 */
/* Containers that exist are started, again and again, and joined while they run. */
#pragma once

#include "engine/record.h"

struct start_options {
	bool attach, interactive; /* to the container's output; and its input */
	bool no_proxy;            /* signals stay here */
	const char *detach_keys;  /* NULL: the default */
	const char *sdnotify;     /* as of run, from now on; NULL: as it was created */
	const int *pod_lock;      /* of the pod whose infra container it is; NULL: not ours */
};
/* One that runs is as wished. With attach: until its end, returns its exit status; else 0. */
int engine_start(struct engine *eng, const char *word, const struct start_options *opts,
		 struct err *err);
/* The lock of one that does not run, with the record as it is then; waits for other commands. 1: it
 * runs, and *ret_lock is not set. */
int engine_lock_stopped(struct engine *eng, const char *word, struct record *rec, int *ret_lock,
			struct err *err);
/* What the record says has to run first; one that runs already is as wished. */
int engine_start_required(struct engine *eng, const struct record *rec, struct err *err);
/* Of the clean-up role, which holds lock and control socket of a container that has ended: it runs
 * again, as restart number rec->restarts. The fds are taken over. */
int engine_restart(struct engine *eng, struct record *rec, int lock, int control,
		   uint32_t backoff_ms, struct err *err);

/* Joins one that runs; opts->interactive: with our input, if it has one. Returns its exit status,
 * or 0 when the user has left it. */
int engine_attach(struct engine *eng, const char *word, const struct start_options *opts,
		  struct err *err);

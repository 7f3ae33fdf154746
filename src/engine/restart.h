/* SPDX-License-Identifier: Apache-2.0 */
/* Restart policies: docker's words and rules. Pure. */
#pragma once

#include "base/err.h"

enum restart_policy { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS, RESTART_UNLESS_STOPPED };
extern const char *const restart_policy_names[]; /* NULL-terminated, index: enum restart_policy */

/* "no", "always", "unless-stopped", "on-failure[:TIMES]"; "" is "no". *ret_max 0: no limit. */
int restart_parse(const char *text, int *ret_policy, int64_t *ret_max, struct err *err);

struct restart_question {
	int policy; /* enum restart_policy; below 0 like no */
	int64_t max;
	int64_t restarts; /* that there were since somebody started it */
	int status;       /* exit status */
	bool stopped;     /* somebody has asked for the end */
};
bool restart_wanted(const struct restart_question *q);
/* After the machine was started: docker's rules for the start of its daemon, but that one which
 * was stopped is not started again because it has failed. running: it was so until the machine
 * went down. Not for one that was never started. */
bool restart_wanted_at_boot(const struct restart_question *q, bool running);

/* How long to wait for the next one. last_ms: what this said last time, 0: never; ran_ns: how long
 * the container ran. */
uint32_t restart_backoff(uint32_t last_ms, int64_t ran_ns);

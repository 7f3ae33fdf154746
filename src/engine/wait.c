/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/wait.h"

#include <time.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/control.h"
#include "engine/health.h"
#include "engine/life.h"
#include "engine/live.h"

#define AGAIN_MS        5
#define INTERVAL_MIN_NS INT64_C(10000000) /* a look is some work */

/* -EAGAIN: nobody has told; the record may say more. */
static int ask_monitor(struct engine *eng, const char *id, int *ret_code)
{
	cleanup_fd int sock = control_open(eng, id);
	int64_t ns;

	if (sock < 0 || control_want_exit(sock) < 0 || control_wait(sock, -1, ret_code, &ns) < 0)
		return -EAGAIN;
	return 0;
}

int engine_wait(struct engine *eng, const char *word, int *ret_code, struct err *err)
{
	const struct timespec pause = { .tv_nsec = AGAIN_MS * 1000000L };
	cleanup_free char *id = xstrdup(word);
	int r;

	for (;;) {
		cleanup_record struct record rec = { 0 };

		r = life_find(eng, id, &rec, err);
		if (r < 0)
			return r;
		if (!rec.running) {
			*ret_code = rec.exit_code;
			return 0;
		}
		/* whatever name it has later */
		free(id);
		id = xstrdup(rec.id);
		if (ask_monitor(eng, id, ret_code) == 0)
			return 0;
		/* It is just starting, or its monitor was killed. */
		nanosleep(&pause, NULL);
	}
}

const char *const wait_states[] = { "configured", "created",  "exited",  "healthy", "initialized",
				    "paused",     "removing", "running", "stopped", "stopping",
				    "unhealthy",  "unknown",  NULL };

/* Is it what it is waited for to be? */
static bool is_in(struct engine *eng, const struct record *rec, char *const *states)
{
	bool paused = rec->status == RECORD_RUNNING && live_is_paused(eng, rec);
	int health = rec->status == RECORD_RUNNING ? health_status_of(eng, rec) : -1;
	const char *state = paused ? "paused" : record_status_names[rec->status];

	if (rec->status == RECORD_CREATED &&
	    (strv_has(states, "configured") || strv_has(states, "initialized")))
		return true;
	if (rec->status == RECORD_EXITED && strv_has(states, "stopped"))
		return true;
	return strv_has(states, state) ||
	       (health >= 0 && strv_has(states, health_status_names[health]));
}

/* Nothing that is waited for is to be expected of one that has ended. */
static int check_hope(const struct record *rec, char *const *states, struct err *err)
{
	bool health = strv_has(states, health_status_names[HEALTH_HEALTHY]) ||
		      strv_has(states, health_status_names[HEALTH_UNHEALTHY]);

	if (strv_len(states) == 1 && health && !rec->options.health)
		return err_fail(err, ERR_CONFLICT, "container %s has no defined healthcheck",
				rec->name);
	/* By what started it again when it had just ended, its policy or a health check's action.
	 */
	const struct restart_question q = { .policy = rec->options.restart,
					    .max = rec->options.restart_max,
					    .restarts = rec->restarts,
					    .status = rec->exit_code,
					    .stopped = rec->stopped };
	if (rec->status == RECORD_EXITED && health && !restart_wanted(&q))
		return err_fail(err, ERR_CONFLICT, "container %s has ended with status %d",
				rec->name, rec->exit_code);
	return 0;
}

int engine_wait_for(struct engine *eng, const char *word, char *const *states, int64_t interval_ns,
		    int *ret_code, struct err *err)
{
	interval_ns = interval_ns > INTERVAL_MIN_NS ? interval_ns : INTERVAL_MIN_NS;
	const struct timespec pause = { .tv_sec = (time_t)(interval_ns / 1000000000),
					.tv_nsec = (long)(interval_ns % 1000000000) };
	cleanup_free char *id = xstrdup(word);
	int r;

	for (;;) {
		cleanup_record struct record rec = { 0 };

		r = life_find(eng, id, &rec, err);
		if (r < 0)
			return r;
		*ret_code = rec.status == RECORD_EXITED ? rec.exit_code : -1;
		if (is_in(eng, &rec, states))
			return 0;
		r = check_hope(&rec, states, err);
		if (r < 0)
			return r;
		free(id);
		id = xstrdup(rec.id);
		nanosleep(&pause, NULL);
	}
}

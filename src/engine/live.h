/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done to containers that run: signals, pauses, waiting for their end. The names are those
 * that the user gives (life_find()).
 */
#pragma once

#include "engine/record.h"

/* enum container_status of what the record is about, as it is now: CONTAINER_STOPPED also for one
 * that is just starting, or that has just ended. */
int live_status(struct engine *eng, const struct record *rec);
/* For listings: cheap where it was not `inro pause` that stopped its processes. */
bool live_is_paused(struct engine *eng, const struct record *rec);
/* The same for all containers that there are, not for some of them (paused_each()): sets their
 * `paused`. */
void live_see_paused(struct engine *eng, struct record_list *all);
/* 0, or ERR_CONFLICT "container NAME is not running"; paused is running. What is just being started
 * is waited for: live_settle(). */
int live_check(struct engine *eng, const struct record *rec, struct err *err);

/* One that is just being started has its process when this returns, one that is just ending has
 * ended; or five seconds are over. */
void live_settle(struct engine *eng, const struct record *rec);
/* No restart follows the end that is asked for now, whatever the policy or a health check says;
 * lasting: neither does one at the next boot, but for the policy "always". */
void live_forbid_restart(struct engine *eng, const struct record *rec, bool lasting);
/* By an event: it is about to get the signal, so that its end is told of later. */
void live_tell_kill(struct engine *eng, const struct record *rec, int signo);
/* What the container's end is asked for with: as run or the image said, else SIGTERM. */
int live_stop_signal(const struct record *rec, int *ret, struct err *err);
/* After SIGKILL it has ended, and that is recorded, when this returns; ERR_CONFLICT when it does
 * not end within ten seconds. */
int live_kill(struct engine *eng, const char *word, int signo, struct err *err);
/* The same in two steps: of several, the second is what waits. */
struct live_killed {
	struct record rec;
	int watch; /* live_watch() */
	bool waits;
};
#define LIVE_KILLED_INIT                                                                           \
	{                                                                                          \
		.watch = -EBADF                                                                    \
	}
int live_kill_begin(struct engine *eng, const char *word, int signo, struct live_killed *ret,
		    struct err *err);
int live_kill_finish(struct engine *eng, struct live_killed *k, struct err *err);
void live_killed_done(struct live_killed *k);
#define cleanup_live_killed CLEANUP(live_killed_done)
/* What the end that comes next is told by: a socket, to be opened before that is asked for. */
int live_watch(struct engine *eng, const char *id);
/* Until the end is recorded, or the container removed. watch: of live_watch(), may be negative;
 * then it is the lock that tells. 0, or -ETIME after timeout_ms; negative: for ever. */
int live_wait_end(struct engine *eng, const char *id, int watch, int timeout_ms);
int live_pause(struct engine *eng, const char *word, struct err *err);
int live_unpause(struct engine *eng, const char *word, struct err *err);

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
/* 0, or ERR_CONFLICT "container NAME is not running"; paused is running. */
int live_check(struct engine *eng, const struct record *rec, struct err *err);

/* After SIGKILL it has ended, and that is recorded, when this returns; ERR_CONFLICT when it does
 * not end within ten seconds. */
int live_kill(struct engine *eng, const char *word, int signo, struct err *err);
/* Until nobody holds its lock: its end is recorded then, or it is removed. 0, or -ETIME after
 * timeout_ms; negative: for ever. */
int live_wait_end(struct engine *eng, const char *id, int timeout_ms);
int live_pause(struct engine *eng, const char *word, struct err *err);
int live_unpause(struct engine *eng, const char *word, struct err *err);

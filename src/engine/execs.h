/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands that `inro exec` runs, for events and inspect. `inro exec` tells of the beginning,
 * then becomes inro-runtime, which has no database: so it leaves a file in <runroot>/execs, locked
 * (flock(2)) while somebody waits for the command, into which the runtime writes how it has ended.
 * Whoever comes next makes the event of that: a reader of events, another `exec` in the container,
 * and the container's end at the latest. Nobody waits for any of it.
 */
#pragma once

#include "engine/record.h"

/* By events: made, and started. An fd of the file, CLOEXEC, for the runtime's --record-fd; or
 * -errno: nothing will be told. */
int execs_begin(struct engine *eng, const struct record *rec, char *const *command);
/* Tells of those that have ended; id NULL: in any container. In a transaction of its own, if there
 * is something to tell. */
int execs_sweep(struct engine *eng, const char *id, struct err *err);
/* The container has ended, and so have all of them. In the transaction that is open. */
int execs_end(struct engine *eng, const char *id, struct err *err);
/* Ids of those that run. The caller frees. */
char **execs_ids(struct engine *eng, const char *id);
/* The directory, to be watched: a write to it, or rather the end of one, may be an end. fd or
 * -errno. */
int execs_open(struct engine *eng);

/* SPDX-License-Identifier: Apache-2.0 */
/* Removing containers. */
#pragma once

#include "engine/engine.h"

/* force: a running one is killed first. volumes: its anonymous volumes go as well. */
int engine_remove(struct engine *eng, const char *word, bool force, bool volumes, struct err *err);
/* The infra container of a pod, which nothing else removes, for who removes that. */
int engine_remove_infra(struct engine *eng, const char *id, struct err *err);

/* The first half for one of several: kills it, when it runs, and waits for nothing. Its id, for
 * engine_remove_killed(); NULL: engine_remove() has all to do, and says what is wrong. */
char *engine_remove_begin(struct engine *eng, const char *word);
int engine_remove_killed(struct engine *eng, const char *id, bool volumes, struct err *err);

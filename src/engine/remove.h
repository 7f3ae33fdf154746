/* SPDX-License-Identifier: Apache-2.0 */
/* Removing containers. */
#pragma once

#include "engine/engine.h"

/* force: a running one is killed first. volumes: its anonymous volumes go as well. */
int engine_remove(struct engine *eng, const char *word, bool force, bool volumes, struct err *err);

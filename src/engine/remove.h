/* SPDX-License-Identifier: Apache-2.0 */
/* Removing containers, and what the monitor leaves to do when its client is gone. */
#pragma once

#include "engine/engine.h"

/* force: a running one is killed first. */
int engine_remove(struct engine *eng, const char *word, bool force, struct err *err);
/* The clean-up role: records or removes container id, which ended with this status. */
int engine_cleanup(struct engine *eng, const char *id, int status, struct err *err);

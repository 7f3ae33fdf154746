/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for containers' ends. */
#pragma once

#include "engine/engine.h"

/* The exit status of a container that has ended, when it has: its end is in the database by then.
 * One that does not run is not waited for. */
int engine_wait(struct engine *eng, const char *word, int *ret_code, struct err *err);

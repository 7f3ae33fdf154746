/* SPDX-License-Identifier: Apache-2.0 */
/* Another name for a container, whether it runs or not. */
#pragma once

#include "engine/engine.h"

/* ERR_NOT_FOUND, ERR_EXISTS: the name is in use, ERR_INVALID: it is none. */
int engine_rename(struct engine *eng, const char *word, const char *name, struct err *err);

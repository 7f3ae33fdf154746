/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `run`, and of `create`: all but the first few. */
#pragma once

#include "cli/cli.h"
#include "engine/runopts.h"

#define RUN_OPTIONS     172
#define RUN_OPTIONS_OWN 3
extern const struct opt run_opts[RUN_OPTIONS];

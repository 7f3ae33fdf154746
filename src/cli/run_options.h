/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `run`, and of `create`, which are all but the first few: a table a subject, so
 * that each is short. */
#pragma once

#include "cli/cli.h"
#include "engine/runopts.h"

#define RUN_OPT(member) OPT_FIELD(struct run_options, member)

extern const struct opt_table run_opts, create_opts;
/* Parts of both. */
extern const struct opt_table run_opts_files, run_opts_health, run_opts_limits, run_opts_namespaces,
    run_opts_process;

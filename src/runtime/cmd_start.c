/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli.h"

static int run_start(const void *globals, void *opts, char **args, struct err *err)
{
	return container_start(globals_runtime(globals), args[0], err);
}

const struct cmd cmd_start = {
	.name = "start",
	.args = "ID",
	.summary = "Start the program of a created container",
	.min_args = 1,
	.max_args = 1,
	.run = run_start,
};

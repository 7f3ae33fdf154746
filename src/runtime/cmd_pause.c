/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli.h"

static int run_pause(const void *globals, void *opts, char **args, struct err *err)
{
	return container_pause(globals_runtime(globals), args[0], err);
}

static int run_resume(const void *globals, void *opts, char **args, struct err *err)
{
	return container_resume(globals_runtime(globals), args[0], err);
}

const struct cmd cmd_pause = {
	.name = "pause",
	.args = "ID",
	.summary = "Stop all processes of a container until it is resumed",
	.min_args = 1,
	.max_args = 1,
	.run = run_pause,
};

const struct cmd cmd_resume = {
	.name = "resume",
	.args = "ID",
	.summary = "Let the processes of a paused container go on",
	.min_args = 1,
	.max_args = 1,
	.run = run_resume,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "engine/rename.h"

static int run(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r = cli_engine(globals, &eng, err);

	return r < 0 ? r : engine_rename(&eng, args[0], args[1], err);
}

const struct cmd cmd_rename = {
	.name = "rename",
	.args = "CONTAINER NAME",
	.summary = "Give a container another name",
	.details = "Its host name stays as it is.",
	.opts_size = 1,
	.min_args = 2,
	.max_args = 2,
	.run = run,
};

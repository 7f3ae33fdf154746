/* SPDX-License-Identifier: Apache-2.0 */
/* What is run when inro-net has been killed: all that it knew is in the database. */
#include "cli/cli.h"
#include "engine/network_names.h"

static int run(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r = cli_engine(globals, &eng, err);

	return r < 0 ? r : net_names_repair(&eng, err);
}

const struct cmd cmd_repair = {
	.name = "__repair",
	.args = "",
	.summary = "Start the names and relays of networks anew, for all containers that run",
	.run = run,
	.flags = CMD_HIDDEN,
};

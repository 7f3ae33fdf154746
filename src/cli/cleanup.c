/* SPDX-License-Identifier: Apache-2.0 */
/* The clean-up role: what inro-monitor executes when the client that started it is gone. */
#include "base/str.h"
#include "cli/cli.h"
#include "engine/remove.h"

static int run(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	int status, r;

	if (str_parse_int(args[1], &status) < 0 || status < 0 || status > 255)
		return err_fail(err, ERR_USAGE, "invalid exit status: %s", args[1]);
	r = cli_engine(globals, &eng, err);
	return r < 0 ? r : engine_cleanup(&eng, args[0], status, err);
}

const struct cmd cmd_cleanup = {
	.name = "__cleanup",
	.args = "CONTAINER STATUS",
	.summary = "Record or remove a container that has ended",
	.min_args = 2,
	.max_args = 2,
	.run = run,
	.flags = CMD_HIDDEN,
};

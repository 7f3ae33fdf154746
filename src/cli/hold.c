/* SPDX-License-Identifier: Apache-2.0 */
/* __hold: the process that a user's networks are in (net/rootless.h). */
#include "base/str.h"
#include "cli/cli.h"
#include "net/rootless.h"

static int run(const void *globals, void *options, char **args, struct err *err)
{
	int userns = -EBADF;

	if (args[1] && str_parse_int(args[1], &userns) < 0)
		return err_fail(err, ERR_USAGE, "invalid fd: %s", args[1]);
	return net_rootless_hold(args[0], userns, err);
}

const struct cmd cmd_hold = {
	.name = NET_ROOTLESS_ROLE,
	.args = "DIRECTORY [USERNS]",
	.summary = "Hold the namespaces of a user's networks",
	.min_args = 1,
	.max_args = 2,
	.run = run,
	.flags = CMD_HIDDEN,
};

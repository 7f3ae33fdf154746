/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli.h"

static int run_state(const void *globals, void *opts, char **args, struct err *err)
{
	CLEANUP(container_state_free) struct container_state st = { 0 };
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	int r = container_state_read(globals_runtime(globals), args[0], &st, err);

	if (r < 0)
		return r;
	container_state_write(&st, &out);
	buf_addc(&out, '\n');
	return cli_print(&out, "the state", err);
}

const struct cmd cmd_state = {
	.name = "state",
	.args = "ID",
	.summary = "Print the state of a container as JSON",
	.min_args = 1,
	.max_args = 1,
	.run = run_state,
};

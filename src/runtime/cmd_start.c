/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "runtime/cancel.h"
#include "runtime/cli.h"

static int run_start(const void *globals, void *opts, char **args, struct err *err)
{
	cleanup_fd int cancel_fd = cancel_begin(err);

	if (cancel_fd < 0)
		return cancel_fd;
	return container_start(globals_runtime(globals), args[0], cli_notify_host(), cancel_fd,
			       err);
}

const struct cmd cmd_start = {
	.name = "start",
	.args = "ID",
	.summary = "Start the program of a created container",
	.min_args = 1,
	.max_args = 1,
	.run = run_start,
};

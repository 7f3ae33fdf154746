/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli.h"

struct delete_opts {
	bool force;
};

static int run_delete(const void *globals, void *opts, char **args, struct err *err)
{
	const struct delete_opts *o = opts;

	return container_delete(globals_runtime(globals), args[0], o->force, err);
}

static const struct opt opts[] = {
	{ .name = "force",
	  .short_name = 'f',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct delete_opts, force),
	  .help = "Kill the container first if it runs; a missing one is no error" },
};

const struct cmd cmd_delete = {
	.name = "delete",
	.args = "[OPTIONS] ID",
	.summary = "Remove what is left of a container",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct delete_opts),
	.min_args = 1,
	.max_args = 1,
	.run = run_delete,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "engine/life.h"

struct exists_options {
	bool external;
};

static const struct opt opts[] = {
	{ .name = "external",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct exists_options, external),
	  .help = "accepted for podman's users: there are no containers of other programs" },
};

static int run(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = life_find(&eng, args[0], &rec, err);
	if (r == 0 || err->kind == ERR_NOT_FOUND)
		return r < 0;
	return r;
}

const struct cmd cmd_container_exists = {
	.name = "exists",
	.args = "[OPTIONS] CONTAINER",
	.summary = "Tell by the exit status whether there is a container",
	.details = "Exit status: 0, it is there, running or not; 1, it is not; 125, inro failed.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct exists_options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};

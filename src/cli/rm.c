/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/cli.h"
#include "engine/remove.h"

struct rm_options {
	bool force, volumes;
};

static const struct opt opts[] = {
	{ .name = "force",
	  .short_name = 'f',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct rm_options, force),
	  .help = "kill a running container first" },
	{ .name = "volumes",
	  .short_name = 'v',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct rm_options, volumes),
	  .help = "remove anonymous volumes as well (there are none yet)" },
};

static int remove_one(struct engine *eng, const char *word, bool force, struct err *err)
{
	int r = engine_remove(eng, word[0] == '/' ? word + 1 : word, force, err);

	if (r == 0) {
		printf("%s\n", word);
		fflush(stdout);
	}
	return r;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct rm_options *o = options;

	return cli_each(globals, args, o->force, remove_one, err);
}

const struct cmd cmd_rm = {
	.name = "rm",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Remove containers",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct rm_options),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};

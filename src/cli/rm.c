/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/str.h"
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

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct rm_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	int i, r, status = 0;

	r = cli_engine(globals, &eng, err);
	if (r < 0)
		return r;
	for (i = 0; args[i]; i++) {
		struct err one = ERR_INIT;
		const char *word = args[i][0] == '/' ? args[i] + 1 : args[i];

		r = engine_remove(&eng, word, o->force, &one);
		if (r == 0) {
			printf("%s\n", args[i]);
			continue;
		}
		cli_report(&one);
		/* With --force what is gone already is as wished. */
		if (!o->force || one.kind != ERR_NOT_FOUND)
			status = 1;
	}
	fflush(stdout);
	return status;
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

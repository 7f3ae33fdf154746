/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/wait.h"

#include <stdio.h>

#include "base/strv.h"
#include "cli/cli.h"
#include "cli/select.h"

struct wait_options {
	struct select_options select;
	bool ignore;
	char *interval;
};

static const struct opt opts[] = {
	SELECT_CIDFILE(struct wait_options),
	{ .name = "ignore",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct wait_options, ignore),
	  .help = "of a container that is not there, print -1" },
	{ .name = "interval",
	  .short_name = 'i',
	  .kind = OPT_STR,
	  OPT_FIELD(struct wait_options, interval),
	  .arg = "TIME",
	  .help = "accepted for podman's users: the end is told, not looked for" },
	SELECT_LATEST(struct wait_options),
};

static void print(int code)
{
	printf("%d\n", code);
	fflush(stdout);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct wait_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **words = NULL;
	int status = 0;
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = cli_select(&eng, &o->select, SELECT_ANY, args, &words, err);
	if (r < 0)
		return r;
	for (size_t i = 0; words[i]; i++) {
		struct err one = ERR_INIT;
		int code = -1;

		r = engine_wait(&eng, words[i], &code, &one);
		if (r == 0 || (o->ignore && one.kind == ERR_NOT_FOUND)) {
			print(code);
			continue;
		}
		cli_report(&one);
		status = 1;
	}
	return status;
}

const struct cmd cmd_wait = {
	.name = "wait",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Wait until containers have ended, and print their exit statuses",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct wait_options),
	.max_args = -1,
	.run = run,
};

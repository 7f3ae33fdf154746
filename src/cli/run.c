/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/progress.h"
#include "cli/run_options.h"
#include "engine/run.h"

typedef int (*engine_fn)(struct engine *eng, const struct run_options *opts, char *const *args,
			 char **ret_id, struct err *err);

static int with_engine(engine_fn fn, const void *globals, struct run_options *o, char **args,
		       struct err *err)
{
	cleanup_free char *id = NULL;
	/* Standard output is the container's. */
	struct progress *progress =
	    progress_new(o->quiet ? PROGRESS_QUIET : PROGRESS_AUTO, STDERR_FILENO);
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r = cli_engine(globals, &eng, err);

	o->pull_events = o->quiet ? NULL : progress_events(progress);
	o->on_missing = o->quiet ? NULL : progress_missing;
	if (r == 0)
		r = fn(&eng, o, args, &id, err);
	progress_free(progress);
	if (r >= 0 && id)
		printf("%s\n", id);
	return r;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	return with_engine(engine_run, globals, options, args, err);
}

static int create(const void *globals, void *options, char **args, struct err *err)
{
	return with_engine(engine_create, globals, options, args, err);
}

static const struct opt run_table[] = { OPT_INCLUDE(run_opts) };
static const struct opt create_table[] = { OPT_INCLUDE(create_opts) };

const struct cmd cmd_run = {
	.name = "run",
	.args = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	.summary = "Run a command in a new container",
	.details =
	    "The image \"host\" is built in: this machine's own root filesystem, read-only under a "
	    "private writable layer, without users' data.\n\n"
	    "Exit status: that of the command; 128 and the signal's number when one ended it; 125 "
	    "when inro failed, to write all of the command's output, say, 126 when the command "
	    "cannot be executed, 127 when it is not there.",
	.opts = run_table,
	.n_opts = ARRAY_SIZE(run_table),
	.opts_size = sizeof(struct run_options),
	.min_args = 1,
	.max_args = -1,
	.run = run,
	.flags = CMD_STOP_AT_ARG,
};

const struct cmd cmd_create = {
	.name = "create",
	.args = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	.summary = "Make a container without starting it",
	.details =
	    "Prints the container's id; `inro start` starts it. The options are those of `inro "
	    "run`.",
	.opts = create_table,
	.n_opts = ARRAY_SIZE(create_table),
	.opts_size = sizeof(struct run_options),
	.min_args = 1,
	.max_args = -1,
	.run = create,
	.flags = CMD_STOP_AT_ARG,
};

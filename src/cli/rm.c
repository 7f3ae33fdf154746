/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>

#include "cli/cli.h"
#include "cli/select.h"
#include "engine/remove.h"
#include "engine/stop.h"

struct rm_options {
	struct select_options select;
	bool force, ignore, volumes;
	struct opt_i64 time;
};

static const struct opt opts[] = {
	SELECT_ALL(struct rm_options, "all containers; those that run only with --force"),
	SELECT_CIDFILE(struct rm_options),
	SELECT_FILTER(struct rm_options, 0),
	{ .name = "force",
	  .short_name = 'f',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct rm_options, force),
	  .help = "kill a running container first; one that is not there is no error" },
	{ .name = "ignore",
	  .short_name = 'i',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct rm_options, ignore),
	  .help = "a container that is not there is no error" },
	SELECT_LATEST(struct rm_options),
	{ .name = "time",
	  .short_name = 't',
	  .kind = OPT_I64,
	  OPT_FIELD(struct rm_options, time),
	  .arg = "SECONDS",
	  .help = "with --force, stop a running container first, and wait so long before it is "
		  "killed (-1: for ever)" },
	{ .name = "volumes",
	  .short_name = 'v',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct rm_options, volumes),
	  .help = "remove its anonymous volumes as well" },
	OPT_REFUSE("depend",
		   "remove those that depend on it first; `inro inspect` shows Dependencies"),
	OPT_REFUSE("link", "there are no links"),
};

static int stop_first(struct engine *eng, const char *word, int64_t timeout_s, struct err *err)
{
	const struct stop_options how = { .timed = true, .timeout_s = (int)timeout_s };
	cleanup_stop struct stop stop = STOP_INIT;
	int r = stop_begin(eng, word, &how, &stop, err);

	return r < 0 ? r : stop_finish(eng, &stop, err);
}

static int remove_one(struct engine *eng, const char *word, const void *data, struct err *err)
{
	const struct rm_options *o = data;
	struct err one = ERR_INIT;
	int r = 0;

	if (o->force && o->time.set)
		r = stop_first(eng, word, o->time.value, err);
	if (r < 0)
		return r;
	r = engine_remove(eng, word[0] == '/' ? word + 1 : word, o->force, o->volumes, &one);
	/* Its end may have removed it. */
	if (r < 0 && o->force && o->time.set && one.kind == ERR_NOT_FOUND)
		return 0;
	if (r < 0)
		*err = one;
	return r;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	struct rm_options *o = options;
	const struct cli_verb verb = {
		.which = SELECT_ANY,
		.fn = remove_one,
		.data = o,
		.missing_ok = o->force || o->ignore,
		.missing_silent = o->ignore,
	};

	if (o->time.set && !o->force)
		return err_fail(err, ERR_USAGE, "--time needs --force");
	if (o->time.set && (o->time.value < STOP_FOREVER || o->time.value > INT_MAX))
		return err_fail(err, ERR_USAGE, "--time: expected seconds, or -1");
	o->select.ignore = o->ignore;
	return cli_verb(globals, &o->select, &verb, args, err);
}

const struct cmd cmd_rm = {
	.name = "rm",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Remove containers",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct rm_options),
	.max_args = -1,
	.run = run,
};

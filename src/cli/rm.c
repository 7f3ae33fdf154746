/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>

#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/select.h"
#include "engine/remove.h"
#include "engine/stop.h"

struct rm_options {
	struct select_options select;
	char ***gone; /* ids of what it has removed */
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

/* One that --force ends first. */
struct item {
	const struct rm_options *o;
	char *killed; /* its id */
	struct stop stop;
	struct err err; /* of what stops it */
	int r;
};

static const char *plain_name(const char *word)
{
	return word[0] == '/' ? word + 1 : word;
}

static void *remove_begin(struct engine *eng, const char *word, const void *data)
{
	const struct rm_options *o = data;
	const struct stop_options how = { .timed = true, .timeout_s = (int)o->time.value };
	struct item *item = xcalloc(1, sizeof(*item));

	item->o = o;
	item->stop = (struct stop)STOP_INIT;
	if (o->force && o->time.set)
		item->r = stop_begin(eng, word, &how, &item->stop, &item->err);
	else if (o->force)
		item->killed = engine_remove_begin(eng, plain_name(word));
	return item;
}

/* By its id: it may have another name by now, and its end may have removed it. Of two words for it
 * the second comes too late. */
static int remove_ended(struct engine *eng, const char *id, const struct rm_options *o,
			struct err *err)
{
	int r;

	if (strv_has(*o->gone, id))
		return err_fail(err, ERR_NOT_FOUND, "No such container: %.12s", id);
	r = engine_remove_killed(eng, id, o->volumes, err);
	if (r >= 0)
		strv_add(o->gone, id);
	return r;
}

static int remove_stopped(struct engine *eng, struct item *item, struct err *err)
{
	int r = item->r < 0 ? item->r : stop_finish(eng, &item->stop, &item->err);

	if (r == 0)
		return remove_ended(eng, item->stop.rec.id, item->o, err);
	*err = item->err;
	return r;
}

static int remove_finish(struct engine *eng, const char *word, void *item_, struct err *err)
{
	struct item *item = item_;
	const struct rm_options *o = item->o;

	if (o->force && o->time.set)
		return remove_stopped(eng, item, err);
	if (item->killed)
		return remove_ended(eng, item->killed, o, err);
	return engine_remove(eng, plain_name(word), o->force, o->volumes, err);
}

static void remove_done(void *item_)
{
	struct item *item = item_;

	stop_done(&item->stop);
	free(item->killed);
	free(item);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	struct rm_options *o = options;
	cleanup_strv char **gone = NULL;
	const struct cli_verb verb = {
		.which = SELECT_ANY,
		.begin = remove_begin,
		.finish = remove_finish,
		.done = remove_done,
		.data = o,
		.missing_ok = o->force || o->ignore,
		.missing_silent = o->ignore,
		.whole = !o->time.set,
	};

	if (o->time.set && !o->force)
		return err_fail(err, ERR_USAGE, "--time needs --force");
	if (o->time.set && (o->time.value < STOP_FOREVER || o->time.value > INT_MAX))
		return err_fail(err, ERR_USAGE, "--time: expected seconds, or -1");
	o->gone = &gone;
	o->select.ignore = o->ignore;
	o->select.no_infra = true; /* they go with their pods */
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

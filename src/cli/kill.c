/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/select.h"
#include "engine/live.h"
#include "engine/parse.h"

struct kill_options {
	struct select_options select;
	char *signal;
};

static const struct opt opts[] = {
	SELECT_ALL(struct kill_options, "all running containers"),
	SELECT_CIDFILE(struct kill_options),
	SELECT_LATEST(struct kill_options),
	{ .name = "signal",
	  .short_name = 's',
	  .kind = OPT_STR,
	  OPT_FIELD(struct kill_options, signal),
	  .arg = "SIGNAL",
	  .help = "name or number of the signal (default KILL)" },
};

struct item {
	struct live_killed killed;
	struct err err;
	int r;
};

static void *kill_begin(struct engine *eng, const char *word, const void *data)
{
	struct item *item = xcalloc(1, sizeof(*item));

	item->killed = (struct live_killed)LIVE_KILLED_INIT;
	item->r = live_kill_begin(eng, word, *(const int *)data, &item->killed, &item->err);
	return item;
}

static int kill_finish(struct engine *eng, const char *word, void *item_, struct err *err)
{
	struct item *item = item_;

	(void)word;
	if (item->r == 0)
		return live_kill_finish(eng, &item->killed, err);
	*err = item->err;
	return item->r;
}

static void kill_done(void *item_)
{
	struct item *item = item_;

	live_killed_done(&item->killed);
	free(item);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	struct kill_options *o = options;
	int signo = SIGKILL;
	const struct cli_verb verb = {
		.which = SELECT_RUNNING,
		.begin = kill_begin,
		.finish = kill_finish,
		.done = kill_done,
		.data = &signo,
		.whole = true,
	};
	int r = o->signal ? signal_parse(o->signal, &signo, err) : 0;

	o->select.no_infra = signo != SIGKILL;
	return r < 0 ? r : cli_verb(globals, &o->select, &verb, args, err);
}

const struct cmd cmd_kill = {
	.name = "kill",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Send a signal to the main process of containers",
	.details =
	    "Without --signal the container is killed, paused or not, and has ended when the "
	    "command returns.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct kill_options),
	.max_args = -1,
	.run = run,
};

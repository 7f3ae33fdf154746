/* SPDX-License-Identifier: Apache-2.0 */
/* stop, restart. */
#include "engine/stop.h"

#include <limits.h>
#include <stdio.h>

#include "base/strv.h"
#include "cli/cli.h"
#include "cli/select.h"
#include "engine/events.h"
#include "engine/parse.h"
#include "engine/start.h"

struct stop_cli_options {
	struct select_options select;
	bool ignore, running, for_boot;
	struct opt_i64 time;
	char *signal;
};

#define OPT_SIGNAL                                                                                 \
	{                                                                                          \
		.name = "signal", .short_name = 's', .kind = OPT_STR,                              \
		OPT_FIELD(struct stop_cli_options, signal), .arg = "SIGNAL",                       \
		.help = "signal to send instead of the container's own"                            \
	}
#define OPT_TIME                                                                                   \
	{                                                                                          \
		.name = "time", .short_name = 't', .kind = OPT_I64,                                \
		OPT_FIELD(struct stop_cli_options, time), .arg = "SECONDS",                        \
		.help = "how long to wait before it is killed, instead of the container's own "    \
			"time (10 unless run said otherwise; -1: for ever)"                        \
	}
#define OPT_TIMEOUT                                                                                \
	{                                                                                          \
		.name = "timeout", .kind = OPT_I64, OPT_FIELD(struct stop_cli_options, time),      \
		.arg = "SECONDS", .help = "the same"                                               \
	}

static const struct opt opts[] = {
	SELECT_ALL(struct stop_cli_options, "all running containers"),
	SELECT_CIDFILE(struct stop_cli_options),
	SELECT_FILTER(struct stop_cli_options, 'f'),
	{ .name = "for-boot",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct stop_cli_options, for_boot),
	  .help = "the machine goes down: what its restart policy starts at boot is started then" },
	{ .name = "ignore",
	  .short_name = 'i',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct stop_cli_options, ignore),
	  .help = "a container that is not there is no error" },
	SELECT_LATEST(struct stop_cli_options),
	OPT_SIGNAL,
	OPT_TIME,
	OPT_TIMEOUT,
};

static const struct opt restart_opts[] = {
	SELECT_ALL(struct stop_cli_options, "all containers, those too that do not run"),
	SELECT_CIDFILE(struct stop_cli_options),
	SELECT_FILTER(struct stop_cli_options, 'f'),
	SELECT_LATEST(struct stop_cli_options),
	{ .name = "running",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct stop_cli_options, running),
	  .help = "all running containers" },
	OPT_SIGNAL,
	OPT_TIME,
	OPT_TIMEOUT,
};

/* One container, from the first step to the last. */
struct item {
	const char *word;
	struct stop stop;
	bool begun;
};

static bool fails(const struct stop_cli_options *o, const struct err *one)
{
	if (o->ignore && one->kind == ERR_NOT_FOUND)
		return false;
	cli_report(one);
	return true;
}

static int finish(struct engine *eng, struct item *item, bool start, struct err *err)
{
	const struct start_options how = { 0 };
	int r = stop_finish(eng, &item->stop, err);

	if (r < 0 || !start)
		return r;
	/* By its id: it may have another name by now. */
	r = engine_start(eng, item->stop.rec.id, &how, err);
	if (r == 0)
		event_note_container(eng, item->stop.rec.id, "restart", NULL);
	return r;
}

/* All are asked to end before any is waited for. */
static int stop_all(struct engine *eng, const struct stop_cli_options *o,
		    const struct stop_options *how, char *const *words)
{
	size_t n = strv_len(words);
	cleanup_free struct item *items = xcalloc(n + 1, sizeof(*items));
	int status = 0, r = 0;

	for (size_t i = 0; i < n; i++) {
		struct err one = ERR_INIT;

		items[i].word = words[i];
		items[i].begun = stop_begin(eng, words[i], how, &items[i].stop, &one) == 0;
		if (!items[i].begun && fails(o, &one))
			status = 1;
	}
	for (size_t i = 0; i < n; i++) {
		struct err one = ERR_INIT;

		if (!items[i].begun)
			continue;
		/* A signal while one is started is for all of them. */
		r = r == -ECANCELED ? r : finish(eng, &items[i], how->keep, &one);
		if (r == 0) {
			printf("%s\n", items[i].word);
			fflush(stdout);
		} else if (!one.msg[0] || fails(o, &one)) {
			status = 1;
		}
		stop_done(&items[i].stop);
	}
	return status;
}

static int parse(const struct stop_cli_options *o, struct stop_options *ret, struct err *err)
{
	*ret = (struct stop_options){ .timed = o->time.set, .for_boot = o->for_boot };
	if (o->time.set && (o->time.value < STOP_FOREVER || o->time.value > INT_MAX))
		return err_fail(err, ERR_USAGE, "--time: expected seconds, or -1");
	ret->timeout_s = (int)o->time.value;
	return o->signal ? signal_parse(o->signal, &ret->signo, err) : 0;
}

static int run(const void *globals, const struct stop_cli_options *o, enum select_which which,
	       bool start, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **words = NULL;
	struct stop_options how;
	int r = parse(o, &how, err);

	how.keep = start;
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = cli_select(&eng, &o->select, which, args, &words, err);
	return r < 0 ? r : stop_all(&eng, o, &how, words);
}

static int run_stop(const void *globals, void *options, char **args, struct err *err)
{
	struct stop_cli_options *o = options;

	o->select.ignore = o->ignore;
	return run(globals, options, SELECT_RUNNING, false, args, err);
}

static int run_restart(const void *globals, void *options, char **args, struct err *err)
{
	struct stop_cli_options *o = options;
	enum select_which which = o->running ? SELECT_RUNNING : SELECT_ANY;

	o->select.all |= o->running;
	o->select.no_infra = true;
	return run(globals, o, which, true, args, err);
}

const struct cmd cmd_stop = {
	.name = "stop",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Stop running containers",
	.details =
	    "Each gets its stop signal (that of run or of the image, else TERM), and is killed "
	    "when "
	    "it has not ended in time. Of several, all have their time at once. One that does not "
	    "run is no error.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct stop_cli_options),
	.max_args = -1,
	.run = run_stop,
};

const struct cmd cmd_restart = {
	.name = "restart",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Stop containers and start them again",
	.details = "One that does not run is started. One of run --rm is left alone: its end would "
		   "remove it.",
	.opts = restart_opts,
	.n_opts = ARRAY_SIZE(restart_opts),
	.opts_size = sizeof(struct stop_cli_options),
	.max_args = -1,
	.run = run_restart,
};

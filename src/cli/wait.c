/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/wait.h"

#include <stdio.h>

#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "cli/cli.h"
#include "cli/select.h"

#define DEFAULT_INTERVAL_MS 250

struct wait_options {
	struct select_options select;
	bool ignore;
	char *interval, **conditions;
};

static const struct opt opts[] = {
	SELECT_CIDFILE(struct wait_options),
	{ .name = "condition",
	  .kind = OPT_STRV,
	  OPT_FIELD(struct wait_options, conditions),
	  .arg = "STATE",
	  .help = "wait for this state instead, or another one given: running, paused, healthy ...",
	  .choices = wait_states },
	{ .name = "ignore",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct wait_options, ignore),
	  .help = "of a container that is not there, print -1" },
	{ .name = "interval",
	  .short_name = 'i',
	  .kind = OPT_STR,
	  OPT_FIELD(struct wait_options, interval),
	  .arg = "TIME",
	  .help = "between two looks for --condition (default 250ms); the end is told, not looked "
		  "for" },
	SELECT_LATEST(struct wait_options),
	OPT_REFUSE("exit-first-match", "all of them are waited for"),
};

/* "250ms", or a number of milliseconds. */
static int parse_interval(const char *text, int64_t *ret_ns, struct err *err)
{
	uint32_t ms = DEFAULT_INTERVAL_MS;

	if (text && str_parse_u32(text, &ms) < 0 && time_parse_duration(text, ret_ns) == 0)
		return 0;
	if (text && str_parse_u32(text, &ms) < 0)
		return err_fail(err, ERR_USAGE, "--interval %s: expected a time, as 250ms", text);
	*ret_ns = ms * INT64_C(1000000);
	return 0;
}

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
	int64_t interval_ns = 0;
	int status = 0;
	int r = parse_interval(o->interval, &interval_ns, err);

	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = cli_select(&eng, &o->select, SELECT_ANY, args, &words, err);
	if (r < 0)
		return r;
	for (size_t i = 0; words[i]; i++) {
		struct err one = ERR_INIT;
		int code = -1;

		r = o->conditions
			? engine_wait_for(&eng, words[i], o->conditions, interval_ns, &code, &one)
			: engine_wait(&eng, words[i], &code, &one);
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/stats.h"

#include <time.h>

#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "engine/containers_query.h"
#include "engine/life.h"
#include "engine/services.h"

#define FIRST_MS 500 /* until the first percentages are known */

struct stats_options {
	bool all, latest, no_stream, no_trunc, no_reset;
	struct opt_u64 interval;
	char *format;
};

#define STATS_ALL                                                                                  \
	{                                                                                          \
		.name = "all", .short_name = 'a', .kind = OPT_FLAG,                                \
		OPT_FIELD(struct stats_options, all),                                              \
		.help = "show all containers, not only the running ones"                           \
	}
#define STATS_INTERVAL                                                                             \
	{                                                                                          \
		.name = "interval", .short_name = 'i', .kind = OPT_U64,                            \
		OPT_FIELD(struct stats_options, interval), .arg = "SECONDS",                       \
		.help = "time between two looks (default 1)"                                       \
	}
#define STATS_LATEST                                                                               \
	{                                                                                          \
		.name = "latest", .short_name = 'l', .kind = OPT_FLAG,                             \
		OPT_FIELD(struct stats_options, latest), .help = "show the newest container"       \
	}
#define STATS_NO_TRUNC                                                                             \
	{                                                                                          \
		.name = "no-trunc", .kind = OPT_FLAG, OPT_FIELD(struct stats_options, no_trunc),   \
		.help = "do not shorten ids"                                                       \
	}

static const struct opt monitor_opts[] = { STATS_ALL, STATS_INTERVAL, STATS_LATEST,
					   STATS_NO_TRUNC };

static const struct opt opts[] = {
	STATS_ALL,
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct stats_options, format),
	  .arg = "FORMAT",
	  .help = CLI_FORMAT_HELP },
	STATS_INTERVAL,
	STATS_LATEST,
	{ .name = "no-reset",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct stats_options, no_reset),
	  .help = "do not clear the terminal between two looks" },
	{ .name = "no-stream",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct stats_options, no_stream),
	  .help = "show it once, then end" },
	STATS_NO_TRUNC,
};

#define ROW(r) ((const struct stats_row *)(r))
#define S(r)   (ROW(r)->s)

char *stats_size(uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)bytes;
	size_t i = 0;

	while (v >= 1024 && i + 1 < ARRAY_SIZE(units)) {
		v /= 1024;
		i++;
	}
	return xasprintf("%.4g%s", v, units[i]);
}

static char *pair(char *a, char *b)
{
	char *text = xasprintf("%s / %s", a, b);

	free(a);
	free(b);
	return text;
}

static char *percentage(double value)
{
	return xasprintf("%.2f%%", value);
}

static char *row_id(const void *r)
{
	return xstrndup(S(r)->id, ROW(r)->whole ? strlen(S(r)->id) : 12);
}
static char *row_name(const void *r)
{
	return xstrdup(S(r)->name);
}
static char *row_cpu(const void *r)
{
	return percentage(S(r)->cpu_percent);
}
static char *row_mem(const void *r)
{
	return pair(stats_size(S(r)->mem_usage), stats_size(S(r)->mem_limit));
}
static char *row_mem_percent(const void *r)
{
	uint64_t limit = S(r)->mem_limit;

	return percentage(limit ? 100.0 * (double)S(r)->mem_usage / (double)limit : 0);
}
static char *row_net(const void *r)
{
	return pair(cli_size(S(r)->net_in), cli_size(S(r)->net_out));
}
static char *packets(const struct engine_stats *s, uint64_t in, uint64_t out)
{
	return s->policy.loaded
		   ? xasprintf("%llu / %llu", (unsigned long long)in, (unsigned long long)out)
		   : xstrdup("--");
}
static char *row_net_allowed(const void *r)
{
	return packets(S(r), S(r)->policy.allowed_in, S(r)->policy.allowed_out);
}
static char *row_net_refused(const void *r)
{
	return packets(S(r), S(r)->policy.refused_in, S(r)->policy.refused_out);
}
static char *row_block(const void *r)
{
	return pair(cli_size(S(r)->block_in), cli_size(S(r)->block_out));
}
static char *row_pids(const void *r)
{
	return xasprintf("%llu", (unsigned long long)S(r)->pids);
}
static char *row_block_in(const void *r)
{
	return cli_size(S(r)->block_in);
}
static char *row_block_out(const void *r)
{
	return cli_size(S(r)->block_out);
}
static char *row_net_in(const void *r)
{
	return cli_size(S(r)->net_in);
}
static char *row_net_out(const void *r)
{
	return cli_size(S(r)->net_out);
}
static char *row_mem_limit(const void *r)
{
	return xasprintf("%llu", (unsigned long long)S(r)->mem_limit);
}
static char *row_mem_peak(const void *r)
{
	return stats_size(S(r)->mem_peak);
}
static char *row_throttled(const void *r)
{
	return percentage(S(r)->throttled_percent);
}
static char *row_uptime(const void *r)
{
	int64_t ns = S(r)->running ? time_now_ns() - S(r)->started_ns : 0;
	char text[TIME_HUMAN_MAX];

	return xstrdup(S(r)->running ? time_human(ns, text) : "");
}

static char *pressure(const struct engine_stats *s, uint32_t hundredths)
{
	return s->has_pressure ? percentage(hundredths / 100.0) : xstrdup("--");
}
static char *row_cpu_pressure(const void *r)
{
	return pressure(S(r), S(r)->cpu_pressure);
}
static char *row_mem_pressure(const void *r)
{
	return pressure(S(r), S(r)->mem_pressure);
}
static char *row_io_pressure(const void *r)
{
	return pressure(S(r), S(r)->io_pressure);
}

static const struct cli_field fields[] = {
	{ "BlockIO", "BLOCK I/O", row_block, 0 },
	{ "CPUPerc", "CPU %", row_cpu, 0 },
	{ "Container", "CONTAINER", row_id, 0 },
	{ "ID", "CONTAINER ID", row_id, 0 },
	{ "MemPerc", "MEM %", row_mem_percent, 0 },
	{ "MemUsage", "MEM USAGE / LIMIT", row_mem, 0 },
	{ "Name", "NAME", row_name, 0 },
	{ "NetAllowed", "NET ALLOWED", row_net_allowed, 0 },
	{ "NetIO", "NET I/O", row_net, 0 },
	{ "NetRefused", "NET REFUSED", row_net_refused, 0 },
	{ "PIDs", "PIDS", row_pids, 0 },
	{ "BlockInput", "BLOCK INPUT", row_block_in, CLI_ALIAS },
	{ "BlockOutput", "BLOCK OUTPUT", row_block_out, CLI_ALIAS },
	{ "CPUPressure", "CPU PRESSURE", row_cpu_pressure, CLI_ALIAS },
	{ "CPUThrottled", "CPU THROTTLED", row_throttled, CLI_ALIAS },
	{ "IOPressure", "IO PRESSURE", row_io_pressure, CLI_ALIAS },
	{ "MemLimit", "MEM LIMIT", row_mem_limit, CLI_ALIAS | CLI_VALUE },
	{ "MemPeak", "MEM PEAK", row_mem_peak, CLI_ALIAS },
	{ "MemPressure", "MEM PRESSURE", row_mem_pressure, CLI_ALIAS },
	{ "NetInput", "NET INPUT", row_net_in, CLI_ALIAS },
	{ "NetOutput", "NET OUTPUT", row_net_out, CLI_ALIAS },
	{ "PIDS", "PIDS", row_pids, CLI_ALIAS },
	{ "UpTime", "UP", row_uptime, CLI_ALIAS },
};
const struct cli_table stats_table = { fields, ARRAY_SIZE(fields),
				       "ID Name CPUPerc MemUsage MemPerc NetIO BlockIO PIDs" };

void stats_samples_done(struct stats_samples *s)
{
	for (size_t i = 0; i < s->n; i++)
		engine_stats_done(&s->items[i]);
	free(s->items);
	*s = (struct stats_samples){ 0 };
}

static int add_sample(struct engine *eng, const struct record *rec, struct stats_samples *ret,
		      struct err *err)
{
	ret->items = xrealloc(ret->items, (ret->n + 1) * sizeof(*ret->items));
	int r = engine_stats_read(eng, rec, &ret->items[ret->n], err);

	ret->n += r == 0;
	return r;
}

static int look_named(struct engine *eng, const struct stats_wish *wish, struct stats_samples *ret,
		      struct err *err)
{
	cleanup_strv char **words = strv_copy(wish->names);
	int r = services_expand(eng, &words, err);

	for (size_t i = 0; r == 0 && words[i]; i++) {
		cleanup_record struct record rec = { 0 };
		struct err one = ERR_INIT;

		r = life_find(eng, words[i], &rec, &one);
		if (r == 0)
			r = add_sample(eng, &rec, ret, &one);
		else if (wish->forgive && one.kind == ERR_NOT_FOUND)
			r = 0;
		if (r < 0)
			*err = one;
	}
	return r;
}

int stats_look(struct engine *eng, const struct stats_wish *wish, struct stats_samples *ret,
	       struct err *err)
{
	const struct containers_query query = { .all = wish->all, .last = wish->latest ? 1 : 0 };
	cleanup_record_list struct record_list records = { 0 };
	int r;

	if (wish->names[0])
		return look_named(eng, wish, ret, err);
	r = containers_query(eng, &query, &records, err);
	for (size_t i = 0; r == 0 && i < records.n; i++)
		r = add_sample(eng, &records.items[i], ret, err);
	return r;
}

static void compare(const struct stats_samples *before, struct stats_samples *now)
{
	/* Most are where they were: each is looked for from there on. */
	for (size_t i = 0; i < now->n; i++)
		for (size_t k = 0; k < before->n; k++) {
			const struct engine_stats *old = &before->items[(i + k) % before->n];

			if (str_eq(now->items[i].id, old->id)) {
				engine_stats_rate(old, &now->items[i]);
				break;
			}
		}
}

static int print(const struct stats_options *o, const struct stats_samples *s, struct err *err)
{
	cleanup_cli_list struct cli_list *list = NULL;
	cleanup_buf struct buf out = BUF_INIT;
	int r = cli_list_new(&stats_table, o->format, true, &list, err);

	for (size_t i = 0; r == 0 && i < s->n; i++)
		r = cli_list_row(list, &(const struct stats_row){ &s->items[i], o->no_trunc }, err);
	if (r == 0 && !o->no_stream && !o->no_reset && isatty(STDOUT_FILENO))
		buf_adds(&out, "\033[H\033[J");
	if (r == 0)
		r = cli_list_write(list, &out, err);
	return r < 0 ? r : cli_print(&out, err);
}

static void wait_ms(uint64_t ms)
{
	const struct timespec pause = { .tv_sec = (time_t)(ms / 1000),
					.tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&pause, NULL);
}

static int follow(struct engine *eng, const struct stats_options *o, const struct stats_wish *wish,
		  uint64_t interval_ms, struct err *err)
{
	CLEANUP(stats_samples_done) struct stats_samples before = { 0 };
	uint64_t ms = FIRST_MS;
	int r = stats_look(eng, wish, &before, err);

	while (r == 0) {
		struct stats_samples now = { 0 };

		wait_ms(ms);
		ms = interval_ms;
		r = stats_look(eng, wish, &now, err);
		compare(&before, &now);
		if (r == 0)
			r = print(o, &now, err);
		stats_samples_done(&before);
		before = now;
		if (o->no_stream)
			break;
	}
	return r;
}

static bool has_terminal(void)
{
	const char *kind = getenv("TERM");

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && kind && kind[0] &&
	       !str_eq(kind, "dumb");
}

static int show(const void *globals, const struct stats_options *o, char **args, bool whole_screen,
		struct err *err)
{
	const struct stats_wish wish = {
		.all = o->all, .latest = o->latest, .whole = o->no_trunc, .names = args
	};
	uint64_t interval_ms = o->interval.set ? o->interval.value * 1000 : 1000;
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r;

	/* docker takes --all with names, which are what is shown then */
	if (o->latest && args[0])
		return err_fail(err, ERR_USAGE, "--latest cannot be used together with names");
	if (o->interval.set && (!o->interval.value || o->interval.value > 86400))
		return err_fail(err, ERR_USAGE, "--interval: expected 1 to 86400 seconds");
	r = cli_engine(globals, &eng, err);
	if (r < 0)
		return r;
	return whole_screen ? stats_screen(&eng, &wish, interval_ms, err)
			    : follow(&eng, o, &wish, interval_ms, err);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct stats_options *o = options;
	cleanup_cli_list struct cli_list *list = NULL;
	/* A wrong format is told at once. */
	int r = cli_list_new(&stats_table, o->format, true, &list, err);

	if (r < 0)
		return r;
	return show(globals, o, args, !o->format && !o->no_stream && !o->no_reset && has_terminal(),
		    err);
}

static int run_monitor(const void *globals, void *options, char **args, struct err *err)
{
	if (!has_terminal())
		return err_hint(
		    err,
		    err_fail(err, ERR_USAGE, "\"monitor\" needs a terminal for input and output"),
		    "inro stats writes to pipes and files");
	return show(globals, options, args, true, err);
}

#define KEYS                                                                                       \
	"Keys: q ends it; j, k, arrows, PgUp, PgDn, Home, End select a container; < and > or the " \
	"numbers 1 to 8 sort by a column, r turns the order around; s stops the selected one, K "  \
	"kills it, both after a question; p pauses it or lets it go on; l shows the end of its "   \
	"logs until q."

const struct cmd cmd_stats = {
	.name = "stats",
	.args = "[OPTIONS] [CONTAINER...]",
	.summary = "Show what containers use",
	.details =
	    "Without names, of all running containers, again every second until it is "
	    "interrupted. CPU % is that of one processor, in the time since the look before. On a "
	    "terminal, and without --format, --no-reset and --no-stream, it takes the whole "
	    "screen, "
	    "with the CPU and memory of the last looks as small graphs. " KEYS,
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct stats_options),
	.max_args = -1,
	.run = run,
};

const struct cmd cmd_monitor = {
	.name = "monitor",
	.args = "[OPTIONS] [CONTAINER...]",
	.summary = "Watch what containers use, on the whole terminal",
	.details = "As inro stats on a terminal. " KEYS,
	.opts = monitor_opts,
	.n_opts = ARRAY_SIZE(monitor_opts),
	.opts_size = sizeof(struct stats_options),
	.max_args = -1,
	.run = run_monitor,
};

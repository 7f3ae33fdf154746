/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/stats.h"

#include <time.h>

#include "base/str.h"
#include "base/timeutil.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "engine/containers_query.h"
#include "engine/life.h"

#define FIRST_MS 500 /* until the first percentages are known */

struct stats_options {
	bool all, latest, no_stream, no_trunc, no_reset;
	struct opt_u64 interval;
	char *format;
};

static const struct opt opts[] = {
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct stats_options, all),
	  .help = "show all containers, not only the running ones" },
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct stats_options, format),
	  .arg = "FORMAT",
	  .help = CLI_FORMAT_HELP },
	{ .name = "interval",
	  .short_name = 'i',
	  .kind = OPT_U64,
	  OPT_FIELD(struct stats_options, interval),
	  .arg = "SECONDS",
	  .help = "time between two looks (default 1)" },
	{ .name = "latest",
	  .short_name = 'l',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct stats_options, latest),
	  .help = "show the newest container" },
	{ .name = "no-reset",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct stats_options, no_reset),
	  .help = "do not clear the terminal between two looks" },
	{ .name = "no-stream",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct stats_options, no_stream),
	  .help = "show it once, then end" },
	{ .name = "no-trunc",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct stats_options, no_trunc),
	  .help = "do not shorten ids" },
};

struct row {
	const struct engine_stats *s;
	bool whole;
};
#define ROW(r) ((const struct row *)(r))
#define S(r)   (ROW(r)->s)

/* docker's binary units: "1.5MiB". */
static char *binary_size(uint64_t bytes)
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
	return pair(binary_size(S(r)->mem_usage), binary_size(S(r)->mem_limit));
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
	return binary_size(S(r)->mem_peak);
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
	{ "NetIO", "NET I/O", row_net, 0 },
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
static const struct cli_table table = { fields, ARRAY_SIZE(fields),
					"ID Name CPUPerc MemUsage MemPerc NetIO BlockIO PIDs" };

struct samples {
	struct engine_stats *items;
	size_t n;
};

static void samples_done(struct samples *s)
{
	for (size_t i = 0; i < s->n; i++)
		engine_stats_done(&s->items[i]);
	free(s->items);
	*s = (struct samples){ 0 };
}

static int add_sample(struct engine *eng, const struct record *rec, struct samples *ret,
		      struct err *err)
{
	ret->items = xrealloc(ret->items, (ret->n + 1) * sizeof(*ret->items));
	int r = engine_stats_read(eng, rec, &ret->items[ret->n], err);

	ret->n += r == 0;
	return r;
}

static int look(struct engine *eng, const struct stats_options *o, char **args, struct samples *ret,
		struct err *err)
{
	const struct containers_query query = { .all = o->all, .last = o->latest ? 1 : 0 };
	cleanup_record_list struct record_list records = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && args[i]; i++) {
		cleanup_record struct record rec = { 0 };

		r = life_find(eng, args[i], &rec, err);
		if (r == 0)
			r = add_sample(eng, &rec, ret, err);
	}
	if (r < 0 || args[0])
		return r;
	r = containers_query(eng, &query, &records, err);
	for (size_t i = 0; r == 0 && i < records.n; i++)
		r = add_sample(eng, &records.items[i], ret, err);
	return r;
}

static void compare(const struct samples *before, struct samples *now)
{
	for (size_t i = 0; i < now->n; i++)
		for (size_t k = 0; k < before->n; k++)
			if (str_eq(now->items[i].id, before->items[k].id))
				engine_stats_rate(&before->items[k], &now->items[i]);
}

static int print(const struct stats_options *o, const struct samples *s, struct err *err)
{
	cleanup_cli_list struct cli_list *list = NULL;
	cleanup_buf struct buf out = BUF_INIT;
	int r = cli_list_new(&table, o->format, true, &list, err);

	for (size_t i = 0; r == 0 && i < s->n; i++)
		r = cli_list_row(list, &(const struct row){ &s->items[i], o->no_trunc }, err);
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

static int follow(struct engine *eng, const struct stats_options *o, char **args, struct err *err)
{
	uint64_t interval = o->interval.set ? o->interval.value * 1000 : 1000, ms = FIRST_MS;
	CLEANUP(samples_done) struct samples before = { 0 };
	int r = look(eng, o, args, &before, err);

	while (r == 0) {
		struct samples now = { 0 };

		wait_ms(ms);
		ms = interval;
		r = look(eng, o, args, &now, err);
		compare(&before, &now);
		if (r == 0)
			r = print(o, &now, err);
		samples_done(&before);
		before = now;
		if (o->no_stream)
			break;
	}
	return r;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct stats_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_cli_list struct cli_list *list = NULL;
	int r;

	if ((o->all || o->latest) && args[0])
		return err_fail(err, ERR_USAGE,
				"--all and --latest cannot be used together with names");
	if (o->interval.set && (!o->interval.value || o->interval.value > 86400))
		return err_fail(err, ERR_USAGE, "--interval: expected 1 to 86400 seconds");
	/* A wrong format is told at once. */
	r = cli_list_new(&table, o->format, true, &list, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	return r < 0 ? r : follow(&eng, o, args, err);
}

const struct cmd cmd_stats = {
	.name = "stats",
	.args = "[OPTIONS] [CONTAINER...]",
	.summary = "Show what containers use",
	.details =
	    "Without names, of all running containers, again every second until it is "
	    "interrupted. CPU % is that of one processor, in the time since the look before.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct stats_options),
	.max_args = -1,
	.run = run,
};

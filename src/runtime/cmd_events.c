/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/timeutil.h"
#include "runtime/cgroup_stats.h"
#include "runtime/cli.h"

#define DEFAULT_INTERVAL_NS (5 * 1000000000LL)
#define INTERVAL_MAX_NS     (24 * 3600 * 1000000000LL)

struct events_opts {
	int64_t interval_ns;
	bool stats;
};

static int parse_interval(void *field, const char *value, struct err *err)
{
	int64_t *ns = field;

	if (time_parse_duration(value, ns) < 0 || *ns < 1000000 || *ns > INTERVAL_MAX_NS)
		return err_fail(err, ERR_USAGE, "expected a duration from 1ms to 24h, got \"%s\"",
				value);
	return 0;
}

/* One line: a program that reads it gets whole events. */
static int print_event(const char *type, const char *id, const struct cgroup_stats *stats,
		       struct err *err)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT;

	buf_addf(&out, "{\"type\":\"%s\",\"id\":", type);
	json_write_string(&out, id);
	if (stats) {
		buf_adds(&out, ",\"data\":");
		cgroup_stats_write(stats, &out);
	}
	buf_adds(&out, "}\n");
	return cli_print(&out, "an event", err);
}

static int print_stats(const struct runtime *rt, const char *id, struct err *err)
{
	struct cgroup_stats stats;
	int r = container_stats(rt, id, &stats, err);

	if (r < 0)
		return r;
	r = print_event("stats", id, &stats, err);
	cgroup_stats_done(&stats);
	return r;
}

/* Until the container ends. */
static int follow(const struct runtime *rt, const char *id, int64_t interval_ns,
		  struct container_watch *w, struct err *err)
{
	int64_t next = time_monotonic_ns() + interval_ns;

	for (;;) {
		int64_t left = next - time_monotonic_ns();
		int r = container_watch_wait(w, left > 0 ? (int)((left + 999999) / 1000000) : 0);

		if (r < 0)
			return err_errno(err, -r, "waiting for events of container %s", id);
		if (r == CONTAINER_ENDED)
			return 0;
		if (r == CONTAINER_OOM) {
			r = print_event("oom", id, NULL, err);
		} else {
			next = time_monotonic_ns() + interval_ns;
			r = print_stats(rt, id, err);
			/* Gone since the wait: its end is the next event. */
			if (r < 0 && err->kind == ERR_CONFLICT)
				r = 0;
		}
		if (r < 0)
			return err->kind == ERR_NOT_FOUND ? 0 : r;
	}
}

static int run_events(const void *globals, void *opts, char **args, struct err *err)
{
	const struct events_opts *o = opts;
	const struct runtime *rt = globals_runtime(globals);
	int64_t interval = o->interval_ns ? o->interval_ns : DEFAULT_INTERVAL_NS;
	struct container_watch *w = NULL;
	int r;

	if (o->stats)
		return print_stats(rt, args[0], err);
	r = container_watch_new(rt, args[0], &w, err);
	if (r >= 0)
		r = follow(rt, args[0], interval, w, err);
	container_watch_free(w);
	return r;
}

static const struct opt opts[] = {
	{ .name = "interval",
	  .kind = OPT_FN,
	  OPT_FIELD(struct events_opts, interval_ns),
	  .arg = "DURATION",
	  .parse = parse_interval,
	  .help = "Time between two statistics, like 500ms or 1m (default: 5s)" },
	{ .name = "stats",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct events_opts, stats),
	  .help = "Print the statistics once" },
};

const struct cmd cmd_events = {
	.name = "events",
	.args = "[OPTIONS] ID",
	.summary = "Print what a container uses, and its out-of-memory kills, as lines of JSON",
	.details = "Goes on until the container ends.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct events_opts),
	.min_args = 1,
	.max_args = 1,
	.run = run_events,
};

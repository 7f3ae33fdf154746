/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/health.h"

#include "base/timeutil.h"

#define DEFAULT_RETRIES 3

const char *const health_status_names[] = { "starting", "healthy", "unhealthy", NULL };
const char *const health_action_names[] = { "none", "kill", "restart", "stop", NULL };

static const struct json_field probe_fields[] = {
	JSON_FIELD(struct health_probe, test, "test", JSON_STRV),
	JSON_FIELD(struct health_probe, interval_ns, "interval", JSON_I64),
	JSON_FIELD(struct health_probe, timeout_ns, "timeout", JSON_I64),
	JSON_FIELD(struct health_probe, retries, "retries", JSON_I64),
	JSON_FIELD(struct health_probe, success, "success", JSON_I64),
};
static const struct json_desc probe_desc = JSON_DESC(struct health_probe, probe_fields);

static const struct json_field fields[] = {
	JSON_FIELD(struct health, probe, "probe", JSON_STRUCT, .desc = &probe_desc),
	JSON_FIELD(struct health, start_period_ns, "startPeriod", JSON_I64),
	JSON_FIELD(struct health, start_interval_ns, "startInterval", JSON_I64),
	JSON_FIELD(struct health, startup, "startup", JSON_STRUCT, .desc = &probe_desc),
	JSON_FIELD(struct health, shell, "shell", JSON_STRV),
	JSON_FIELD(struct health, on_failure, "onFailure", JSON_ENUM, .names = health_action_names),
	JSON_FIELD(struct health, manual, "manual", JSON_BOOL),
};
const struct json_desc health_desc = JSON_DESC(struct health, fields);

#define KEEP(T, member, key, kind) JSON_FIELD(struct T, member, key, kind, .flags = JSON_KEEP)

static const struct json_field entry_fields[] = {
	KEEP(health_entry, start, "Start", JSON_STR),
	KEEP(health_entry, end, "End", JSON_STR),
	KEEP(health_entry, exit_code, "ExitCode", JSON_I64),
	KEEP(health_entry, output, "Output", JSON_STR),
};
static const struct json_desc entry_desc = JSON_DESC(struct health_entry, entry_fields);

#define SHOWN_FIELDS                                                                               \
	JSON_FIELD(struct health_state, status, "Status", JSON_ENUM, .names = health_status_names, \
		   .flags = JSON_KEEP),                                                            \
	    KEEP(health_state, failing_streak, "FailingStreak", JSON_I64),                         \
	    JSON_FIELD(struct health_state, log, "Log", JSON_ARRAY, .desc = &entry_desc,           \
		       .flags = JSON_KEEP)

static const struct json_field shown_fields[] = { SHOWN_FIELDS };
const struct json_desc health_shown_desc = JSON_DESC(struct health_state, shown_fields);

static const struct json_field state_fields[] = {
	SHOWN_FIELDS,
	JSON_FIELD(struct health_state, started, "Started", JSON_BOOL),
	JSON_FIELD(struct health_state, startup_passed, "StartupPassed", JSON_I64),
	JSON_FIELD(struct health_state, startup_failed, "StartupFailed", JSON_I64),
};
const struct json_desc health_state_desc = JSON_DESC(struct health_state, state_fields);

static void entry_done(struct health_entry *e)
{
	free(e->start);
	free(e->end);
	free(e->output);
}

static void remember(struct health_state *st, const struct health_answer *a)
{
	char start[TIME_RFC3339_MAX], end[TIME_RFC3339_MAX];

	while (st->log.n >= HEALTH_LOG_MAX) {
		entry_done(&st->log.items[0]);
		memmove(st->log.items, st->log.items + 1, --st->log.n * sizeof(*st->log.items));
	}
	st->log.items = xrealloc(st->log.items, (st->log.n + 1) * sizeof(*st->log.items));
	st->log.items[st->log.n++] = (struct health_entry){
		.start = xstrdup(time_rfc3339(a->start_ns, start)),
		.end = xstrdup(time_rfc3339(a->end_ns, end)),
		.exit_code = a->exit_code,
		.output = xstrdup(a->output),
	};
}

static bool in_startup(const struct health *h, const struct health_state *st)
{
	return h->startup.test && !st->started;
}

/* Until it has passed as often as is asked for, the container is starting. */
static int take_startup(const struct health *h, struct health_state *st, int exit_code)
{
	const struct health_probe *p = &h->startup;

	if (exit_code == 0) {
		st->startup_failed = 0;
		st->started = ++st->startup_passed >= p->success;
		return HEALTH_ACTION_NONE;
	}
	st->startup_passed = 0;
	if (!p->retries || ++st->startup_failed < p->retries)
		return HEALTH_ACTION_NONE;
	st->startup_failed = 0;
	return HEALTH_ACTION_RESTART;
}

int health_take(const struct health *h, struct health_state *st, const struct health_answer *a,
		int64_t since_ns)
{
	int64_t retries = h->probe.retries ? h->probe.retries : DEFAULT_RETRIES;
	bool was_unhealthy = st->status == HEALTH_UNHEALTHY;

	remember(st, a);
	if (in_startup(h, st))
		return take_startup(h, st, a->exit_code);
	if (a->exit_code == 0) {
		st->failing_streak = 0;
		st->status = HEALTH_HEALTHY;
		return HEALTH_ACTION_NONE;
	}
	if (st->status == HEALTH_STARTING && since_ns < h->start_period_ns)
		return HEALTH_ACTION_NONE;
	if (++st->failing_streak < retries)
		return HEALTH_ACTION_NONE;
	st->status = HEALTH_UNHEALTHY;
	return was_unhealthy || h->on_failure < 0 ? HEALTH_ACTION_NONE : h->on_failure;
}

const struct health_probe *health_next(const struct health *h, const struct health_state *st)
{
	return in_startup(h, st) ? &h->startup : &h->probe;
}

int64_t health_delay_ns(const struct health *h, const struct health_state *st, int64_t since_ns)
{
	if (!in_startup(h, st) && st->status == HEALTH_STARTING && since_ns < h->start_period_ns)
		return h->start_interval_ns;
	return health_next(h, st)->interval_ns;
}

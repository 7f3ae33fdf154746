/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/health.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/timeutil.h"
#include "engine/control.h"
#include "engine/events.h"
#include "engine/life.h"
#include "engine/live.h"
#include "engine/services.h"
#include "engine/start.h"
#include "engine/stop.h"

#define NS_PER_MS INT64_C(1000000)
/* Beyond a probe's own timeout: what it was must end, and its answer be kept. */
#define LIMIT_EXTRA_MS 10000

static uint32_t to_ms(int64_t ns)
{
	int64_t ms = ns / NS_PER_MS;

	return ms < 1 ? 1 : ms > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)ms;
}

static uint32_t limit_of(const struct health *h)
{
	int64_t probe = h->probe.timeout_ns, startup = h->startup.timeout_ns;

	return to_ms(probe > startup ? probe : startup) + LIMIT_EXTRA_MS;
}

static int write_settings(int run_fd, const struct health *h, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	json_write(&health_desc, h, JSON_NEWLINE, &text);
	return io_replace_file(run_fd, HEALTH_SETTINGS_FILE, buf_str(&text), text.len, 0600, false,
			       err);
}

bool health_same(const struct health *a, const struct health *b)
{
	cleanup_buf struct buf a_text = BUF_INIT;
	cleanup_buf struct buf b_text = BUF_INIT;

	if (!a || !b)
		return a == b;
	json_write(&health_desc, a, 0, &a_text);
	json_write(&health_desc, b, 0, &b_text);
	return str_eq(buf_str(&a_text), buf_str(&b_text));
}

static int forget_state(const struct record *rec, int run_fd, struct err *err)
{
	if (unlinkat(run_fd, HEALTH_STATE_FILE, 0) < 0 && errno != ENOENT)
		return err_errno(err, errno, "forgetting the health of container %s", rec->name);
	return 0;
}

int health_begin(const struct record *rec, int run_fd, struct monitor_start *start, struct err *err)
{
	const struct health *h = rec->options.health;
	const struct health_state none = { 0 };
	int r;

	if (!h)
		return 0;
	start->options |= MONITOR_OPT_HEALTH;
	start->health_first_ms = h->manual ? 0 : to_ms(health_delay_ns(h, &none, 0));
	start->health_limit_ms = limit_of(h);
	r = forget_state(rec, run_fd, err);
	return r < 0 ? r : write_settings(run_fd, h, err);
}

int health_change(struct engine *eng, const struct record *rec, const struct health *h, bool anew,
		  struct err *err)
{
	cleanup_fd int run_fd =
	    openat(eng->run_fd, rec->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_fd int sock = control_open(eng, rec->id);
	const struct health_state none = { 0 };
	int first_ms = h ? 0 : -1, r = 0;

	if (run_fd < 0)
		return err_errno(err, errno, "opening the run directory of %s", rec->name);
	if (h)
		r = write_settings(run_fd, h, err);
	if (r == 0 && anew)
		r = forget_state(rec, run_fd, err);
	if (r < 0)
		return r;
	if (h && !h->manual)
		first_ms = (int)to_ms(health_delay_ns(h, &none, time_now_ns() - rec->started_ns));
	r = sock < 0 ? sock : control_health(sock, first_ms, h ? limit_of(h) : 0);
	return r < 0 ? err_errno(err, -r, "telling the monitor of container %s", rec->name) : 0;
}

void health_state_done(struct health_state *st)
{
	json_free(&health_state_desc, st);
}

void health_read(struct engine *eng, const struct record *rec, struct health_state *ret)
{
	cleanup_free char *path = xasprintf("%s/" HEALTH_STATE_FILE, rec->id);
	cleanup_buf struct buf text = BUF_INIT;

	*ret = (struct health_state){ 0 };
	/* There is none before the first answer, and after a reboot. */
	if (io_read_file(eng->run_fd, path, &text, HEALTH_STATE_MAX, NULL) == 0 &&
	    json_parse(&health_state_desc, ret, buf_str(&text), text.len, path, NULL) < 0)
		*ret = (struct health_state){ 0 };
	if (ret->status < 0)
		ret->status = HEALTH_STARTING;
	if (rec->status != RECORD_RUNNING && rec->status != RECORD_CREATED)
		ret->status = HEALTH_UNHEALTHY;
}

int health_status_of(struct engine *eng, const struct record *rec)
{
	cleanup_health_state struct health_state st = { 0 };

	if (!rec->options.health)
		return -1;
	health_read(eng, rec, &st);
	return st.status;
}

/* As long as the probe may take, and one that is being made; the monitor sees to both, if it can.
 */
static int ask(struct engine *eng, const struct record *rec, int *ret_result, struct err *err)
{
	cleanup_fd int sock = control_open(eng, rec->id);
	int64_t ms = INT64_C(2) * limit_of(rec->options.health);
	int r =
	    sock < 0 ? sock : control_probe(sock, ms < INT32_MAX ? (int)ms : INT32_MAX, ret_result);

	if (r == -ETIME)
		return err_hint(
		    err,
		    err_fail(err, ERR_CONFLICT,
			     "probing container %s: no answer of its monitor in %lld s", rec->name,
			     (long long)(ms / 1000)),
		    "see by ps(1) whether inro-monitor is stopped, or waits for the disk");
	return r < 0 ? err_errno(err, -r, "probing container %s", rec->name) : 0;
}

int health_run(struct engine *eng, const char *word, bool *ret_well, int *ret_status,
	       struct err *err)
{
	cleanup_record struct record rec = { 0 };
	int result = MONITOR_PROBED_NOT;
	int r = life_find(eng, word, &rec, err);

	if (r == 0 && !rec.options.health)
		r = err_fail(err, ERR_CONFLICT, "container %s has no defined healthcheck", word);
	if (r == 0)
		r = live_check(eng, &rec, err);
	if (r < 0)
		return r;
	if (live_status(eng, &rec) == CONTAINER_PAUSED)
		return err_fail(err, ERR_CONFLICT, "container %s is paused", rec.name);
	r = ask(eng, &rec, &result, err);
	if (r < 0)
		return r;
	if (result != MONITOR_PROBED_WELL && result != MONITOR_PROBED_BAD)
		return err_fail(err, ERR_CONFLICT, "container %s could not be probed now",
				rec.name);
	*ret_well = result == MONITOR_PROBED_WELL;
	*ret_status = health_status_of(eng, &rec);
	return 0;
}

/* By a user, who does not want it back, or as the machine goes down; or it is gone. */
static bool is_stopped(struct engine *eng, const char *id)
{
	cleanup_record struct record rec = { 0 };

	return record_get(eng, id, &rec, NULL) < 0 || rec.stopped || stop_was_for_boot(eng, id);
}

/* One that its end removes is not started again, nor one that a user has stopped meanwhile: what
 * stops it here leaves no such note. */
static int stop_and_start(struct engine *eng, const char *id, bool start, struct err *err)
{
	const struct start_options how = { 0 };
	const struct stop_options opts = { .again = start };
	cleanup_stop struct stop stop = STOP_INIT;
	int r;

	if (is_stopped(eng, id))
		return 0;
	r = stop_begin(eng, id, &opts, &stop, err);
	if (r == 0)
		r = stop_finish(eng, &stop, err);
	if (r < 0 || !start || stop.rec.auto_remove || is_stopped(eng, id))
		return r;
	return engine_start(eng, id, &how, err);
}

/* What is not healthy gets no connections of its service. */
static void note_service(struct engine *eng, const char *id)
{
	cleanup_record struct record rec = { 0 };

	if (record_get(eng, id, &rec, NULL) == 0)
		service_note(eng, &rec);
}

int health_act(struct engine *eng, const char *id, const char *status, const char *action,
	       struct err *err)
{
	cleanup_free char *event = xasprintf("health_status: %s", status);

	/* Nothing becomes "starting": it is there for what it has not become. */
	if (!str_eq(status, health_status_names[HEALTH_STARTING]))
		event_note_container(eng, id, event, NULL);
	note_service(eng, id);
	if (str_eq(action, health_action_names[HEALTH_ACTION_RESTART]))
		return stop_and_start(eng, id, true, err);
	if (str_eq(action, health_action_names[HEALTH_ACTION_STOP]))
		return stop_and_start(eng, id, false, err);
	return 0;
}

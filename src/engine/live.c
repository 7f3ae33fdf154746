/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/live.h"

#include <signal.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/timeutil.h"
#include "engine/control.h"
#include "engine/events.h"
#include "engine/life.h"
#include "engine/parse.h"
#include "engine/paused.h"
#include "engine/services.h"

#define KILL_TIMEOUT_MS  10000
#define START_TIMEOUT_MS 5000
#define POLL_FIRST_US    500
#define POLL_LAST_US     8000

int live_status(struct engine *eng, const struct record *rec)
{
	struct container_state st = { 0 };
	int status;

	if (!rec->running || container_state_read(&eng->runtime, rec->id, &st, NULL) < 0)
		return CONTAINER_STOPPED;
	status = st.status;
	container_state_free(&st);
	return status;
}

bool live_is_paused(struct engine *eng, const struct record *rec)
{
	return rec->running && paused_is_marked(eng, rec->id) &&
	       live_status(eng, rec) == CONTAINER_PAUSED;
}

static void see_paused(struct engine *eng, struct record *rec)
{
	rec->paused = live_status(eng, rec) == CONTAINER_PAUSED;
}

void live_see_paused(struct engine *eng, struct record_list *all)
{
	paused_each(eng, all, see_paused);
}

static int not_running(const struct record *rec, struct err *err)
{
	if (rec->status == RECORD_RESTARTING)
		return err_fail(err, ERR_CONFLICT,
				"container %s is restarting, wait until the container is running",
				rec->name);
	return err_fail(err, ERR_CONFLICT, "container %s is not running", rec->name);
}

int live_check(struct engine *eng, const struct record *rec, struct err *err)
{
	const struct timespec pause = { .tv_nsec = POLL_LAST_US * 1000 };
	int64_t end = time_monotonic_ns() + START_TIMEOUT_MS * INT64_C(1000000);
	int status = live_status(eng, rec);

	if (status == CONTAINER_STOPPED) {
		live_settle(eng, rec);
		status = live_status(eng, rec);
	}
	while (status == CONTAINER_CREATING && time_monotonic_ns() < end) {
		nanosleep(&pause, NULL);
		status = live_status(eng, rec);
	}
	return status == CONTAINER_RUNNING || status == CONTAINER_PAUSED ? 0
									 : not_running(rec, err);
}

static bool has_process(struct engine *eng, const struct record *rec)
{
	struct container_state st = { 0 };
	bool has = container_state_read(&eng->runtime, rec->id, &st, NULL) == 0 && st.pid > 0;

	container_state_free(&st);
	return has;
}

void live_settle(struct engine *eng, const struct record *rec)
{
	const struct timespec pause = { .tv_nsec = POLL_LAST_US * 1000 };
	int64_t end = time_monotonic_ns() + START_TIMEOUT_MS * INT64_C(1000000);

	if (rec->status != RECORD_RUNNING)
		return;
	while (!has_process(eng, rec) && life_alive(eng, rec->id) && time_monotonic_ns() < end)
		nanosleep(&pause, NULL);
}

void live_forbid_restart(struct engine *eng, const struct record *rec, bool lasting)
{
	struct err err = ERR_INIT;

	/* Of a service, systemd learns by its exit status that the end was wanted. */
	if (rec->options.restart <= RESTART_NO && !rec->options.health && !rec->options.notify)
		return;
	if (lasting && record_stopped(eng, rec->id, &err) < 0)
		log_warn("noting that container %s was stopped: %s", rec->name, err.msg);
	control_forbid_restart(eng, rec->id);
}

void live_tell_kill(struct engine *eng, const struct record *rec, int signo)
{
	cleanup_free char *number = xasprintf("%d", signo);
	const char *const words[] = { "signal", number, NULL };

	event_note_container(eng, rec->id, "kill", words);
}

int live_stop_signal(const struct record *rec, int *ret, struct err *err)
{
	*ret = SIGTERM;
	return rec->options.stop_signal ? signal_parse(rec->options.stop_signal, ret, err) : 0;
}

int live_watch(struct engine *eng, const char *id)
{
	cleanup_fd int sock = control_open(eng, id);

	return sock >= 0 && control_want_exit(sock) == 0 ? take_fd(sock) : -EPIPE;
}

static int wait_lock(struct engine *eng, const char *id, int timeout_ms)
{
	int64_t end = time_monotonic_ns() + timeout_ms * INT64_C(1000000);
	long us = POLL_FIRST_US;

	while (life_alive(eng, id)) {
		const struct timespec pause = { .tv_nsec = us * 1000 };

		if (timeout_ms >= 0 && time_monotonic_ns() >= end)
			return -ETIME;
		nanosleep(&pause, NULL);
		us = us < POLL_LAST_US ? us + us / 4 : us;
	}
	return 0;
}

int live_wait_end(struct engine *eng, const char *id, int watch, int timeout_ms)
{
	int code, r = -EPIPE;
	int64_t ns;

	if (watch >= 0)
		r = control_wait(watch, timeout_ms, &code, &ns);
	/* Else its monitor was killed, or has not begun. */
	return r == 0 || r == -ETIME ? r : wait_lock(eng, id, timeout_ms);
}

void live_killed_done(struct live_killed *k)
{
	record_done(&k->rec);
	k->watch = fd_close(k->watch);
}

int live_kill_begin(struct engine *eng, const char *word, int signo, struct live_killed *ret,
		    struct err *err)
{
	cleanup_live_killed struct live_killed k = LIVE_KILLED_INIT;
	struct record *rec = &k.rec;
	struct err one = ERR_INIT;
	int own, r = life_find(eng, word, rec, err);

	if (r < 0)
		return r;
	k.waits = signo == SIGKILL;
	if (k.waits)
		k.watch = live_watch(eng, rec->id);
	r = live_check(eng, rec, &one);
	/* Who sends one of these does not want it back. */
	if (r == 0 && (k.waits || (live_stop_signal(rec, &own, NULL) == 0 && signo == own)))
		live_forbid_restart(eng, rec, true);
	if (r == 0) {
		live_tell_kill(eng, rec, signo);
		r = container_kill(&eng->runtime, rec->id, signo, false, &one);
	}
	if (one.kind == ERR_NOT_FOUND || one.kind == ERR_CONFLICT)
		r = not_running(rec, &one);
	if (r < 0) {
		if (err)
			*err = one;
		return err_wrap(err, r, "cannot kill container %s", word);
	}
	*ret = k;
	k = (struct live_killed)LIVE_KILLED_INIT;
	return 0;
}

int live_kill_finish(struct engine *eng, struct live_killed *k, struct err *err)
{
	if (k->waits && live_wait_end(eng, k->rec.id, k->watch, KILL_TIMEOUT_MS) < 0)
		return err_fail(err, ERR_CONFLICT, "container %s was killed but does not end",
				k->rec.name);
	return 0;
}

int live_kill(struct engine *eng, const char *word, int signo, struct err *err)
{
	cleanup_live_killed struct live_killed k = LIVE_KILLED_INIT;
	int r = live_kill_begin(eng, word, signo, &k, err);

	return r < 0 ? r : live_kill_finish(eng, &k, err);
}

/* What the runtime says in the words of its own verbs. */
static int explain(struct engine *eng, const struct record *rec, bool pausing, int r,
		   const struct err *why, struct err *err)
{
	int status = live_status(eng, rec);

	/* One that ends meanwhile has no cgroup any more. */
	if (why->kind != ERR_CONFLICT && why->kind != ERR_NOT_FOUND &&
	    status != CONTAINER_STOPPED) {
		if (err)
			*err = *why;
		return r;
	}
	if (status == CONTAINER_PAUSED && pausing)
		return err_fail(err, ERR_CONFLICT, "container %s is already paused", rec->name);
	if (status == CONTAINER_RUNNING && !pausing)
		return err_fail(err, ERR_CONFLICT, "container %s is not paused", rec->name);
	return not_running(rec, err);
}

static int find_running(struct engine *eng, const char *word, struct record *ret, struct err *err)
{
	int r = life_find(eng, word, ret, err);

	return r < 0 ? r : live_check(eng, ret, err);
}

int live_pause(struct engine *eng, const char *word, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	struct err why = ERR_INIT;
	int r = find_running(eng, word, &rec, err);

	if (r < 0)
		return r;
	/* Before, so that it is there also when this process is killed. */
	r = paused_mark(eng, rec.id);
	if (r < 0)
		return err_errno(err, -r, "marking container %s as paused", rec.name);
	r = container_pause(&eng->runtime, rec.id, &why);
	if (r < 0 && live_status(eng, &rec) == CONTAINER_STOPPED)
		paused_unmark(eng, rec.id);
	if (r < 0)
		return explain(eng, &rec, true, r, &why, err);
	service_note(eng, &rec);
	event_note_container(eng, rec.id, "pause", NULL);
	return 0;
}

int live_unpause(struct engine *eng, const char *word, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	struct err why = ERR_INIT;
	int r = find_running(eng, word, &rec, err);

	if (r < 0)
		return r;
	r = container_resume(&eng->runtime, rec.id, &why);
	if (r < 0)
		return explain(eng, &rec, false, r, &why, err);
	/* One that is paused again at this moment stays marked or is shown as running. */
	paused_unmark(eng, rec.id);
	service_note(eng, &rec);
	event_note_container(eng, rec.id, "unpause", NULL);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/service_update.h"

#include <signal.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/timeutil.h"
#include "engine/health.h"
#include "engine/life.h"
#include "engine/remove.h"
#include "engine/run.h"
#include "engine/service_internal.h"
#include "engine/stop.h"
#include "engine/why.h"
#include "runtime/cancel.h"

#define DEFAULT_MONITOR_NS (5 * INT64_C(1000000000))
#define LOOK_NS            (50 * INT64_C(1000000))

const char *const service_orders[] = { "stop-first", "start-first", NULL };
const char *const service_failure_actions[] = { "pause", "continue", "rollback", NULL };
enum failure_action { ACTION_PAUSE, ACTION_CONTINUE, ACTION_ROLLBACK };

/* One replica, and what comes in its place. */
struct swap {
	struct replica old; /* borrowed */
	const char *name;   /* that they have, one after the other */
	bool ran;           /* the old one */
	char *new_id;       /* NULL: not made yet */
	int64_t ready_ns;   /* when it was seen to be; CLOCK_MONOTONIC, 0: not yet */
	enum { SWAP_WAITS, SWAP_BEGUN, SWAP_WORKS, SWAP_DONE, SWAP_FAILED, SWAP_STUCK } state;
	struct err why; /* it has failed */
};

struct roll {
	struct engine *eng;
	const struct service_update *how;
	struct service service;
	struct replicas list;
	struct swap *swaps;
	size_t n, n_failed;
	bool start_first;
	enum failure_action action;
	int64_t delay_ns, monitor_ns;
	size_t parallelism;
	sigset_t enders;
	bool interrupted;
};

/* ---- does it work? ---- */

static int explain(struct engine *eng, const char *id, struct err *err)
{
	cleanup_why struct why why = { 0 };
	size_t n;

	if (engine_why(eng, id, &why, err) < 0)
		return -EIO;
	for (n = 0; why.log && why.log[n]; n++)
		;
	return err_fail(err, ERR_CONFLICT, "%s%s%s", why.summary, n ? "; its last line: " : "",
			n ? why.log[n - 1] : "");
}

/* 1: it has worked for long enough; 0: not yet; or -errno: it does not. */
static int look(struct roll *ro, struct swap *s, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	int r = record_get(ro->eng, s->new_id, &rec, err), health;

	if (r == 0)
		r = life_look(ro->eng, &rec, err);
	if (r == 1 || r == -ENOENT)
		return err_fail(err, ERR_NOT_FOUND, "somebody has removed it");
	if (r < 0)
		return r;
	health = health_status_of(ro->eng, &rec);
	if (rec.status != RECORD_RUNNING || rec.restarts || health == HEALTH_UNHEALTHY)
		return explain(ro->eng, rec.id, err);
	/* With a check that is only made when somebody asks, it has to run. */
	r = rec.options.health && rec.options.health->manual
		? 1
		: service_is_ready(ro->eng, rec.id, err);
	if (r <= 0)
		return r;
	if (!s->ready_ns) {
		s->ready_ns = time_monotonic_ns();
		r = service_refresh(ro->eng, ro->service.id, err);
		if (r < 0)
			return r;
	}
	return time_monotonic_ns() - s->ready_ns >= ro->monitor_ns;
}

/* The signal is taken: it must not interrupt what goes back. */
static bool is_interrupted(struct roll *ro)
{
	const struct timespec now = { .tv_sec = 0 };

	if (!ro->interrupted)
		ro->interrupted = sigtimedwait(&ro->enders, NULL, &now) > 0;
	return ro->interrupted;
}

static void watch(struct roll *ro, struct swap *group, size_t n)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };
	size_t open = n;

	while (open) {
		open = 0;
		for (size_t i = 0; i < n; i++) {
			struct swap *s = &group[i];
			int r;

			if (s->state != SWAP_BEGUN)
				continue;
			r = is_interrupted(ro) ? err_fail(&s->why, ERR_CONFLICT, "interrupted")
					       : look(ro, s, &s->why);
			s->state = r < 0 ? SWAP_FAILED : r > 0 ? SWAP_WORKS : SWAP_BEGUN;
			open += r == 0;
		}
		if (open)
			nanosleep(&pause, NULL);
	}
}

/* ---- some of them ---- */

static void fail_if(struct swap *s, int r)
{
	if (r < 0)
		s->state = SWAP_FAILED;
}

/* Of those in this state: none of them gets new connections, then each is told to end, then they
 * have all their time at once. */
static void stop_old(struct roll *ro, struct swap *group, size_t n, int state)
{
	const struct stop_options how = { .timed = false };
	cleanup_free struct stop *stops = xcalloc(n + 1, sizeof(*stops));

	for (size_t i = 0; i < n; i++)
		if ((int)group[i].state == state)
			fail_if(&group[i], service_leave(ro->eng, group[i].old.id, &group[i].why));
	service_drain();
	for (size_t i = 0; i < n; i++) {
		stops[i] = (struct stop)STOP_INIT;
		if ((int)group[i].state == state)
			fail_if(&group[i], stop_begin(ro->eng, group[i].old.id, &how, &stops[i],
						      &group[i].why));
	}
	for (size_t i = 0; i < n; i++) {
		if ((int)group[i].state == state)
			fail_if(&group[i], stop_finish(ro->eng, &stops[i], &group[i].why));
		stop_done(&stops[i]);
	}
}

static void make_new(struct roll *ro, struct swap *s)
{
	const struct service_part part = { .id = ro->service.id,
					   .name = ro->service.name,
					   .number = s->old.number,
					   .sticky = ro->service.sticky };

	int r;

	if (s->state != SWAP_BEGUN)
		return;
	r = service_make_like(ro->eng, s->old.id, ro->how->image, s->name, &part, &s->new_id,
			      &s->why);
	fail_if(s, r);
	/* A signal that comes while one starts is taken there. */
	ro->interrupted = ro->interrupted || r == -ECANCELED;
}

/* The old one is of no more use. */
static void finish(struct roll *ro, struct swap *s)
{
	struct err err = ERR_INIT;

	s->state = SWAP_DONE;
	if (engine_remove(ro->eng, s->old.id, true, true, &err) < 0 && err.kind != ERR_NOT_FOUND)
		log_warn("removing the replica that was %s: %s", s->name, err.msg);
	if (ro->how->done)
		ro->how->done(s->name);
}

static void go_back(struct roll *ro, struct swap *s)
{
	struct err err = ERR_INIT;

	if (service_take_back(ro->eng, s->old.id, s->name, s->new_id, s->ran, &err) == 0)
		return;
	log_warn("%s", err.msg);
	s->state = SWAP_STUCK;
}

/* How many have failed; those are as they were. */
static size_t replace(struct roll *ro, struct swap *group, size_t n)
{
	size_t failed = 0;

	for (size_t i = 0; i < n; i++) {
		cleanup_free char *aside = service_aside(&group[i].old, group[i].ran);

		group[i].state = SWAP_BEGUN;
		fail_if(&group[i], service_rename(ro->eng, group[i].old.id, aside, &group[i].why));
	}
	if (!ro->start_first)
		stop_old(ro, group, n, SWAP_BEGUN);
	for (size_t i = 0; i < n; i++)
		make_new(ro, &group[i]);
	watch(ro, group, n);
	if (ro->start_first)
		stop_old(ro, group, n, SWAP_WORKS);
	for (size_t i = 0; i < n; i++) {
		struct swap *s = &group[i];

		if (s->state == SWAP_FAILED) {
			go_back(ro, s);
			err_wrap(&s->why, -1, "replica %s", s->name);
			if (ro->how->failed)
				ro->how->failed(&s->why);
			failed++;
			continue;
		}
		if (ro->action != ACTION_ROLLBACK)
			finish(ro, s);
	}
	return failed;
}

/* ---- the whole ---- */

static int say_end(const struct roll *ro, struct err *err)
{
	static const char *const words[] = { [ACTION_PAUSE] = "update paused",
					     [ACTION_CONTINUE] = "update not whole",
					     [ACTION_ROLLBACK] = "update rolled back" };
	cleanup_buf struct buf old = BUF_INIT, new = BUF_INIT, stuck = BUF_INIT;

	for (size_t i = 0; i < ro->n; i++) {
		const struct swap *s = &ro->swaps[i];

		buf_addf(s->state == SWAP_DONE    ? &new
			 : s->state == SWAP_STUCK ? &stuck
						  : &old,
			 " %s", s->name);
	}
	if (ro->action == ACTION_ROLLBACK && !stuck.len)
		return err_fail(err, ERR_CONFLICT, "service %s: %s: all its replicas are as before",
				ro->service.name, words[ro->action]);
	err_fail(err, ERR_CONFLICT, "service %s: %s: replaced:%s; as before:%s%s%s",
		 ro->service.name, words[ro->action], new.len ? buf_str(&new) : " none",
		 old.len ? buf_str(&old) : " none", stuck.len ? "; not brought back:" : "",
		 buf_str(&stuck));
	return err_hint(err, -EBUSY,
			"the same command goes on with the others; with the image "
			"before it goes back");
}

static int roll(struct roll *ro, struct err *err)
{
	size_t at = 0;

	while (at < ro->n) {
		size_t n = ro->n - at < ro->parallelism ? ro->n - at : ro->parallelism;
		int64_t end = time_monotonic_ns() + (at ? ro->delay_ns : 0);
		const struct timespec pause = { .tv_nsec = LOOK_NS };

		while (time_monotonic_ns() < end && !is_interrupted(ro))
			nanosleep(&pause, NULL);
		if (is_interrupted(ro))
			break;
		ro->n_failed += replace(ro, &ro->swaps[at], n);
		at += n;
		if (ro->n_failed && (ro->action != ACTION_CONTINUE || is_interrupted(ro)))
			break;
	}
	if (ro->action == ACTION_ROLLBACK)
		for (size_t i = at; i-- > 0;) {
			if (ro->swaps[i].state != SWAP_WORKS)
				continue;
			if (ro->n_failed || at < ro->n)
				go_back(ro, &ro->swaps[i]);
			else
				finish(ro, &ro->swaps[i]);
		}
	return ro->n_failed || at < ro->n ? say_end(ro, err) : 0;
}

static int parse_time(const char *option, const char *word, int64_t *ret, struct err *err)
{
	if (!word || time_parse_duration(word, ret) == 0)
		return 0;
	return err_fail(err, ERR_USAGE, "%s: expected a time as 5s or 1m30s, got \"%s\"", option,
			word);
}

static int parse(struct roll *ro, struct err *err)
{
	const struct service_update *how = ro->how;
	int r = parse_time("--update-delay", how->delay, &ro->delay_ns, err);

	ro->monitor_ns = DEFAULT_MONITOR_NS;
	if (r == 0)
		r = parse_time("--update-monitor", how->monitor, &ro->monitor_ns, err);
	ro->start_first = str_eq(how->order, "start-first");
	ro->action = str_eq(how->failure_action, "continue")   ? ACTION_CONTINUE
		     : str_eq(how->failure_action, "rollback") ? ACTION_ROLLBACK
							       : ACTION_PAUSE;
	ro->parallelism = !how->parallelism.set ? 1
			  : how->parallelism.value && how->parallelism.value < SERVICE_REPLICAS_MAX
			      ? how->parallelism.value
			      : SERVICE_REPLICAS_MAX;
	return r;
}

/* What isn't of the image yet. */
static int choose(struct roll *ro, const char *image, struct err *err)
{
	int r = service_replicas(ro->eng, ro->service.id, &ro->list, err);

	ro->swaps = xcalloc(ro->list.n + 1, sizeof(*ro->swaps));
	for (size_t i = 0; r == 0 && i < ro->list.n; i++) {
		cleanup_record struct record rec = { 0 };

		if (record_get(ro->eng, ro->list.items[i].id, &rec, NULL) < 0 ||
		    (!ro->how->force && str_eq(rec.image, image)))
			continue;
		ro->swaps[ro->n++] = (struct swap){ .old = ro->list.items[i],
						    .name = ro->list.items[i].name,
						    .ran = rec.status == RECORD_RUNNING ||
							   rec.status == RECORD_RESTARTING,
						    .why = ERR_INIT };
	}
	return r;
}

static int find(struct engine *eng, const char *word, struct service *ret, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	int r = engine_db(eng, err);

	if (r == 0)
		r = service_get(eng, word, ret, err);
	if (r != -ENOENT)
		return r;
	r = life_find(eng, word, &rec, err);
	if (r < 0)
		return r;
	if (rec.options.service && service_get(eng, rec.options.service, ret, NULL) == 0) {
		r = err_fail(err, ERR_CONFLICT, "container %s is a replica of service %s", rec.name,
			     ret->name);
		return err_hint(err, r, "inro update --image IMAGE %s replaces all of them",
				ret->name);
	}
	return err_hint(err,
			err_fail(err, ERR_CONFLICT,
				 "container %s is no service: its image stays what it is",
				 rec.name),
			"inro run --replace --name %s ... IMAGE makes it anew", rec.name);
}

int engine_service_update(struct engine *eng, const char *word, const struct service_update *how,
			  struct err *err)
{
	const struct run_options asks = { .pull_events = how->pull_events,
					  .on_missing = how->on_missing };
	struct roll ro = { .eng = eng, .how = how };
	cleanup_free char *image = NULL;
	cleanup_fd int lock = -EBADF;
	sigset_t before;
	int r = parse(&ro, err);

	if (r == 0)
		r = find(eng, word, &ro.service, err);
	if (r == 0)
		r = lock = service_change_lock(eng, ro.service.id, ro.service.name, err);
	if (r >= 0 && how->image)
		r = engine_run_image(eng, &asks, how->image, &image, err);
	cancel_signals(&ro.enders);
	sigprocmask(SIG_BLOCK, &ro.enders, &before);
	if (r >= 0)
		r = service_settle(eng, ro.service.id, err);
	if (r == 0)
		r = choose(&ro, image, err);
	if (r == 0)
		r = roll(&ro, err);
	for (size_t i = 0; i < ro.n; i++)
		free(ro.swaps[i].new_id);
	free(ro.swaps);
	replicas_done(&ro.list);
	service_done(&ro.service);
	/* Which takes effect here. */
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

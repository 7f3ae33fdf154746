/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pod_verbs.h"

#include <signal.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/life.h"
#include "engine/live.h"
#include "engine/pod_join.h"
#include "engine/remove.h"
#include "engine/start.h"

#define REMOVE_TRIES 8

/* The first error stays in err. Returns r, or what came before it. */
static int gather(int before, int r, const struct err *one, struct err *err)
{
	if (r >= 0)
		return before;
	if (before < 0)
		log_warn("%s", one->msg);
	else if (err)
		*err = *one;
	return before < 0 ? before : r;
}

typedef int (*member_fn)(struct engine *eng, const struct record *rec, const void *data,
			 struct err *err);

static int each(struct engine *eng, const struct pod_view *v, member_fn fn, const void *data,
		struct err *err)
{
	int all = 0;

	/* A signal is for all of them. */
	for (size_t i = 0; i < v->n && all != -ECANCELED; i++) {
		struct err one = ERR_INIT;

		all = gather(all, fn(eng, v->members[i], data, &one), &one, err);
	}
	return all;
}

static int start_one(struct engine *eng, const struct record *rec, const void *data,
		     struct err *err)
{
	const struct start_options how = { 0 };

	return rec->paused ? 0 : engine_start(eng, rec->id, &how, err);
}

int pod_start(struct engine *eng, const struct pod_view *v, struct err *err)
{
	int r = each(eng, v, start_one, NULL, err);

	if (r == 0)
		pod_note(eng, &v->pod, "start");
	return r;
}

static int stop_members(struct engine *eng, const struct pod_view *v,
			const struct stop_options *opts, struct err *err)
{
	cleanup_free struct stop *stops = xcalloc(v->n + 1, sizeof(*stops));
	cleanup_free bool *begun = xcalloc(v->n + 1, sizeof(*begun));
	int all = 0;

	for (size_t i = 0; i < v->n; i++) {
		struct err one = ERR_INIT;
		int r;

		stops[i] = (struct stop)STOP_INIT;
		r = stop_begin(eng, v->members[i]->id, opts, &stops[i], &one);
		begun[i] = r == 0;
		/* Its end has removed it. */
		if (one.kind != ERR_NOT_FOUND)
			all = gather(all, r, &one, err);
	}
	for (size_t i = 0; i < v->n; i++) {
		struct err one = ERR_INIT;

		if (begun[i])
			all = gather(all, stop_finish(eng, &stops[i], &one), &one, err);
		stop_done(&stops[i]);
	}
	return all;
}

int pod_stop(struct engine *eng, const struct pod_view *v, const struct stop_options *opts,
	     struct err *err)
{
	int r = stop_members(eng, v, opts, err);

	if (r == 0)
		pod_note(eng, &v->pod, "stop");
	return r;
}

/* Stopping has let one go that was paused. */
static int start_again(struct engine *eng, const struct record *rec, const void *data,
		       struct err *err)
{
	const struct start_options how = { 0 };

	return engine_start(eng, rec->id, &how, err);
}

int pod_restart(struct engine *eng, const struct pod_view *v, struct err *err)
{
	const struct stop_options how = { .keep = true };
	struct err one = ERR_INIT;
	int r = stop_members(eng, v, &how, err);

	/* One of --rm goes on: the others are not to stay stopped for that. */
	r = gather(r, each(eng, v, start_again, NULL, &one), &one, err);
	if (r == 0)
		pod_note(eng, &v->pod, "restart");
	return r;
}

static int kill_one(struct engine *eng, const struct record *rec, const void *data, struct err *err)
{
	return rec->running ? live_kill(eng, rec->id, *(const int *)data, err) : 0;
}

int pod_kill(struct engine *eng, const struct pod_view *v, int signo, struct err *err)
{
	int r = each(eng, v, kill_one, &signo, err);

	if (r == 0)
		pod_note(eng, &v->pod, "kill");
	return r;
}

static int pause_one(struct engine *eng, const struct record *rec, const void *data,
		     struct err *err)
{
	return rec->running && !rec->paused ? live_pause(eng, rec->id, err) : 0;
}

int pod_pause(struct engine *eng, const struct pod_view *v, struct err *err)
{
	int r = each(eng, v, pause_one, NULL, err);

	if (r == 0)
		pod_note(eng, &v->pod, "pause");
	return r;
}

static int unpause_one(struct engine *eng, const struct record *rec, const void *data,
		       struct err *err)
{
	return rec->paused ? live_unpause(eng, rec->id, err) : 0;
}

int pod_unpause(struct engine *eng, const struct pod_view *v, struct err *err)
{
	int r = each(eng, v, unpause_one, NULL, err);

	if (r == 0)
		pod_note(eng, &v->pod, "unpause");
	return r;
}

/* ---- removing ---- */

static int check_ended(const struct pod_view *v, struct err *err)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->members[i]->running)
			return err_hint(err,
					err_fail(err, ERR_CONFLICT,
						 "pod %s has containers that are not ready to be "
						 "removed: container %s is %s",
						 v->pod.name, v->members[i]->name,
						 record_state(v->members[i])),
					"`inro pod rm -f %s` kills them first", v->pod.name);
	return 0;
}

static int remove_one(struct engine *eng, const struct record *rec, const void *data,
		      struct err *err)
{
	struct err one = ERR_INIT;
	int r = engine_remove(eng, rec->id, *(const bool *)data, true, &one);

	if (r >= 0 || one.kind == ERR_NOT_FOUND)
		return 0;
	*err = one;
	return r;
}

/* Whoever is made a member meanwhile needs the lock to be started. Killed in between, this leaves a
 * pod that has nothing. */
static int remove_empty(struct engine *eng, const struct pod *pod, struct err *err)
{
	cleanup_fd int lock = pod_lock(eng, pod->id, err);
	int r;

	if (lock < 0)
		return lock;
	r = pod_check_empty(eng, pod, err);
	if (r == 0)
		r = pod_clear(eng, pod->id, lock, err);
	return r < 0 ? r : pod_delete(eng, pod, err);
}

static int remove_members(struct engine *eng, const struct pod_view *v, bool force,
			  const struct stop_options *opts, struct err *err)
{
	int r = force ? 0 : check_ended(v, err);

	if (r == 0 && force && opts->timed)
		r = stop_members(eng, v, opts, err);
	return r < 0 ? r : each(eng, v, remove_one, &force, err);
}

int pod_remove(struct engine *eng, const struct pod_view *v, bool force,
	       const struct stop_options *opts, struct err *err)
{
	int r = remove_members(eng, v, force, opts, err);

	if (r == 0)
		r = remove_empty(eng, &v->pod, err);
	/* One was added meanwhile. */
	for (int tries = 1; r < 0 && force && err->kind == ERR_CONFLICT && tries < REMOVE_TRIES;
	     tries++) {
		cleanup_pod_views struct pod_views again = { 0 };
		struct err own = ERR_INIT;

		r = pod_view(eng, v->pod.id, &again, &own);
		if (r < 0 && own.kind == ERR_NOT_FOUND)
			return 0;
		if (r == 0)
			r = remove_members(eng, again.items, force, opts, &own);
		if (r == 0)
			r = remove_empty(eng, &v->pod, &own);
		*err = own;
	}
	return r;
}

int pods_prune(struct engine *eng, char ***ret_ids, struct err *err)
{
	const struct stop_options how = { 0 };
	cleanup_pod_views struct pod_views views = { 0 };
	int all = pods_query(eng, NULL, &views, err);

	for (size_t i = 0; i < views.n; i++) {
		struct err one = ERR_INIT;
		int r;

		if (!str_eq(views.items[i].state, "Exited") &&
		    !str_eq(views.items[i].state, "Stopped"))
			continue;
		/* One that is paused has not ended. */
		if (check_ended(&views.items[i], NULL) < 0)
			continue;
		r = pod_remove(eng, &views.items[i], false, &how, &one);
		if (r == 0)
			strv_add(ret_ids, views.items[i].pod.id);
		all = gather(all, r, &one, err);
	}
	return all;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pod_end.h"

#include <signal.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/live.h"
#include "engine/pod_join.h"
#include "engine/remove.h"

#define REMOVE_TRIES 8

struct member {
	const struct record *rec;
	bool begun;
	struct stop stop;
	struct live_killed killed;
	char *removed;  /* its id: it was killed for that */
	struct err err; /* of what it began with */
	int r;
};

struct pod_end {
	const struct pod_view *v;
	const struct pod_end_how *how;
	struct member *members; /* but for the infra container */
	size_t n;
	struct err err; /* nothing was begun */
	int r;
};

int pod_gather(int before, int r, const struct err *one, struct err *err)
{
	if (r >= 0)
		return before;
	if (before < 0)
		log_warn("%s", one->msg);
	else if (err)
		*err = *one;
	return before < 0 ? before : r;
}

int pod_check_ended(const struct pod_view *v, struct err *err)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->members[i]->running && !v->members[i]->options.infra)
			return err_hint(err,
					err_fail(err, ERR_CONFLICT,
						 "pod %s has containers that are not ready to be "
						 "removed: container %s is %s",
						 v->pod.name, v->members[i]->name,
						 record_state(v->members[i])),
					"`inro pod rm -f %s` kills them first", v->pod.name);
	return 0;
}

static bool stops(const struct pod_end_how *how)
{
	return how->kind == POD_END_STOP || (how->kind == POD_END_REMOVE && how->stop.timed);
}

/* ---- the members ---- */

static void begin(struct engine *eng, const struct pod_end_how *how, struct member *m)
{
	const char *id = m->rec->id;

	m->begun = true;
	if (stops(how) && (how->kind == POD_END_STOP || how->force)) {
		m->r = stop_begin(eng, id, &how->stop, &m->stop, &m->err);
	} else if (how->kind == POD_END_KILL) {
		m->begun = m->rec->running;
		if (m->begun)
			m->r = live_kill_begin(eng, id, how->signo, &m->killed, &m->err);
	} else if (how->force) {
		m->removed = engine_remove_begin(eng, id);
	}
}

static int remove_one(struct engine *eng, const struct pod_end_how *how, const struct member *m,
		      struct err *err)
{
	struct err one = ERR_INIT;
	int r = m->removed ? engine_remove_killed(eng, m->removed, true, &one)
			   : engine_remove(eng, m->rec->id, how->force, true, &one);

	if (r >= 0 || one.kind == ERR_NOT_FOUND)
		return 0;
	*err = one;
	return r;
}

static int finish(struct engine *eng, const struct pod_end_how *how, struct member *m,
		  struct err *err)
{
	int r = m->r;

	*err = m->err;
	/* Its end has removed it. */
	if (r < 0)
		return stops(how) && m->err.kind == ERR_NOT_FOUND ? 0 : r;
	if (how->kind == POD_END_KILL)
		return live_kill_finish(eng, &m->killed, err);
	if (stops(how) && (how->kind == POD_END_STOP || how->force))
		r = stop_finish(eng, &m->stop, err);
	return r < 0 || how->kind == POD_END_STOP ? r : remove_one(eng, how, m, err);
}

/* ---- the infra container, behind the others ---- */

static int end_infra(struct engine *eng, const struct pod_end *e, struct err *err)
{
	cleanup_stop struct stop stop = STOP_INIT;
	const struct record *infra = e->v->infra;
	struct err one = ERR_INIT;
	int r = 0;

	if (e->how->kind == POD_END_REMOVE) {
		r = engine_remove_infra(eng, infra->id, &one);
	} else if (e->how->kind == POD_END_STOP) {
		r = stop_begin(eng, infra->id, &e->how->stop, &stop, &one);
		if (r == 0)
			r = stop_finish(eng, &stop, &one);
	} else if (e->how->signo == SIGKILL && infra->running) {
		r = live_kill(eng, infra->id, SIGKILL, &one);
	}
	/* The last of the others has taken it along. */
	if (r >= 0 || one.kind == ERR_NOT_FOUND ||
	    (e->how->kind == POD_END_KILL && one.kind == ERR_CONFLICT))
		return 0;
	*err = one;
	return r;
}

/* ---- the pod ---- */

struct pod_end *pod_end_begin(struct engine *eng, const struct pod_view *v,
			      const struct pod_end_how *how)
{
	struct pod_end *e = xcalloc(1, sizeof(*e));

	*e = (struct pod_end){ .v = v, .how = how };
	e->members = xcalloc(v->n + 1, sizeof(*e->members));
	if (how->kind == POD_END_REMOVE && !how->force)
		e->r = pod_check_ended(v, &e->err);
	for (size_t i = 0; e->r == 0 && i < v->n; i++) {
		struct member *m = &e->members[e->n];

		if (v->members[i] == v->infra)
			continue;
		*m = (struct member){ .rec = v->members[i],
				      .stop = STOP_INIT,
				      .killed = LIVE_KILLED_INIT };
		begin(eng, how, m);
		e->n++;
	}
	return e;
}

void pod_end_free(struct pod_end *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->n; i++) {
		stop_done(&e->members[i].stop);
		live_killed_done(&e->members[i].killed);
		free(e->members[i].removed);
	}
	free(e->members);
	free(e);
}

int pod_remove_empty(struct engine *eng, const struct pod *pod, struct err *err)
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

static int finish_members(struct engine *eng, struct pod_end *e, struct err *err)
{
	struct err one = e->err;
	int r = e->r;

	if (r < 0)
		*err = e->err;
	for (size_t i = 0; i < e->n; i++) {
		one = (struct err)ERR_INIT;
		if (e->members[i].begun)
			r = pod_gather(r, finish(eng, e->how, &e->members[i], &one), &one, err);
	}
	one = (struct err)ERR_INIT;
	/* Where one of the others goes on, which is to be, it stays. */
	if (e->v->infra && (r == 0 || (e->how->kind != POD_END_REMOVE && !e->how->stop.keep)))
		r = pod_gather(r, end_infra(eng, e, &one), &one, err);
	if (r == 0 && e->how->kind == POD_END_REMOVE)
		r = pod_remove_empty(eng, &e->v->pod, err);
	return r;
}

/* One was added meanwhile: once more, with what there is now. */
static int finish_again(struct engine *eng, const struct pod_end *e, struct err *err)
{
	cleanup_pod_views struct pod_views views = { 0 };
	struct err own = ERR_INIT;
	int r = pod_view_as_is(eng, e->v->pod.id, &views, &own);

	if (r < 0 && own.kind == ERR_NOT_FOUND)
		return 0;
	if (r == 0) {
		struct pod_end *again = pod_end_begin(eng, views.items, e->how);

		r = finish_members(eng, again, &own);
		pod_end_free(again);
	}
	*err = own;
	return r;
}

int pod_end_finish(struct engine *eng, struct pod_end *e, struct err *err)
{
	static const char *const notes[] = { "stop", "kill" };
	int r = finish_members(eng, e, err);

	for (int tries = 1; e->how->kind == POD_END_REMOVE && r < 0 && e->how->force &&
			    err->kind == ERR_CONFLICT && tries < REMOVE_TRIES;
	     tries++)
		r = finish_again(eng, e, err);
	if (r == 0 && e->how->kind != POD_END_REMOVE && !e->how->stop.keep)
		pod_note(eng, &e->v->pod, notes[e->how->kind]);
	return r;
}

int pod_end(struct engine *eng, const struct pod_view *v, const struct pod_end_how *how,
	    struct err *err)
{
	struct pod_end *e = pod_end_begin(eng, v, how);
	int r = pod_end_finish(eng, e, err);

	pod_end_free(e);
	return r;
}

void pod_discard(struct engine *eng, const char *id)
{
	const struct pod_end_how how = { .kind = POD_END_REMOVE, .force = true };
	cleanup_pod_views struct pod_views views = { 0 };
	struct err err = ERR_INIT;
	int r = pod_view_as_is(eng, id, &views, &err);

	if (r == 0)
		r = pod_end(eng, views.items, &how, &err);
	if (r < 0)
		log_warn("%s", err.msg);
}

static bool was_started(const struct pod_view *v)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->members[i]->status != RECORD_CREATED)
			return true;
	return false;
}

bool pod_settle(struct engine *eng, const struct pod *pod)
{
	cleanup_fd int lock = pod->options.unfinished ? pod_try_lock(eng, pod->id) : -EBUSY;
	cleanup_pod_views struct pod_views views = { 0 };

	/* Also when its maker is at it. */
	if (lock < 0 || pod_view_as_is(eng, pod->id, &views, NULL) < 0 ||
	    !views.items->pod.options.unfinished)
		return false;
	/* What somebody uses by now is theirs. */
	if (was_started(views.items)) {
		pod_set_finished(eng, pod->id, NULL);
		return false;
	}
	lock = fd_close(lock); /* the removal takes it */
	pod_discard(eng, pod->id);
	return true;
}

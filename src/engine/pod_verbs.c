/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pod_verbs.h"

#include "base/str.h"
#include "base/strv.h"
#include "engine/live.h"
#include "engine/start.h"

typedef int (*member_fn)(struct engine *eng, const struct record *rec, const void *data,
			 struct err *err);

static int each(struct engine *eng, const struct pod_view *v, member_fn fn, const void *data,
		struct err *err)
{
	int all = 0;

	/* A signal is for all of them. */
	for (size_t i = 0; i < v->n && all != -ECANCELED; i++) {
		struct err one = ERR_INIT;

		all = pod_gather(all, fn(eng, v->members[i], data, &one), &one, err);
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

/* Stopping has let one go that was paused. */
static int start_again(struct engine *eng, const struct record *rec, const void *data,
		       struct err *err)
{
	const struct start_options how = { 0 };

	return engine_start(eng, rec->id, &how, err);
}

int pod_restart(struct engine *eng, const struct pod_view *v, struct err *err)
{
	const struct pod_end_how how = { .kind = POD_END_STOP, .stop = { .keep = true } };
	struct err one = ERR_INIT;
	int r = pod_end(eng, v, &how, err);

	/* One of --rm goes on: the others are not to stay stopped for that. */
	r = pod_gather(r, each(eng, v, start_again, NULL, &one), &one, err);
	if (r == 0)
		pod_note(eng, &v->pod, "restart");
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

int pods_prune(struct engine *eng, char ***ret_ids, struct err *err)
{
	const struct pod_end_how how = { .kind = POD_END_REMOVE };
	cleanup_pod_views struct pod_views views = { 0 };
	int all = pods_query(eng, NULL, &views, err);

	for (size_t i = 0; i < views.n; i++) {
		struct err one = ERR_INIT;
		int r;

		if (!str_eq(views.items[i].state, "Exited") &&
		    !str_eq(views.items[i].state, "Stopped"))
			continue;
		/* One that is paused has not ended. */
		if (pod_check_ended(&views.items[i], NULL) < 0)
			continue;
		r = pod_end(eng, &views.items[i], &how, &one);
		if (r == 0)
			strv_add(ret_ids, views.items[i].pod.id);
		all = pod_gather(all, r, &one, err);
	}
	return all;
}

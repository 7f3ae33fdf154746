/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pods_query.h"

#include "base/str.h"
#include "base/strv.h"
#include "engine/containers_query.h"
#include "engine/endpoints.h"
#include "engine/filter.h"
#include "engine/life.h"
#include "engine/live.h"

static const char *const keys[] = { "ctr-ids", "ctr-names", "ctr-number", "ctr-status",
				    "id",      "label",     "name",       "network",
				    "status",  "until",     NULL };
static const char *const states[] = { "created", "degraded", "exited", "paused",
				      "running", "stopped",  NULL };

static void view_done(struct pod_view *v)
{
	pod_done(&v->pod);
	free(v->members);
	strv_free(v->networks);
	strv_free(v->network_ids);
}

void pod_views_done(struct pod_views *views)
{
	for (size_t i = 0; i < views->n; i++)
		view_done(&views->items[i]);
	free(views->items);
	record_list_done(&views->records);
	*views = (struct pod_views){ 0 };
}

/* ---- members ---- */

static const char *state_of(const struct pod_view *v)
{
	size_t running = 0, paused = 0, ended = 0;

	for (size_t i = 0; i < v->n; i++) {
		const struct record *rec = v->members[i];

		paused += rec->paused;
		running += rec->running && !rec->paused;
		ended += rec->status == RECORD_EXITED;
	}
	if (!v->n)
		return "Created";
	if (running)
		return running == v->n ? "Running" : "Degraded";
	if (paused == v->n)
		return "Paused";
	if (ended)
		return ended == v->n ? "Exited" : "Stopped";
	return paused ? "Degraded" : "Created";
}

static void add_members(const struct record_list *records, struct pod_view *v)
{
	v->members = xcalloc(records->n + 1, sizeof(void *));
	for (size_t i = records->n; i > 0; i--)
		if (str_eq(records->items[i - 1].pod, v->pod.id))
			v->members[v->n++] = &records->items[i - 1];
	for (size_t i = 0; i < v->n; i++)
		if (v->members[i]->options.infra)
			v->infra = v->members[i];
	v->state = state_of(v);
}

/* All that belong to pods. */
static int read_members(struct engine *eng, struct record_list *ret, struct err *err)
{
	int r = life_list(eng, ret, err);

	if (r == 0)
		live_see_paused(eng, ret);
	return r;
}

/* ---- conditions ---- */

static bool id_matches(const char *value, const void *data)
{
	return str_starts(((const struct pod_view *)data)->pod.id, value);
}

static bool name_matches(const char *value, const void *data)
{
	return filter_regex_matches(value, ((const struct pod_view *)data)->pod.name);
}

static bool status_matches(const char *value, const void *data)
{
	return strcasecmp(value, ((const struct pod_view *)data)->state) == 0;
}

static bool number_matches(const char *value, const void *data)
{
	uint64_t n;

	return str_parse_u64(value, &n) == 0 && n == ((const struct pod_view *)data)->n;
}

static bool until_matches(const char *value, const void *data)
{
	int64_t ns;

	return filter_time(value, &ns, NULL) == 0 &&
	       ((const struct pod_view *)data)->pod.created_ns < ns;
}

static bool member_id_matches(const char *value, const void *data)
{
	const struct pod_view *v = data;

	for (size_t i = 0; i < v->n; i++)
		if (str_starts(v->members[i]->id, value))
			return true;
	return false;
}

static bool member_name_matches(const char *value, const void *data)
{
	const struct pod_view *v = data;

	for (size_t i = 0; i < v->n; i++)
		if (filter_regex_matches(value, v->members[i]->name))
			return true;
	return false;
}

static bool member_status_matches(const char *value, const void *data)
{
	const struct pod_view *v = data;

	for (size_t i = 0; i < v->n; i++)
		if (str_eq(value, record_state(v->members[i])))
			return true;
	return false;
}

static bool network_matches(const char *value, const void *data)
{
	const struct pod_view *v = data;

	return network_filter_matches(v->networks, v->network_ids, value);
}

static int check_value(const struct filter *f, struct err *err)
{
	cleanup_free char *low = xstrdup(f->value);
	uint64_t n;
	int64_t ns;

	for (char *c = low; *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
	if (str_eq(f->key, "until"))
		return filter_time(f->value, &ns, err);
	if (str_eq(f->key, "status") && !strv_has((char *const *)states, low))
		return err_fail(err, ERR_USAGE, "%s is not a valid pod status", f->value);
	if (str_eq(f->key, "ctr-number") && str_parse_u64(f->value, &n) < 0)
		return err_fail(err, ERR_USAGE,
				"invalid filter \"ctr-number=%s\": expected a number", f->value);
	if (!str_eq(f->key, "name") && !str_eq(f->key, "ctr-names"))
		return 0;
	return filter_regex_check(f, err);
}

static bool meets(const struct filters *f, const struct pod_view *v)
{
	return filters_any(f, "id", id_matches, v) && filters_any(f, "name", name_matches, v) &&
	       filters_any(f, "network", network_matches, v) &&
	       filters_any(f, "status", status_matches, v) &&
	       filters_any(f, "until", until_matches, v) &&
	       filters_any(f, "ctr-ids", member_id_matches, v) &&
	       filters_any(f, "ctr-names", member_name_matches, v) &&
	       filters_any(f, "ctr-number", number_matches, v) &&
	       filters_any(f, "ctr-status", member_status_matches, v) &&
	       filters_labels(f, &v->pod.options.labels);
}

/* ---- both ---- */

static void add_view(struct engine *eng, struct pod_views *views, struct pod *pod,
		     const struct filters *filters)
{
	struct pod_view v = { .pod = *pod };

	*pod = (struct pod){ 0 };
	add_members(&views->records, &v);
	v.networks = endpoint_networks(eng, v.pod.id, &v.network_ids);
	if (filters && !meets(filters, &v)) {
		view_done(&v);
		return;
	}
	views->items = xrealloc(views->items, (views->n + 1) * sizeof(*views->items));
	views->items[views->n++] = v;
}

int pods_query(struct engine *eng, char *const *words, struct pod_views *ret, struct err *err)
{
	cleanup_pod_views struct pod_views views = { 0 };
	cleanup_filters struct filters filters = { 0 };
	cleanup_pod_list struct pod_list list = { 0 };
	int r = filters_parse(words, keys, &filters, err);

	for (size_t i = 0; r == 0 && i < filters.n; i++)
		r = check_value(&filters.items[i], err);
	if (r == 0)
		r = pods_list(eng, &list, err);
	if (r == 0 && list.n)
		r = read_members(eng, &views.records, err);
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		if (pod_settle(eng, &list.items[i]))
			continue;
		add_view(eng, &views, &list.items[i], &filters);
	}
	if (r < 0)
		return r;
	*ret = views;
	views = (struct pod_views){ 0 };
	return 0;
}

int pod_view_as_is(struct engine *eng, const char *word, struct pod_views *ret, struct err *err)
{
	cleanup_pod_views struct pod_views views = { 0 };
	cleanup_pod struct pod pod = { 0 };
	int r = pod_find(eng, word, &pod, err);

	if (r == 0)
		r = read_members(eng, &views.records, err);
	if (r < 0)
		return r;
	add_view(eng, &views, &pod, NULL);
	*ret = views;
	views = (struct pod_views){ 0 };
	return 0;
}

int pod_view(struct engine *eng, const char *word, struct pod_views *ret, struct err *err)
{
	cleanup_pod struct pod pod = { 0 };
	int r = pod_find(eng, word, &pod, err);

	if (r == 0)
		pod_settle(eng, &pod);
	return r < 0 ? r : pod_view_as_is(eng, word, ret, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/volumes_query.h"

#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/filter.h"

static const char *const list_keys[] = { "anonymous", "dangling", "driver", "label", "name",
					 "opt",       "scope",    "until",  NULL };
static const char *const prune_keys[] = { "all", "anonymous", "label", "until", NULL };

#define FIELD(member, key, kind)                                                                   \
	JSON_FIELD(struct volume_inspect, member, key, kind, .flags = JSON_KEEP)
static const struct json_field inspect_fields[] = {
	FIELD(created_at, "CreatedAt", JSON_STR),
	FIELD(driver, "Driver", JSON_STR),
	FIELD(labels, "Labels", JSON_MAP),
	FIELD(mountpoint, "Mountpoint", JSON_STR),
	FIELD(name, "Name", JSON_STR),
	FIELD(options, "Options", JSON_MAP),
	FIELD(scope, "Scope", JSON_STR),
	JSON_FIELD(struct volume_inspect, anonymous, "Anonymous", JSON_BOOL),
};
const struct json_desc volume_inspect_desc = JSON_DESC(struct volume_inspect, inspect_fields);

void volume_inspect_done(struct volume_inspect *vi)
{
	json_free(&volume_inspect_desc, vi);
}

int volume_inspect(struct engine *eng, const char *name, struct volume_inspect *ret,
		   struct err *err)
{
	cleanup_volume struct volume v = { 0 };
	char created[TIME_RFC3339_MAX];
	int r = volume_find(eng, name, &v, err);

	if (r < 0)
		return r;
	/* docker's has whole seconds */
	time_rfc3339(v.created_ns / 1000000000 * 1000000000, created);
	*ret = (struct volume_inspect){
		.created_at = xstrdup(created),
		.driver = xstrdup("local"),
		.labels = v.labels,
		.mountpoint = volume_path(eng, &v),
		.name = v.name,
		.options = v.options,
		.scope = xstrdup("local"),
		.anonymous = v.anonymous,
	};
	if (!ret->mountpoint)
		ret->mountpoint = xstrdup("");
	v = (struct volume){ 0 };
	return 0;
}

/* ---- conditions ---- */

static bool opt_matches(const char *value, const void *data)
{
	const struct json_map *options = data;
	const char *eq = strchr(value, '=');
	cleanup_free char *key = eq ? xstrndup(value, (size_t)(eq - value)) : xstrdup(value);
	const char *have = json_map_get(options, key);

	return have && (!eq || str_eq(have, eq + 1));
}

struct conditions {
	struct filters filters;
	bool dangling_given, dangling, anonymous_given, anonymous;
	int64_t until_ns;
};

static int conditions_parse(char *const *words, const char *const *keys, struct conditions *ret,
			    struct err *err)
{
	int r = filters_parse(words, keys, &ret->filters, err);

	if (r == 0)
		r = filters_bool(&ret->filters, "dangling", &ret->dangling_given, &ret->dangling,
				 err);
	if (r == 0)
		r = filters_bool(&ret->filters, "anonymous", &ret->anonymous_given, &ret->anonymous,
				 err);
	if (r == 0)
		r = filters_until(&ret->filters, &ret->until_ns, err);
	return r < 0 ? r : filters_regex_check(&ret->filters, "name", err);
}

static bool meets(const struct conditions *c, const struct volume *v)
{
	return (!c->dangling_given || c->dangling == (v->uses == 0)) &&
	       (!c->anonymous_given || c->anonymous == v->anonymous) &&
	       v->created_ns < c->until_ns && filters_labels(&c->filters, &v->labels) &&
	       filters_any(&c->filters, "name", filter_regex_matches, v->name) &&
	       filters_any(&c->filters, "driver", filter_is_word, "local") &&
	       filters_any(&c->filters, "scope", filter_is_word, "local") &&
	       filters_any(&c->filters, "opt", opt_matches, &v->options);
}

static int query(struct engine *eng, const struct conditions *c, struct volume_list *ret,
		 struct err *err)
{
	size_t k = 0;
	int r = volumes_list(eng, ret, err);

	for (size_t i = 0; i < ret->n; i++) {
		if (meets(c, &ret->items[i]))
			ret->items[k++] = ret->items[i];
		else
			volume_done(&ret->items[i]);
	}
	ret->n = k;
	return r;
}

int volumes_query(struct engine *eng, char *const *filters, struct volume_list *ret,
		  struct err *err)
{
	struct conditions c = { 0 };
	int r = conditions_parse(filters, list_keys, &c, err);

	if (r == 0)
		r = query(eng, &c, ret, err);
	filters_done(&c.filters);
	return r;
}

/* 1: it has gone. */
static int prune_one(struct engine *eng, const struct volume *v, uint64_t *ret_freed,
		     struct err *err)
{
	struct err own = ERR_INIT;
	uint64_t size = volume_size(eng, v);
	int r = volume_remove(eng, v->name, &own);

	/* in use again, or removed by somebody else meanwhile */
	if (r < 0 && (own.kind == ERR_CONFLICT || own.kind == ERR_NOT_FOUND))
		return 0;
	if (r < 0 && err)
		*err = own;
	if (r == 0)
		*ret_freed += size;
	return r < 0 ? r : 1;
}

int volumes_prune(struct engine *eng, bool all, char *const *filters, char ***ret_names,
		  uint64_t *ret_freed, struct err *err)
{
	cleanup_volume_list struct volume_list list = { 0 };
	struct conditions c = { 0 };
	bool given = false, value = false;
	int r = conditions_parse(filters, prune_keys, &c, err);

	if (r == 0)
		r = filters_bool(&c.filters, "all", &given, &value, err);
	if (r == 0)
		r = query(eng, &c, &list, err);
	all = all || value || c.anonymous_given;
	filters_done(&c.filters);
	/* One that can't be removed does not keep the others. */
	for (size_t i = 0; i < list.n; i++) {
		struct err own = ERR_INIT;

		if (list.items[i].uses || (!all && !list.items[i].anonymous))
			continue;
		int gone = prune_one(eng, &list.items[i], ret_freed, &own);
		if (gone > 0)
			strv_add(ret_names, list.items[i].name);
		if (gone < 0 && r == 0) {
			r = gone;
			*err = own;
		}
	}
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_query.h"

#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/filter.h"
#include "engine/networks_internal.h"
#include "engine/pod_end.h"
#include "engine/remove.h"

static const char *const list_keys[] = { "dangling", "driver", "id",    "label", "name",
					 "scope",    "type",   "until", NULL };
static const char *const prune_keys[] = { "label", "until", NULL };

/* ---- conditions ---- */

static bool begins(const char *value, const void *data)
{
	return str_starts(data, value);
}

struct conditions {
	struct filters filters;
	bool dangling_given, dangling;
	int64_t until_ns;
};

static int type_check(const struct filter *f, struct err *err)
{
	if (!str_eq(f->key, "type") || str_eq(f->value, "custom") || str_eq(f->value, "builtin"))
		return 0;
	return err_fail(err, ERR_USAGE, "invalid filter \"type=%s\": expected custom or builtin",
			f->value);
}

static int conditions_parse(char *const *words, const char *const *keys, struct conditions *ret,
			    struct err *err)
{
	int r = filters_parse(words, keys, &ret->filters, err);

	if (r == 0)
		r = filters_bool(&ret->filters, "dangling", &ret->dangling_given, &ret->dangling,
				 err);
	if (r == 0)
		r = filters_until(&ret->filters, &ret->until_ns, err);
	if (r == 0)
		r = filters_regex_check(&ret->filters, "name", err);
	for (size_t i = 0; r == 0 && i < ret->filters.n; i++)
		r = type_check(&ret->filters.items[i], err);
	return r;
}

static bool meets(const struct conditions *c, const struct network *net)
{
	bool builtin = network_is_default(net), dangling = !builtin && net->uses == 0;

	return (!c->dangling_given || c->dangling == dangling) && net->created_ns < c->until_ns &&
	       filters_labels(&c->filters, &net->labels) &&
	       filters_any(&c->filters, "name", filter_regex_matches, net->name) &&
	       filters_any(&c->filters, "id", begins, net->id) &&
	       filters_any(&c->filters, "driver", filter_is_word,
			   network_driver_names[net->driver]) &&
	       filters_any(&c->filters, "scope", filter_is_word, "local") &&
	       filters_any(&c->filters, "type", filter_is_word, builtin ? "builtin" : "custom");
}

static int query(struct engine *eng, const struct conditions *c, struct network_list *ret,
		 struct err *err)
{
	size_t k = 0;
	int r = networks_list(eng, ret, err);

	for (size_t i = 0; i < ret->n; i++) {
		if (meets(c, &ret->items[i]))
			ret->items[k++] = ret->items[i];
		else
			network_done(&ret->items[i]);
	}
	ret->n = k;
	return r;
}

static void show_default(struct engine *eng)
{
	cleanup_network struct network net = { 0 };
	struct err err = ERR_INIT;

	if (network_find(eng, NETWORK_DEFAULT, &net, &err) < 0)
		log_debug("%s", err.msg);
}

int networks_query(struct engine *eng, char *const *filters, struct network_list *ret,
		   struct err *err)
{
	struct conditions c = { 0 };
	int r = conditions_parse(filters, list_keys, &c, err);

	if (r == 0) {
		show_default(eng);
		r = query(eng, &c, ret, err);
	}
	filters_done(&c.filters);
	return r;
}

/* ---- removing ---- */

int networks_prune(struct engine *eng, char *const *filters, char ***ret_names, struct err *err)
{
	cleanup_network_list struct network_list list = { 0 };
	struct conditions c = { 0 };
	int r = conditions_parse(filters, prune_keys, &c, err);

	if (r == 0)
		r = query(eng, &c, &list, err);
	filters_done(&c.filters);
	/* One that can't be removed does not keep the others. */
	for (size_t i = 0; i < list.n; i++) {
		struct err one = ERR_INIT;
		int gone;

		if (list.items[i].uses || network_is_default(&list.items[i]))
			continue;
		gone = network_remove(eng, &list.items[i], &one);
		if (gone == 0)
			strv_add(ret_names, list.items[i].name);
		/* in use again, or removed by somebody else meanwhile */
		else if (one.kind != ERR_CONFLICT && one.kind != ERR_NOT_FOUND)
			r = pod_gather(r, gone, &one, err);
	}
	return r;
}

static int remove_user(struct engine *eng, const char *id, struct err *err)
{
	const struct pod_end_how how = { .kind = POD_END_REMOVE, .force = true };
	cleanup_pod_views struct pod_views views = { 0 };
	struct err one = ERR_INIT;
	int r = engine_remove(eng, id, true, false, &one);

	if (r < 0 && one.kind == ERR_NOT_FOUND) {
		r = pod_view(eng, id, &views, &one);
		if (r == 0)
			r = pod_end(eng, views.items, &how, &one);
	}
	if (r < 0 && one.kind != ERR_NOT_FOUND) {
		*err = one;
		return r;
	}
	return 0;
}

int network_rm(struct engine *eng, const char *word, bool force, struct err *err)
{
	cleanup_network struct network net = { 0 };
	cleanup_strv char **users = NULL;
	int r = network_find(eng, word, &net, err);

	if (r < 0)
		return r;
	if (network_is_default(&net))
		return err_fail(err, ERR_DENIED,
				"%s is a pre-defined network and cannot be removed", net.name);
	if (force)
		r = network_users(eng, net.id, &users, err);
	for (size_t i = 0; r == 0 && users && users[i]; i++)
		r = remove_user(eng, users[i], err);
	return r < 0 ? r : network_remove(eng, &net, err);
}

int networks_reset(struct engine *eng, struct err *err)
{
	cleanup_network_list struct network_list list = { 0 };
	int r = networks_list(eng, &list, err);

	for (size_t i = 0; i < list.n; i++) {
		struct err one = ERR_INIT;
		int gone = network_remove(eng, &list.items[i], &one);

		if (gone < 0 && one.kind != ERR_NOT_FOUND)
			r = pod_gather(r, gone, &one, err);
	}
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/images_query.h"

#include <fnmatch.h>

#include "base/str.h"
#include "base/strv.h"
#include "engine/record.h"
#include "engine/mapped.h"
#include "oci/reference.h"

static const char *const list_keys[] = { "after",    "before",   "containers",   "dangling",
					 "digest",   "id",       "intermediate", "label",
					 "manifest", "readonly", "reference",    "since",
					 "until",    NULL };
static const char *const prune_keys[] = { "dangling", "label", "until", NULL };

/* What the filters mean, looked up once. */
struct conditions {
	struct engine *eng;
	const struct filters *filters;
	struct truth {
		bool given, value;
	} dangling, containers, manifest, never; /* never: intermediate or readonly */
	int64_t before_ns, since_ns;             /* 0: none */
	bool labels;
	char **used; /* ids of images with containers */
};

static int read_truth(const struct filters *filters, const char *key, struct truth *ret,
		      struct err *err)
{
	return filters_bool(filters, key, &ret->given, &ret->value, err);
}

/* The earliest or latest of what is given. */
static int read_times(struct conditions *c, struct err *err)
{
	for (size_t i = 0; i < c->filters->n; i++) {
		const struct filter *f = &c->filters->items[i];
		bool until = str_eq(f->key, "until"), before = str_eq(f->key, "before");
		cleanup_image_row struct image_row row = { 0 };
		int64_t ns = 0;
		int r = 0;

		if (!until && !before && !str_eq(f->key, "since") && !str_eq(f->key, "after"))
			continue;
		if (until) {
			r = filter_time(f->value, &ns, err);
		} else {
			r = images_find(c->eng, f->value, &row, err);
			ns = row.created_ns;
		}
		if (r < 0)
			return r;
		if ((until || before) && (!c->before_ns || ns < c->before_ns))
			c->before_ns = ns;
		else if (!until && !before && (!c->since_ns || ns > c->since_ns))
			c->since_ns = ns;
	}
	return 0;
}

static int read_used(struct conditions *c, struct err *err)
{
	cleanup_record_list struct record_list records = { 0 };
	int r = record_list(c->eng, NULL, &records, err);

	for (size_t i = 0; r == 0 && i < records.n; i++)
		strv_add(&c->used, records.items[i].image);
	return r;
}

static int conditions_init(struct conditions *c, struct engine *eng, const struct filters *filters,
			   struct err *err)
{
	struct truth other = { 0 };
	int r;

	*c = (struct conditions){ .eng = eng, .filters = filters };
	c->labels = filters_have(filters, "label");
	r = read_truth(filters, "dangling", &c->dangling, err);
	if (r == 0)
		r = read_truth(filters, "containers", &c->containers, err);
	if (r == 0)
		r = read_truth(filters, "manifest", &c->manifest, err);
	if (r == 0)
		r = read_truth(filters, "intermediate", &c->never, err);
	if (r == 0)
		r = read_truth(filters, "readonly", &other, err);
	c->never.value = c->never.value || other.value;
	if (r == 0)
		r = read_times(c, err);
	if (r == 0 && c->containers.given)
		r = read_used(c, err);
	return r;
}

static bool id_matches(const char *value, const void *data)
{
	const char *id = data, *hex = str_after(id, "sha256:");

	return str_starts(id, value) || (hex && str_starts(hex, value));
}

static bool digest_matches(const char *value, const void *data)
{
	const struct image_row *row = data;

	if (str_eq(row->manifest, value))
		return true;
	for (size_t i = 0; row->repo_digests && row->repo_digests[i]; i++)
		if (str_ends(row->repo_digests[i], value))
			return true;
	return false;
}

static bool is(const struct truth *t, bool fact)
{
	return !t->given || t->value == fact;
}

int images_labels(struct engine *eng, const struct image_row *row, struct json_map *ret,
		  struct err *err)
{
	cleanup_image_config struct oci_image_config config = { 0 };
	int r;

	if (row->kind != IMAGE_KIND_IMAGE)
		return 0;
	r = engine_store(eng, err);
	if (r == 0)
		r = image_read_config(&eng->store, row->id, &config, err);
	if (r == 0 && config.config) {
		*ret = config.config->labels;
		config.config->labels = (struct json_map){ .n = 0 };
	}
	return r;
}

static void labels_done(struct json_map *map)
{
	for (size_t i = 0; i < map->n; i++) {
		free(map->items[i].key);
		free(map->items[i].value);
	}
	free(map->items);
}

/* 1, 0, or -errno. */
static int meets(const struct conditions *c, const struct image_row *row, struct err *err)
{
	struct json_map labels = { .n = 0 };
	int r;

	if (c->never.value || !is(&c->dangling, strv_len(row->names) == 0) ||
	    !is(&c->manifest, row->kind == IMAGE_KIND_LIST) ||
	    !is(&c->containers, strv_has(c->used, row->id)) ||
	    (c->before_ns && row->created_ns >= c->before_ns) ||
	    (c->since_ns && row->created_ns <= c->since_ns) ||
	    !filters_any(c->filters, "id", id_matches, row->id) ||
	    !filters_any(c->filters, "digest", digest_matches, row))
		return 0;
	if (!c->labels)
		return 1;
	r = images_labels(c->eng, row, &labels, err);
	if (r == 0)
		r = filters_labels(c->filters, &labels);
	labels_done(&labels);
	return r;
}

/* Against what is shown: "busybox:latest", or "busybox". */
static bool glob_matches(const char *glob, const void *data)
{
	const struct reference *ref = data;
	cleanup_free char *shown = reference_familiar(ref);
	cleanup_free char *repository = reference_familiar_repository(ref);
	cleanup_free char *whole = reference_format(ref);
	cleanup_free char *whole_repository = reference_repository(ref);
	const char *words[] = { shown, repository, whole, whole_repository };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (fnmatch(glob, words[i], FNM_PATHNAME) == 0)
			return true;
	return false;
}

/* Keeps the names that match; false when none does. */
static bool keep_names(struct image_row *row, const struct filters *filters, const char *glob)
{
	size_t k = 0;

	for (size_t i = 0; row->names && row->names[i]; i++) {
		cleanup_reference struct reference ref = { 0 };

		if (reference_parse(row->names[i], &ref, NULL) == 0 &&
		    filters_any(filters, "reference", glob_matches, &ref) &&
		    (!glob || glob_matches(glob, &ref)))
			row->names[k++] = row->names[i];
		else
			free(row->names[i]);
	}
	if (row->names)
		row->names[k] = NULL;
	return k > 0;
}

static int apply(struct conditions *c, const char *glob, struct image_rows *rows, struct err *err)
{
	bool by_name = glob || filters_have(c->filters, "reference");
	size_t k = 0;
	int r = 0;

	for (size_t i = 0; i < rows->n; i++) {
		int keep = r < 0 ? 0 : meets(c, &rows->items[i], err);

		r = keep < 0 ? keep : r;
		if (keep > 0 && by_name)
			keep = keep_names(&rows->items[i], c->filters, glob);
		if (keep > 0)
			rows->items[k++] = rows->items[i];
		else
			image_row_done(&rows->items[i]);
	}
	rows->n = k;
	return r;
}

/* They have verbs of their own. */
static void leave_artifacts_out(struct image_rows *rows)
{
	size_t k = 0;

	for (size_t i = 0; i < rows->n; i++) {
		if (rows->items[i].kind == IMAGE_KIND_ARTIFACT)
			image_row_done(&rows->items[i]);
		else
			rows->items[k++] = rows->items[i];
	}
	rows->n = k;
}

static int query(struct engine *eng, const struct images_query *q, const char *const *keys,
		 struct image_rows *ret, struct err *err)
{
	bool glob = q->name && strpbrk(q->name, "*?[");
	cleanup_image_rows struct image_rows rows = { 0 };
	cleanup_filters struct filters filters = { 0 };
	struct conditions c = { 0 };
	int r;

	r = filters_parse(q->filters, keys, &filters, err);
	if (r == 0)
		r = images_list_brief(eng, glob ? NULL : q->name, !q->ids_only || filters.n || glob,
				      &rows, err);
	if (!q->artifacts)
		leave_artifacts_out(&rows);
	if (r == 0)
		r = conditions_init(&c, eng, &filters, err);
	if (r == 0 && (filters.n || glob))
		r = apply(&c, glob ? q->name : NULL, &rows, err);
	strv_free(c.used);
	if (r < 0)
		return r;
	*ret = rows;
	rows = (struct image_rows){ 0 };
	return 0;
}

int images_query(struct engine *eng, const struct images_query *q, struct image_rows *ret,
		 struct err *err)
{
	return query(eng, q, list_keys, ret, err);
}

/* The lines of rmi, as prune has them. */
static void add_lines(char **from, char ***to)
{
	for (size_t i = 0; from && from[i]; i++) {
		from[i][0] = (char)(from[i][0] | 0x20);
		strv_add(to, from[i]);
	}
}

int images_prune(struct engine *eng, bool all, char *const *filters, char ***ret_lines,
		 uint64_t *ret_freed, struct err *err)
{
	const struct images_query q = { .filters = filters, .artifacts = true };
	cleanup_image_rows struct image_rows rows = { 0 };
	cleanup_filters struct filters parsed = { 0 };
	struct conditions c = { .eng = eng };
	struct truth dangling = { 0 };
	int r;

	r = query(eng, &q, prune_keys, &rows, err);
	if (r == 0)
		r = filters_parse(filters, prune_keys, &parsed, err);
	if (r == 0)
		r = read_truth(&parsed, "dangling", &dangling, err);
	if (r == 0)
		r = read_used(&c, err);
	if (dangling.given)
		all = !dangling.value;
	for (size_t i = 0; r == 0 && i < rows.n; i++) {
		/* an artifact with a name isn't unused because no container has it */
		bool nameless = !all || rows.items[i].kind == IMAGE_KIND_ARTIFACT;
		const struct images_condition when = { .nameless = nameless };
		cleanup_strv char **lines = NULL;
		struct err one = ERR_INIT;

		if (strv_has(c.used, rows.items[i].id) ||
		    (nameless && strv_len(rows.items[i].names)))
			continue;
		/* a container or a name may have come meanwhile, and then the image stays */
		r = images_remove_unused(eng, rows.items[i].id, &when, &lines, &one);
		if (r < 0 && one.kind != ERR_CONFLICT && one.kind != ERR_NOT_FOUND)
			*err = one;
		else
			r = 0;
		add_lines(lines, ret_lines);
	}
	strv_free(c.used);
	if (r == 0)
		r = images_collect(eng, ret_freed, err);
	/* Downloads that were broken off: the next pull would go on with them. */
	if (r == 0)
		*ret_freed += image_partials_remove(&eng->store);
	if (r == 0 && !strv_len(filters))
		r = mapped_prune(eng, ret_freed, err);
	return r;
}

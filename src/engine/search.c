/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/search.h"

#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/config.h"

#define HUB "docker.io"

/* ---- documents ---- */

struct found {
	char *name, *description;
	int64_t stars;
	bool official, automated;
};
static const struct json_field found_fields[] = {
	JSON_FIELD(struct found, name, "name", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct found, description, "description", JSON_STR),
	JSON_FIELD(struct found, stars, "star_count", JSON_I64),
	JSON_FIELD(struct found, official, "is_official", JSON_BOOL),
	JSON_FIELD(struct found, automated, "is_automated", JSON_BOOL),
};
static const struct json_desc found_desc = JSON_DESC(struct found, found_fields);

struct answer {
	JSON_LIST(struct found) results;
};
static const struct json_field answer_fields[] = {
	JSON_FIELD(struct answer, results, "results", JSON_ARRAY, .desc = &found_desc),
};
static const struct json_desc answer_desc = JSON_DESC(struct answer, answer_fields);

struct tags {
	char **tags;
};
static const struct json_field tags_fields[] = {
	JSON_FIELD(struct tags, tags, "tags", JSON_STRV),
};
static const struct json_desc tags_desc = JSON_DESC(struct tags, tags_fields);

void search_results_done(struct search_results *results)
{
	for (size_t i = 0; i < results->n; i++) {
		free(results->items[i].name);
		free(results->items[i].description);
		free(results->items[i].registry);
	}
	free(results->items);
	*results = (struct search_results){ 0 };
}

/* ---- questions ---- */

static int ask(struct engine *eng, struct registry_conn *conn,
	       const struct registry_endpoints *endpoints, struct registry_request *req,
	       struct buf *doc, struct err *err)
{
	int r = conn->fd < 0 ? registries_start(eng, conn, err) : 0;

	if (r < 0)
		return r;
	req->endpoints.items = endpoints->items;
	req->endpoints.n = endpoints->n;
	return registry_fetch(conn, req, doc, NULL, err);
}

/* The texts come from the network and go to a terminal. */
static void add(struct search_results *to, const char *registry, const struct answer *from)
{
	for (size_t i = 0; i < from->results.n; i++) {
		const struct found *f = &from->results.items[i];
		bool hub = str_eq(registry, HUB);
		struct search_result r = {
			.name = hub ? xstrdup(f->name) : xasprintf("%s/%s", registry, f->name),
			.description = xstrdup(f->description ? f->description : ""),
			.stars = f->stars,
			.official = f->official,
			.automated = f->automated,
			.registry = xstrdup(registry),
		};

		str_mask_controls(r.name, "");
		str_mask_controls(r.description, "");
		to->items = xrealloc(to->items, (to->n + 1) * sizeof(*to->items));
		to->items[to->n++] = r;
	}
}

static int search_one(struct engine *eng, struct registry_conn *conn, const char *registry,
		      const char *word, const struct registry_access *access, uint64_t limit,
		      struct search_results *to, struct err *err)
{
	cleanup_endpoints struct registry_endpoints endpoints = { 0 };
	cleanup_free char *text = xstrdup(word);
	struct registry_request req = { .op = REGISTRY_SEARCH, .text = text, .limit = limit };
	cleanup_buf struct buf doc = BUF_INIT;
	struct answer answer = { 0 };
	int r;

	r = registries_registry(eng, registry, access, &endpoints, err);
	if (r == 0)
		r = ask(eng, conn, &endpoints, &req, &doc, err);
	if (r == 0)
		r = json_parse(&answer_desc, &answer, buf_str(&doc), doc.len, "answer", err);
	if (r < 0)
		return err_wrap(err, r, "searching %s", registry);
	add(to, registry, &answer);
	json_free(&answer_desc, &answer);
	return 0;
}

static int search_all(struct engine *eng, struct registry_conn *conn, const char *word,
		      const struct registry_access *access, uint64_t limit,
		      struct search_results *to, struct err *err)
{
	const struct config *config;
	size_t n, failed = 0;
	int r = config_get(eng, &config, err);

	if (r < 0)
		return r;
	n = strv_len(config->image.short_names);
	for (size_t i = 0; i < n; i++) {
		const char *name = config->image.short_names[i];
		cleanup_free char *host = xstrndup(name, strcspn(name, "/"));
		struct err one = ERR_INIT;

		r = search_one(eng, conn, host, word, access, limit, to, &one);
		if (r == 0)
			continue;
		failed++;
		if (failed == n) {
			*err = one;
			return r;
		}
		log_warn("%s", one.msg);
	}
	return 0;
}

int search(struct engine *eng, const char *term, const struct registry_access *access,
	   uint64_t limit, struct search_results *ret, struct err *err)
{
	cleanup_registry struct registry_conn conn = REGISTRY_CONN_INIT;
	struct search_results results = { 0 };
	int r;

	if (reference_has_domain(term)) {
		const char *slash = strchr(term, '/');
		cleanup_free char *registry = xstrndup(term, (size_t)(slash - term));
		r = search_one(eng, &conn, registry, slash + 1, access, limit, &results, err);
	} else {
		r = search_all(eng, &conn, term, access, limit, &results, err);
	}
	if (r < 0)
		search_results_done(&results);
	else
		*ret = results;
	return r;
}

int search_tags(struct engine *eng, const struct reference *ref,
		const struct registry_access *access, uint64_t limit, char ***ret, struct err *err)
{
	cleanup_registry struct registry_conn conn = REGISTRY_CONN_INIT;
	cleanup_endpoints struct registry_endpoints endpoints = { 0 };
	struct registry_request req = { .op = REGISTRY_TAGS, .limit = limit };
	cleanup_buf struct buf doc = BUF_INIT;
	struct tags tags = { 0 };
	int r;

	r = registries_resolve(eng, ref, false, access, &endpoints, err);
	if (r == 0)
		r = ask(eng, &conn, &endpoints, &req, &doc, err);
	if (r == 0)
		r = json_parse(&tags_desc, &tags, buf_str(&doc), doc.len, "list of tags", err);
	if (r < 0)
		return r;
	for (size_t i = 0; tags.tags && tags.tags[i]; i++)
		str_mask_controls(tags.tags[i], "");
	*ret = tags.tags;
	return 0;
}

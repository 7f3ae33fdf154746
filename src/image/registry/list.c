/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists that come in pages (distribution-spec, Content Discovery): tags, repositories, referrers;
 * and search, which is no part of the specification. A list that does not end, pages that lead to
 * another host and names that are none are the registry's word and get nowhere.
 */
#include <ctype.h>
#include <strings.h>

#include "base/str.h"
#include "base/strv.h"
#include "image/registry/call.h"
#include "oci/digest.h"
#include "oci/image.h"
#include "oci/reference.h"

#define PAGE_SIZE  1000
#define PAGES_MAX  2000
#define SEARCH_MAX 100

/* ---- pages ---- */

struct pages {
	struct job *job;
	const char *scopes, *accept;
	/* Takes a page in: 1: enough, 0, or -errno. */
	int (*take)(void *arg, const struct http_reply *reply, struct err *err);
	void *arg;
	size_t bytes; /* of all so far */
};

static int pages_get(struct pages *p, struct call *call, char *target, struct err *err)
{
	call_init(call, "GET", target);
	call->scopes = p->scopes ? xstrdup(p->scopes) : NULL;
	call->x.limit = REGISTRY_DOC_MAX;
	call_header(call, "Accept: %s", p->accept ? p->accept : "application/json");
	return call_run(p->job, call, err);
}

/* The address of the page behind this one, NULL: there is none. */
static int pages_next(struct pages *p, const struct call *call, char **ret, struct err *err)
{
	const char *link = call->x.reply.headers[HEADER_LINK];
	cleanup_free char *target = NULL;
	cleanup_url struct url url = { NULL };

	*ret = NULL;
	if (!link)
		return 0;
	int r = link_next(link, &target);
	if (r == 0)
		return 0;
	if (r == 1)
		r = url_resolve(&call->url, target, &url, err);
	if (r < 0)
		return err_fail(err, ERR_INVALID,
				"the address of the next page is not well-formed");
	if (!url_same_origin(&url, &call->url))
		return err_fail(err, ERR_DENIED, "the next page is said to be on another host, %s",
				url.host);
	if (str_eq(url.text, call->url.text))
		return err_fail(err, ERR_INVALID, "the next page is said to be the same one");
	*ret = take_ptr(url.text);
	return 0;
}

/* first is taken over. 0, or the status of the first page in *ret_status when it is no success. */
static int pages_run(struct pages *p, char *first, int *ret_status, struct err *err)
{
	char *target = first;
	int r = 0;

	for (int n = 0; target && r == 0; n++) {
		struct call call;
		char *next = NULL;
		r = pages_get(p, &call, target, err);
		int status = call.x.reply.status;
		p->bytes += call.x.reply.body.len;
		if (r == 0 && status != 200) {
			if (n == 0 && ret_status)
				*ret_status = status;
			r = call_error(p->job, &call, err);
		} else if (r == 0 && (n == PAGES_MAX || p->bytes > REGISTRY_LIST_MAX)) {
			r = err_fail(err, ERR_LIMIT, "the list does not end");
		} else if (r == 0) {
			r = p->take(p->arg, &call.x.reply, err);
			if (r == 0)
				r = pages_next(p, &call, &next, err);
		}
		call_done(&call);
		target = next;
	}
	return r < 0 ? r : 0;
}

/* ---- names: tags and repositories ---- */

struct names {
	char *name;
	char **items;
};

static const struct json_field tags_fields[] = {
	JSON_FIELD(struct names, name, "name", JSON_STR),
	JSON_FIELD(struct names, items, "tags", JSON_STRV, .flags = JSON_KEEP),
};
static const struct json_desc tags_desc = JSON_DESC(struct names, tags_fields);
static const struct json_field catalog_fields[] = {
	JSON_FIELD(struct names, items, "repositories", JSON_STRV, .flags = JSON_KEEP),
};
static const struct json_desc catalog_desc = JSON_DESC(struct names, catalog_fields);

struct list {
	const struct json_desc *desc;
	bool (*valid)(const char *name);
	const char *having; /* only those, NULL: all */
	struct names all;
	size_t n, room; /* of all.items */
	uint64_t limit;
};

static bool repository_shown(const char *name)
{
	return name[0] && strlen(name) <= REFERENCE_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-/") == strlen(name);
}

/* strv_add() would look for the end each time. */
static void list_add(struct list *l, char **name)
{
	if (l->n + 2 > l->room) {
		l->room = l->room ? l->room * 2 : 64;
		l->all.items = xrealloc(l->all.items, l->room * sizeof(*l->all.items));
	}
	l->all.items[l->n++] = take_ptr(*name);
	l->all.items[l->n] = NULL;
}

static int list_take(void *arg, const struct http_reply *reply, struct err *err)
{
	struct list *l = arg;
	struct names page = { NULL };

	int r = json_parse(l->desc, &page, buf_str(&reply->body), reply->body.len, "list", err);
	if (r < 0)
		return r;
	for (char **name = page.items; name && *name && l->n < l->limit; name++)
		if (l->valid(*name) && (!l->having || strcasestr(*name, l->having)))
			list_add(l, name);
		else
			free(take_ptr(*name));
	/* What was taken over or freed left holes. */
	free(take_ptr(page.items));
	json_free(l->desc, &page);
	return l->n >= l->limit;
}

static uint64_t list_limit(const struct job *job, uint64_t max)
{
	return job->req.limit > 0 && job->req.limit < max ? job->req.limit : max;
}

static char *list_path(const char *base, uint64_t limit, const char *last)
{
	cleanup_free char *path =
	    xasprintf("%s?n=%u", base, limit < PAGE_SIZE ? (unsigned int)limit : PAGE_SIZE);

	return last ? url_add_query(path, "last", last) : take_ptr(path);
}

static int list_write(struct job *job, const struct json_desc *desc, const void *object,
		      struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	json_write(desc, object, 0, &text);
	job->answer.size = text.len;
	return job_write(job, buf_str(&text), text.len, err);
}

static void list_done(struct list *l)
{
	free(l->all.name);
	strv_free(l->all.items);
}

int op_tags(struct job *job, struct err *err)
{
	struct list l = { .desc = &tags_desc, .valid = reference_tag_valid };
	cleanup_free char *scopes = call_scope(job->ep->repository, "pull");
	cleanup_free char *base = xasprintf("/v2/%s/tags/list", job->ep->repository);
	struct pages p = { .job = job, .scopes = scopes, .take = list_take, .arg = &l };

	l.limit = list_limit(job, REGISTRY_NAMES_MAX);
	int r = pages_run(&p, list_path(base, l.limit, job->req.text), NULL, err);
	l.all.name = xstrdup(job->ep->repository);
	if (r == 0)
		r = list_write(job, l.desc, &l.all, err);
	list_done(&l);
	return r;
}

static int catalog(struct job *job, struct list *l, struct err *err)
{
	struct pages p = {
		.job = job, .scopes = "registry:catalog:*", .take = list_take, .arg = l
	};

	l->desc = &catalog_desc;
	l->valid = repository_shown;
	int r = pages_run(&p, list_path("/v2/_catalog", PAGE_SIZE, NULL), NULL, err);
	return r == -ENOENT ? err_hint(err, r, "this registry does not list its repositories") : r;
}

int op_catalog(struct job *job, struct err *err)
{
	struct list l = { .limit = list_limit(job, REGISTRY_NAMES_MAX) };

	int r = catalog(job, &l, err);
	if (r == 0)
		r = list_write(job, l.desc, &l.all, err);
	list_done(&l);
	return r;
}

/* ---- referrers ---- */

struct referrers {
	struct oci_index all;
	const char *artifact_type;
};

static void referrers_add(struct referrers *refs, struct oci_descriptor *d)
{
	size_t n = refs->all.manifests.n++;

	refs->all.manifests.items =
	    xrealloc(refs->all.manifests.items, (n + 1) * sizeof(*refs->all.manifests.items));
	refs->all.manifests.items[n] = *d;
	memset(d, 0, sizeof(*d));
}

static int referrers_take(void *arg, const struct http_reply *reply, struct err *err)
{
	struct referrers *refs = arg;
	cleanup_index struct oci_index page = { 0 };

	int r = oci_index_parse(buf_str(&reply->body), reply->body.len, &page, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < page.manifests.n; i++) {
		struct oci_descriptor *d = &page.manifests.items[i];
		/* Filtering is something that a registry may leave to us. */
		if (refs->artifact_type && !str_eq(d->artifact_type, refs->artifact_type))
			continue;
		if (refs->all.manifests.n == OCI_MANIFESTS_MAX)
			return err_fail(err, ERR_LIMIT, "more than %d referrers",
					OCI_MANIFESTS_MAX);
		referrers_add(refs, d);
	}
	return 0;
}

/* "sha256-<hex>", of which a tag has at most 64 characters (Referrers Tag Schema). */
static char *referrers_tag(const char *digest)
{
	const char *hex = digest_hex(digest);

	return xasprintf("%.*s-%.64s", (int)(hex - 1 - digest), digest, hex);
}

int op_referrers(struct job *job, struct err *err)
{
	const struct registry_request *req = &job->req;
	struct referrers refs = { .artifact_type = req->artifact_type };
	cleanup_free char *scopes = call_scope(job->ep->repository, "pull");
	cleanup_free char *path =
	    xasprintf("/v2/%s/referrers/%s", job->ep->repository, req->digest);
	struct pages p = { .job = job,
			   .scopes = scopes,
			   .accept = OCI_MEDIA_INDEX,
			   .take = referrers_take,
			   .arg = &refs };
	int status = 0;

	int r =
	    pages_run(&p,
		      req->artifact_type ? url_add_query(path, "artifactType", req->artifact_type)
					 : xstrdup(path),
		      &status, err);
	if (r < 0 && status == 404) {
		cleanup_free char *tag = referrers_tag(req->digest);
		*err = (struct err)ERR_INIT;
		status = 0;
		r = pages_run(&p, xasprintf("/v2/%s/manifests/%s", job->ep->repository, tag),
			      &status, err);
		/* Nothing refers to it. */
		if (r < 0 && status == 404)
			r = 0;
	}
	if (r == 0) {
		refs.all.schema_version = 2;
		refs.all.media_type = xstrdup(OCI_MEDIA_INDEX);
		r = list_write(job, &oci_index_desc, &refs.all, err);
		job_set(&job->answer.media_type, OCI_MEDIA_INDEX);
	}
	oci_index_done(&refs.all);
	return r;
}

/* ---- search ---- */

struct hit {
	char *name, *description;
	int64_t star_count;
	bool is_official, is_automated;
};
struct hits {
	JSON_LIST(struct hit) results;
};

static const struct json_field hit_fields[] = {
	JSON_FIELD(struct hit, name, "name", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct hit, description, "description", JSON_STR, .flags = JSON_KEEP),
	JSON_FIELD(struct hit, star_count, "star_count", JSON_I64, .flags = JSON_KEEP),
	JSON_FIELD(struct hit, is_official, "is_official", JSON_BOOL, .flags = JSON_KEEP),
	JSON_FIELD(struct hit, is_automated, "is_automated", JSON_BOOL, .flags = JSON_KEEP),
};
static const struct json_desc hit_desc = JSON_DESC(struct hit, hit_fields);
static const struct json_field hits_fields[] = {
	JSON_FIELD(struct hits, results, "results", JSON_ARRAY, .desc = &hit_desc,
		   .flags = JSON_KEEP),
};
static const struct json_desc hits_desc = JSON_DESC(struct hits, hits_fields);

/* Docker's, which its hub and a few others have. 1: this registry has none. */
static int search_v1(struct job *job, uint64_t limit, struct hits *ret, struct err *err)
{
	const char *host = job->origin->url.host;
	bool hub = str_eq(host, "docker.io") || str_ends(host, ".docker.io");
	cleanup_free char *base = xasprintf(
	    "%s/v1/search?n=%u", hub ? "https://index.docker.io" : "", (unsigned int)limit);
	cleanup_call struct call call;

	call_init(&call, "GET", url_add_query(base, "q", job->req.text));
	call.x.limit = REGISTRY_DOC_MAX;
	call_header(&call, "Accept: application/json");
	int r = call_run(job, &call, err);
	if (r < 0)
		return r;
	if (call.x.reply.status != 200)
		return hub ? call_error(job, &call, err) : 1;
	r = json_parse(&hits_desc, ret, buf_str(&call.x.reply.body), call.x.reply.body.len,
		       "search results", err);
	return r < 0 && !hub ? 1 : r;
}

/* Others can only be asked for all that they have. */
static int search_catalog(struct job *job, uint64_t limit, struct hits *ret, struct err *err)
{
	struct list l = { .limit = limit, .having = job->req.text };

	int r = catalog(job, &l, err);
	if (r == 0) {
		ret->results.items = xcalloc(l.n + 1, sizeof(*ret->results.items));
		for (size_t i = 0; i < l.n; i++)
			ret->results.items[i].name = xstrdup(l.all.items[i]);
		ret->results.n = l.n;
	}
	list_done(&l);
	return r;
}

int op_search(struct job *job, struct err *err)
{
	uint64_t limit = list_limit(job, SEARCH_MAX);
	struct hits hits = { { NULL, 0 } };

	if (!job->req.text || !job->req.text[0])
		return err_fail(err, ERR_INVALID, "nothing to search for");
	int r = search_v1(job, limit, &hits, err);
	if (r == 1) {
		*err = (struct err)ERR_INIT;
		r = search_catalog(job, limit, &hits, err);
	}
	for (size_t i = limit; i < hits.results.n; i++)
		json_free(&hit_desc, &hits.results.items[i]);
	if (hits.results.n > limit)
		hits.results.n = limit;
	if (r == 0)
		r = list_write(job, &hits_desc, &hits, err);
	json_free(&hits_desc, &hits);
	return r;
}

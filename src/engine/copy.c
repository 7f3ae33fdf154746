/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/copy.h"

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/copy_internal.h"
#include "engine/images_trim.h"
#include "engine/trust.h"

void copy_result_done(struct copy_result *result)
{
	free(result->digest);
	free(result->id);
	strv_free(result->names);
	*result = (struct copy_result){ 0 };
}

void copy_tell(const struct copy *c, const struct push_event *event)
{
	if (c->options->event)
		c->options->event(c->options->ctx, event);
}

static void pass_notice(void *data, const char *text)
{
	copy_tell(data, &(struct push_event){ .kind = PUSH_NOTICE, .text = text });
}

int copy_connect(struct copy *c, struct registry_conn *ret, struct err *err)
{
	int r = registries_start(c->eng, ret, err);

	ret->cancel_fd = c->options->cancel_fd;
	ret->notice = pass_notice;
	ret->notice_data = c;
	return r;
}

bool copy_try_next(const struct copy *c, size_t n, const struct err *why)
{
	const struct registry_endpoints *from = &c->source.endpoints;

	if (n + 1 >= from->n)
		return false;
	cleanup_free char *text = xasprintf("%s; trying without %s", why->msg, from->items[n].url);
	copy_tell(c, &(struct push_event){ .kind = PUSH_NOTICE, .text = text });
	return true;
}

int copy_store_name(const char *name, char **ret, struct err *err)
{
	cleanup_reference struct reference ref = { 0 };
	int r = reference_parse(name, &ref, err);

	if (r == 0 && ref.digest)
		r = err_fail(err, ERR_INVALID, "refusing to create a tag with a digest reference");
	if (r == 0)
		*ret = reference_format(&ref);
	return r;
}

/* ---- the whole ---- */

/* Who pushes to a digest wants that image there and no other. */
static int check_digest(const struct copy *c, struct err *err)
{
	const char *want = c->sink.ref.digest, *have = c->docs[c->n_docs - 1].digest;

	return c->sink.name->kind != TRANSPORT_DOCKER || !want || str_eq(want, have)
		   ? 0
		   : err_fail(err, ERR_INVALID, "the image's digest is %s", have);
}

static int copy_run(struct copy *c, struct copy_result *ret, struct err *err)
{
	int r = sink_init(c, err);

	if (r == 0)
		r = source_open(c, err);
	ret->found = r == 0;
	if (r == 0)
		r = copy_collect(c, err);
	/* Of an index that is copied as one, only what it is itself can be signed for. */
	if (r == 0)
		r = source_trust(c, c->docs[c->n_docs - 1].list ? c->source.digest : c->manifest,
				 err);
	if (r == 0)
		r = check_digest(c, err);
	if (r == 0)
		r = sink_open(c, err);
	if (r == 0)
		r = copy_blobs(c, err);
	return r < 0 ? r : sink_finish(c, ret, err);
}

static void copy_done(struct copy *c)
{
	for (size_t i = 0; i < c->n_blobs; i++) {
		struct copy_blob *b = &c->blobs[i];

		if (b->running)
			layer_abort(&b->job);
		layout_drop(c->sink.blobs_fd, &b->file);
		free(b->digest);
		free(b->found);
		strv_free(b->urls);
	}
	for (size_t i = 0; i < c->n_docs; i++) {
		free(c->docs[i].digest);
		free(c->docs[i].media_type);
		buf_done(&c->docs[i].text);
	}
	free(c->blobs);
	free(c->docs);
	free(c->manifest);
	sink_done(c);
	source_done(&c->source);
	oci_platform_done(&c->platform);
}

/* What comes from somewhere else than a registry has no signatures. */
static int check_let_in(struct engine *eng, const struct transport_name *from,
			const struct transport_name *to, struct err *err)
{
	static const char *const names[] = {
		[TRANSPORT_OCI] = "oci",
		[TRANSPORT_OCI_ARCHIVE] = "oci-archive",
		[TRANSPORT_DOCKER_ARCHIVE] = "docker-archive",
		[TRANSPORT_DIR] = "dir",
	};
	const char *name = from->kind < ARRAY_SIZE(names) ? names[from->kind] : NULL;

	return to->kind == TRANSPORT_STORE && name ? trust_allow_transport(eng, name, err) : 0;
}

static int copy_any(struct engine *eng, const struct transport_name *from,
		    const struct transport_name *to, const struct copy_options *options,
		    struct copy_result *ret, struct err *err)
{
	struct copy c = {
		.eng = eng,
		.options = options,
		.source = { .name = from, .blobs_fd = -EBADF, .conn = REGISTRY_CONN_INIT },
		.sink = { .name = to,
			  .top_fd = -EBADF,
			  .blobs_fd = -EBADF,
			  .staging = STAGING_INIT,
			  .conn = REGISTRY_CONN_INIT },
	};
	const int64_t start_ns = time_now_ns();
	int r = check_let_in(eng, from, to, err);

	if (r == 0 && options->platform)
		r = oci_platform_parse(options->platform, &c.platform, err);
	if (r == 0)
		r = copy_run(&c, ret, err);
	copy_done(&c);
	/* Somebody may have waited with collecting. */
	images_added(eng, NULL, 0);
	if (r == 0 && to->kind == TRANSPORT_STORE)
		images_keep_budget(eng, start_ns);
	return r;
}

bool copy_is_pull(const struct transport_name *from, const struct transport_name *to,
		  const struct copy_options *options)
{
	return from->kind == TRANSPORT_DOCKER && to->kind == TRANSPORT_STORE &&
	       !options->artifact && !options->all && !options->index_only;
}

/* A registry's image, for one platform, into our store is a pull, under another name. */
static int copy_pull(struct engine *eng, const struct transport_name *from,
		     const struct transport_name *to, const struct copy_options *options,
		     struct copy_result *ret, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	cleanup_free char *name = NULL, *source = transport_format(from);
	const struct pull_options pull = { .platform = options->platform,
					   .access = options->from,
					   .events = options->pull,
					   .name = to->name };

	if (options->format != PUSH_AS_IT_IS)
		return err_fail(err, ERR_UNSUPPORTED,
				"the store takes an image of a registry as it is");
	int r = to->name ? copy_store_name(to->name, &name, err) : 0;
	if (r == 0)
		r = engine_pull(eng, source, &pull, &ret->id, err);
	if (r == 0)
		r = images_find(eng, ret->id, &row, err);
	if (r < 0)
		return r;
	ret->digest = xstrdup(row.manifest);
	if (name)
		strv_add(&ret->names, name);
	return 0;
}

/* From our store to a registry is a push. 1: it is none, but something that a push doesn't do. */
static int copy_push(struct engine *eng, const struct transport_name *from,
		     const struct transport_name *to, const struct copy_options *options,
		     struct copy_result *ret, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	cleanup_reference struct reference ref = { 0 };
	cleanup_push_result struct push_result result = { 0 };
	const struct push_options push_opts = { .access = options->to,
						.format = options->format,
						.event = options->event,
						.ctx = options->ctx };

	int r = images_find(eng, from->name, &row, err);
	if (r < 0)
		return r;
	if (options->keep || options->index_only || options->platform ||
	    (row.kind == IMAGE_KIND_LIST && !options->all))
		return 1;
	r = reference_parse(to->name, &ref, err);
	if (r == 0)
		r = push(eng, from->name, &ref, &push_opts, &result, err);
	if (r < 0)
		return r;
	ret->digest = take_ptr(result.digest);
	ret->size = result.size;
	return 0;
}

int engine_copy(struct engine *eng, const struct transport_name *from,
		const struct transport_name *to, const struct copy_options *options,
		struct copy_result *ret, struct err *err)
{
	enum transport a = from->kind, b = to->kind;

	int r = engine_db(eng, err);
	if (r == 0)
		r = engine_store(eng, err);
	if (r < 0)
		return r;
	eng->store.cancel_fd = options->cancel_fd;
	if (copy_is_pull(from, to, options))
		return copy_pull(eng, from, to, options, ret, err);
	if (a == TRANSPORT_STORE && b == TRANSPORT_DOCKER) {
		r = copy_push(eng, from, to, options, ret, err);
		if (r <= 0)
			return r;
	}
	if (a == TRANSPORT_STORE && str_eq(from->name, IMAGE_HOST))
		return err_fail(err, ERR_UNSUPPORTED,
				"the image " IMAGE_HOST " is this machine: it can't be copied");
	return copy_any(eng, from, to, options, ret, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/copy.h"

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/copy_internal.h"
#include "engine/images_trim.h"
#include "engine/trust.h"
#include "image/sha256.h"
#include "oci/digest.h"

#define DEPTH_MAX      4           /* indexes inside each other */
#define BLOBS_MAX      20000       /* of all images of an index */
#define DOCS_BYTES_MAX (64u << 20) /* manifests of an index, together */

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

/* ---- what there is to copy ---- */

static int add_blob(struct copy *c, const struct oci_descriptor *desc, struct err *err)
{
	if (!str_starts(desc->digest, "sha256:"))
		return err_fail(err, ERR_UNSUPPORTED, "%s: only sha256 digests are supported",
				desc->digest);
	for (size_t i = 0; i < c->n_blobs; i++) {
		if (!str_eq(c->blobs[i].digest, desc->digest))
			continue;
		if (c->blobs[i].size == (uint64_t)desc->size)
			return 0;
		return err_fail(err, ERR_INVALID, "blob %s has two sizes", desc->digest);
	}
	if (c->n_blobs == BLOBS_MAX)
		return err_fail(err, ERR_LIMIT, "more than %d blobs", BLOBS_MAX);
	if (c->n_blobs == c->cap_blobs) {
		c->cap_blobs = c->cap_blobs ? 2 * c->cap_blobs : 32;
		c->blobs = xrealloc(c->blobs, c->cap_blobs * sizeof(*c->blobs));
	}
	c->blobs[c->n_blobs++] = (struct copy_blob){ .digest = xstrdup(desc->digest),
						     .size = (uint64_t)desc->size,
						     .job = LAYER_JOB_INIT,
						     .file = LAYOUT_FILE_INIT };
	return 0;
}

static bool has_doc(const struct copy *c, const char *digest)
{
	for (size_t i = 0; i < c->n_docs; i++)
		if (str_eq(c->docs[i].digest, digest))
			return true;
	return false;
}

/* Takes the text over. */
static int add_doc(struct copy *c, const char *digest, const char *media_type, struct buf *text,
		   bool list, struct err *err)
{
	c->docs_bytes += text->len;
	if (c->docs_bytes > DOCS_BYTES_MAX)
		return err_fail(err, ERR_LIMIT, "manifests of more than %u bytes", DOCS_BYTES_MAX);
	c->docs = xrealloc(c->docs, (c->n_docs + 1) * sizeof(*c->docs));
	c->docs[c->n_docs++] = (struct copy_doc){ .digest = xstrdup(digest),
						  .media_type = xstrdup(media_type),
						  .text = *text,
						  .list = list };
	*text = (struct buf)BUF_INIT;
	return 0;
}

/* A layer that may not be copied, and says where its owner has it. */
static bool is_foreign(const struct oci_descriptor *desc)
{
	return desc->urls && desc->urls[0] && desc->media_type &&
	       (strstr(desc->media_type, "nondistributable") ||
		strstr(desc->media_type, ".foreign."));
}

static int add_converted(struct copy *c, const char *digest, struct oci_manifest *manifest,
			 struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	char found[SHA256_TEXT_MAX];
	int r = push_format_convert(manifest, c->options->format, &text, err);

	if (r < 0)
		return r;
	sha256_text(buf_str(&text), text.len, found);
	if (c->options->keep && !str_eq(found, digest))
		return err_fail(err, ERR_UNSUPPORTED,
				"another format would change the digest of %s", digest);
	return add_doc(c, found, manifest->media_type, &text, false, err);
}

/* Is the manifest in the format that was asked for? Then it stays as it is. */
static bool has_format(const struct oci_manifest *manifest, enum push_format format)
{
	const char *type = manifest->media_type ? manifest->media_type : OCI_MEDIA_MANIFEST;

	return format == PUSH_AS_IT_IS ||
	       str_eq(type, format == PUSH_OCI ? OCI_MEDIA_MANIFEST : DOCKER_MEDIA_MANIFEST);
}

static int collect_manifest(struct copy *c, struct buf *text, const char *digest,
			    const char *media_type, struct err *err)
{
	cleanup_manifest struct oci_manifest manifest = { 0 };
	int r = oci_manifest_parse(buf_str(text), text->len, &manifest, err);

	free(c->manifest);
	c->manifest = xstrdup(digest);
	if (r == 0)
		r = add_blob(c, manifest.config, err);
	for (size_t i = 0; r == 0 && i < manifest.layers.n; i++) {
		const struct oci_descriptor *layer = &manifest.layers.items[i];

		if (is_foreign(layer))
			copy_tell(c, &(struct push_event){ .kind = PUSH_SKIPPED,
							   .digest = layer->digest,
							   .size = (uint64_t)layer->size });
		else
			r = add_blob(c, layer, err);
	}
	if (r == 0 && !has_format(&manifest, c->options->format))
		return add_converted(c, digest, &manifest, err);
	if (manifest.media_type)
		media_type = manifest.media_type;
	return r < 0 ? r
		     : add_doc(c, digest,
			       oci_media_kind(media_type) == OCI_IS_MANIFEST ? media_type
									     : OCI_MEDIA_MANIFEST,
			       text, false, err);
}

/* What it says it is, or what it looks like. */
static bool is_index(const char *media_type, const struct buf *text)
{
	cleanup_index struct oci_index index = { 0 };
	enum oci_media kind = oci_media_kind(media_type);

	if (kind == OCI_IS_INDEX || kind == OCI_IS_MANIFEST)
		return kind == OCI_IS_INDEX;
	return oci_index_parse(buf_str(text), text->len, &index, NULL) == 0;
}

static int collect(struct copy *c, struct buf *text, const char *digest, const char *media_type,
		   int depth, struct err *err);

static int collect_member(struct copy *c, const struct oci_descriptor *desc, int depth,
			  struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	if (has_doc(c, desc->digest))
		return 0;
	int r = source_document(c, REGISTRY_MANIFEST, desc, &text, err);
	return r < 0 ? r : collect(c, &text, desc->digest, desc->media_type, depth + 1, err);
}

static int no_platform(const struct copy *c, const char *digest, struct err *err)
{
	const struct oci_platform native = oci_platform_native();
	const struct oci_platform *p = c->options->platform ? &c->platform : &native;

	return err_hint(err,
			err_fail(err, ERR_NOT_FOUND, "no image for %s/%s%s%s in index %s", p->os,
				 p->architecture, p->variant ? "/" : "",
				 p->variant ? p->variant : "", digest),
			"choose one with --platform, or copy them --all");
}

static int check_list(const struct copy *c, struct err *err)
{
	enum transport kind = c->sink.name->kind;

	if (c->options->format != PUSH_AS_IT_IS)
		return err_fail(err, ERR_UNSUPPORTED,
				"an index is copied as it is: --format is for single images");
	if (kind == TRANSPORT_STORE || kind == TRANSPORT_DOCKER_ARCHIVE)
		return err_fail(err, ERR_UNSUPPORTED, "%s takes an image for one platform",
				kind == TRANSPORT_STORE ? "the store" : "a docker-archive");
	return 0;
}

static int collect_index(struct copy *c, struct buf *text, const char *digest,
			 const char *media_type, int depth, struct err *err)
{
	cleanup_index struct oci_index index = { 0 };
	bool whole = c->options->all || c->options->index_only;

	if (depth >= DEPTH_MAX)
		return err_fail(err, ERR_LIMIT, "more than %d indexes inside each other",
				DEPTH_MAX);
	int r = oci_index_parse(buf_str(text), text->len, &index, err);
	if (r == 0 && whole)
		r = check_list(c, err);
	if (r < 0)
		return r;
	if (!whole) {
		const struct oci_descriptor *one =
		    c->options->platform ? oci_index_select_platform(&index, &c->platform)
					 : oci_index_select(&index);
		return one ? collect_member(c, one, depth, err) : no_platform(c, digest, err);
	}
	for (size_t i = 0; r == 0 && c->options->all && i < index.manifests.n; i++)
		r = collect_member(c, &index.manifests.items[i], depth, err);
	if (index.media_type)
		media_type = index.media_type;
	return r < 0 ? r
		     : add_doc(c, digest,
			       oci_media_kind(media_type) == OCI_IS_INDEX ? media_type
									  : OCI_MEDIA_INDEX,
			       text, true, err);
}

static int collect(struct copy *c, struct buf *text, const char *digest, const char *media_type,
		   int depth, struct err *err)
{
	bool list = is_index(media_type, text);
	int r = list ? collect_index(c, text, digest, media_type, depth, err)
		     : collect_manifest(c, text, digest, media_type, err);

	return r < 0 ? err_wrap(err, r, "%s %s", list ? "index" : "manifest", digest) : 0;
}

/* ---- the whole ---- */

static int copy_run(struct copy *c, struct copy_result *ret, struct err *err)
{
	int r = source_open(c, err);

	if (r == 0)
		r = collect(c, &c->source.text, c->source.digest, c->source.media_type, 0, err);
	/* Of an index that is copied as one, only what it is itself can be signed for. */
	if (r == 0)
		r = source_trust(c, c->docs[c->n_docs - 1].list ? c->source.digest : c->manifest,
				 err);
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

/* A registry's image into our store is a pull, under another name. */
static int copy_pull(struct engine *eng, const struct transport_name *from,
		     const struct transport_name *to, const struct copy_options *options,
		     struct copy_result *ret, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	cleanup_free char *name = NULL;
	const struct pull_options pull = { .platform = options->platform,
					   .access = options->from,
					   .events = options->pull,
					   .name = to->name };

	if (options->all || options->index_only || options->format != PUSH_AS_IT_IS)
		return err_fail(err, ERR_UNSUPPORTED,
				"the store takes an image for one platform, as it is");
	int r = to->name ? reference_normalize(to->name, &name, err) : 0;
	if (r == 0)
		r = engine_pull(eng, from->name, &pull, &ret->id, err);
	if (r == 0)
		r = images_find(eng, ret->id, &row, err);
	if (r < 0)
		return r;
	ret->digest = xstrdup(row.manifest);
	if (name)
		strv_add(&ret->names, name);
	return 0;
}

/* From our store to a registry is a push. 1: it is none, but a choice from a list. */
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
	if (options->keep || options->index_only || (row.kind == IMAGE_KIND_LIST && !options->all))
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
	if (a == TRANSPORT_DOCKER && b == TRANSPORT_STORE && !options->artifact)
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

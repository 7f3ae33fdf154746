/* SPDX-License-Identifier: Apache-2.0 */
#include "image/pull.h"

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/pull_internal.h"
#include "image/sha256.h"
#include "image/verified.h"
#include "oci/digest.h"

#define INDEX_DEPTH_MAX 4

void pulled_done(struct pulled *pulled)
{
	image_done(&pulled->image);
	free(take_ptr(pulled->digest));
}

struct registry_request pull_ask(const struct pull *pl, int op, size_t skip)
{
	struct registry_request ask = { .op = op };

	ask.endpoints.items = pl->req->endpoints + skip;
	ask.endpoints.n = pl->req->n_endpoints - skip;
	return ask;
}

bool pull_try_next(const struct pull *pl, size_t n, const struct err *why)
{
	const struct pull_watch *watch = pl->req->watch;

	if (n + 1 >= pl->req->n_endpoints)
		return false;
	cleanup_free char *text =
	    xasprintf("%s; trying without %s", why->msg, pl->req->endpoints[n].url);
	if (watch && watch->notice)
		watch->notice(watch->data, text);
	return true;
}

/* ---- documents ---- */

static int digest_check(const char *digest, struct err *err)
{
	if (digest_valid(digest) && str_starts(digest, "sha256:"))
		return 0;
	return err_fail(err, ERR_UNSUPPORTED, "%s: only sha256 digests are supported", digest);
}

static int content_check(const struct buf *text, const char *digest, int64_t size, struct err *err)
{
	char found[SHA256_TEXT_MAX];

	if (size >= 0 && text->len != (uint64_t)size)
		return err_fail(err, ERR_CORRUPT, "%s has %zu bytes instead of %lld", digest,
				text->len, (long long)size);
	if (!str_eq(sha256_text(buf_str(text), text->len, found), digest))
		return err_fail(err, ERR_CORRUPT, "%s has other content (%s)", digest, found);
	return 0;
}

/* Asks the endpoints until one gives what the digest (NULL: whatever there is) stands for: a mirror
 * that is broken, or worse, must not keep anybody from the others. */
static int document_fetch(struct pull *pl, int op, const char *reference, const char *digest,
			  int64_t size, struct buf *out, char **ret_type, struct err *err)
{
	for (size_t skip = 0;; skip++) {
		struct registry_request ask = pull_ask(pl, op, skip);
		cleanup_registry_answer struct registry_answer answer = { 0 };
		struct err other = ERR_INIT;

		buf_reset(out);
		ask.reference = (char *)reference;
		ask.digest = (char *)digest;
		ask.size = size > 0 ? (uint64_t)size : 0;
		ask.limit = OCI_BLOB_MAX;
		int r = registry_fetch(pl->req->conn, &ask, out, &answer, err);
		if (r < 0)
			return r;
		if (out->len > OCI_BLOB_MAX)
			r = err_fail(&other, ERR_LIMIT, "document is larger than %u bytes",
				     OCI_BLOB_MAX);
		else if (digest)
			r = content_check(out, digest, size, &other);
		if (r == 0 && ret_type)
			*ret_type = take_ptr(answer.media_type);
		if (r == 0)
			return 0;
		if (pull_try_next(pl, skip, &other))
			continue;
		if (err)
			*err = other;
		return r;
	}
}

/* Is a good copy of it in the store? */
static bool document_is_there(struct pull *pl, const char *digest, int64_t size, struct buf *out)
{
	return blob_exists(pl->store, digest, size) && blob_read(pl->store, digest, out, NULL) == 0;
}

/* A document that a descriptor names: from the store when it is there. */
static int document_get(struct pull *pl, int op, const struct oci_descriptor *desc, struct buf *out,
			struct err *err)
{
	int r = digest_check(desc->digest, err);
	if (r < 0)
		return r;
	if (desc->size < 0 || desc->size > OCI_BLOB_MAX)
		return err_fail(err, ERR_LIMIT, "document %s is larger than %u bytes", desc->digest,
				OCI_BLOB_MAX);
	if (document_is_there(pl, desc->digest, desc->size, out))
		return 0;
	r = document_fetch(pl, op, desc->digest, desc->digest, desc->size, out, NULL, err);
	if (r < 0)
		return err_wrap(err, r, "fetching %s", desc->digest);
	pl->new_data = true;
	return 0;
}

/* What the reference means. With a digest that is here already, without asking anybody. */
static int reference_get(struct pull *pl, struct buf *out, char **ret_type, struct err *err)
{
	const struct pull_request *req = pl->req;
	char found[SHA256_TEXT_MAX];
	int r = req->digest ? digest_check(req->digest, err) : 0;

	if (r < 0)
		return r;
	if (req->digest && document_is_there(pl, req->digest, -1, out)) {
		pl->digest = xstrdup(req->digest);
		return 0;
	}
	r = document_fetch(pl, REGISTRY_MANIFEST, req->reference, req->digest, -1, out, ret_type,
			   err);
	if (r == 0)
		pl->digest = xstrdup(sha256_text(buf_str(out), out->len, found));
	return r;
}

/* The specification wants the media type of the answer to be the document's own; what counts is
 * what it is. */
static bool is_index(const char *media_type, const struct buf *text)
{
	cleanup_index struct oci_index index = { 0 };
	enum oci_media kind = oci_media_kind(media_type);

	if (kind == OCI_IS_INDEX || kind == OCI_IS_MANIFEST)
		return kind == OCI_IS_INDEX;
	return oci_index_parse(buf_str(text), text->len, &index, NULL) == 0;
}

static int manifest_take(struct pull *pl, struct buf *text, const char *digest, struct err *err)
{
	int r = oci_manifest_parse(buf_str(text), text->len, &pl->manifest, err);
	if (r < 0)
		return err_wrap(err, r, "manifest %s", digest);
	const char *type = pl->manifest.config->media_type;
	if (oci_media_kind(type) != OCI_IS_CONFIG)
		return err_hint(err,
				err_fail(err, ERR_UNSUPPORTED,
					 "manifest %s is not of an image but of %s", digest,
					 pl->manifest.artifact_type ? pl->manifest.artifact_type
					 : type                     ? type
								    : "an unknown type"),
				"`inro artifact pull` gets what is no image");
	for (size_t i = 0; i < pl->manifest.layers.n; i++) {
		const struct oci_descriptor *layer = &pl->manifest.layers.items[i];
		enum oci_media kind = oci_media_kind(layer->media_type);

		if (kind != OCI_IS_LAYER && kind != OCI_IS_FOREIGN)
			return err_fail(err, ERR_UNSUPPORTED, "layer %s is of type %s",
					layer->digest,
					layer->media_type ? layer->media_type : "unknown");
		r = digest_check(layer->digest, err);
		if (r < 0)
			return r;
		if (layer->size < 0)
			return err_fail(err, ERR_INVALID, "layer %s has no size", layer->digest);
	}
	pl->manifest_digest = xstrdup(digest);
	pl->manifest_text = *text;
	*text = (struct buf)BUF_INIT;
	return 0;
}

static int no_platform(const struct pull *pl, struct err *err)
{
	const struct oci_platform native = oci_platform_native();
	const struct oci_platform *p = pl->req->platform ? pl->req->platform : &native;

	return err_fail(err, ERR_NOT_FOUND, "no image for %s/%s%s%s in index %s", p->os,
			p->architecture, p->variant ? "/" : "", p->variant ? p->variant : "",
			pl->digest);
}

static int document_take(struct pull *pl, struct buf *text, const char *digest,
			 const char *media_type, int depth, struct err *err);

static int index_take(struct pull *pl, struct buf *text, const char *digest, int depth,
		      struct err *err)
{
	cleanup_index struct oci_index index = { 0 };
	cleanup_buf struct buf next = BUF_INIT;

	if (depth >= INDEX_DEPTH_MAX)
		return err_fail(err, ERR_LIMIT, "more than %d indexes inside each other",
				INDEX_DEPTH_MAX);
	int r = oci_index_parse(buf_str(text), text->len, &index, err);
	if (r < 0)
		return err_wrap(err, r, "index %s", digest);
	const struct oci_descriptor *one =
	    pl->req->platform ? oci_index_select_platform(&index, pl->req->platform)
			      : oci_index_select(&index);
	if (!one)
		return no_platform(pl, err);
	if (depth == 0) {
		pl->index_text = *text;
		*text = (struct buf)BUF_INIT;
	}
	r = document_get(pl, REGISTRY_MANIFEST, one, &next, err);
	return r < 0 ? r : document_take(pl, &next, one->digest, one->media_type, depth + 1, err);
}

static int document_take(struct pull *pl, struct buf *text, const char *digest,
			 const char *media_type, int depth, struct err *err)
{
	if (is_index(media_type, text))
		return index_take(pl, text, digest, depth, err);
	return manifest_take(pl, text, digest, err);
}

static int step_manifest(struct pull *pl, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_free char *type = NULL;
	const struct pull_watch *watch = pl->req->watch;

	int r = reference_get(pl, &text, &type, err);
	if (r < 0)
		return r;
	if (watch && watch->resolved)
		watch->resolved(watch->data, pl->digest);
	return document_take(pl, &text, pl->digest, type, 0, err);
}

static int step_allow(struct pull *pl, struct err *err)
{
	const struct pull_request *req = pl->req;

	if (!req->allow)
		return 0;
	return req->allow(req->allow_data, pl->digest, pl->manifest_digest, err);
}

static int step_config(struct pull *pl, struct err *err)
{
	int r = document_get(pl, REGISTRY_BLOB, pl->manifest.config, &pl->config_text, err);
	if (r == 0)
		r = oci_image_config_parse(buf_str(&pl->config_text), pl->config_text.len,
					   &pl->config, err);
	if (r < 0)
		return err_wrap(err, r, "config %s", pl->manifest.config->digest);
	char *const *diff_ids = pl->config.rootfs->diff_ids;
	if (strv_len(diff_ids) != pl->manifest.layers.n)
		return err_fail(err, ERR_CORRUPT, "config %s has %zu diff ids for %zu layers",
				pl->manifest.config->digest, strv_len(diff_ids),
				pl->manifest.layers.n);
	for (size_t i = 0; r == 0 && diff_ids && diff_ids[i]; i++)
		r = digest_check(diff_ids[i], err);
	return r;
}

/* A manifest without --platform in an index is a choice of the user's; this one may not run. */
static int step_platform(struct pull *pl, struct err *err)
{
	const struct oci_platform *want = pl->req->platform;
	const struct oci_image_config *have = &pl->config;

	if (!want || (str_eq(want->os, have->os) && str_eq(want->architecture, have->architecture)))
		return 0;
	return err_fail(err, ERR_NOT_FOUND,
			"image with reference %s was found but does not match the specified "
			"platform: wanted %s/%s, actual: %s/%s",
			pl->req->repository, want->os, want->architecture,
			have->os ? have->os : "?", have->architecture ? have->architecture : "?");
}

static int step_commit(struct pull *pl, struct err *err)
{
	const struct {
		const char *digest;
		const struct buf *text;
	} docs[] = {
		{ pl->manifest.config->digest, &pl->config_text },
		{ pl->manifest_digest, &pl->manifest_text },
		{ pl->index_text.len ? pl->digest : NULL, &pl->index_text },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(docs); i++) {
		cleanup_buf struct buf there = BUF_INIT;
		const char *digest = docs[i].digest;
		if (!digest || document_is_there(pl, digest, -1, &there))
			continue;
		r = blob_stage(&pl->staging, digest, docs[i].text, err);
		if (r == 0)
			r = store_put_blob(pl->store, pl->staging.fd, digest_hex(digest), digest,
					   err);
		pl->new_data = true;
	}
	return r;
}

static int pull_run(struct pull *pl, struct pulled *ret, struct err *err)
{
	static int (*const steps[])(struct pull * pl, struct err * err) = {
		step_manifest, step_allow, step_config, step_platform, pull_layers, step_commit,
	};

	int r = store_lock_shared(pl->store, err);
	if (r == 0)
		r = staging_new(pl->store, &pl->staging, err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++)
		r = steps[i](pl, err);
	if (r == 0)
		r = image_fill(pl->store, pl->manifest_digest, &pl->manifest, &pl->config,
			       &ret->image, err);
	if (r < 0)
		return r;
	if (pl->index_text.len)
		image_add_content(&ret->image, IMAGE_BLOB, pl->digest, pl->index_text.len);
	strv_addf(&ret->image.repo_digests, "%s@%s", pl->req->repository, pl->digest);
	ret->new_data = pl->new_data;
	return 0;
}

int image_pull(struct image_store *store, const struct pull_request *req, struct pulled *ret,
	       struct err *err)
{
	struct pull pl = { .store = store, .req = req, .staging = STAGING_INIT };

	int r = pull_run(&pl, ret, err);
	ret->digest = pl.digest;
	free(pl.manifest_digest);
	oci_manifest_done(&pl.manifest);
	oci_image_config_done(&pl.config);
	buf_done(&pl.index_text);
	buf_done(&pl.manifest_text);
	buf_done(&pl.config_text);
	staging_done(store, &pl.staging);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What there is to copy: the documents, verified and kept, and the blobs that they name. */
#include "base/str.h"
#include "base/strv.h"
#include "engine/copy_internal.h"
#include "image/sha256.h"

#define DEPTH_MAX      4           /* indexes inside each other */
#define BLOBS_MAX      20000       /* of all images of an index */
#define DOCS_MAX       8192        /* manifests and indexes */
#define DOCS_BYTES_MAX (64u << 20) /* manifests of an index, together */

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
	bool foreign = oci_media_kind(desc->media_type) == OCI_IS_FOREIGN;
	c->blobs[c->n_blobs++] = (struct copy_blob){ .digest = xstrdup(desc->digest),
						     .size = (uint64_t)desc->size,
						     .urls = foreign ? strv_copy(desc->urls) : NULL,
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
	if (c->n_docs == DOCS_MAX)
		return err_fail(err, ERR_LIMIT, "more than %d manifests", DOCS_MAX);
	c->docs = xrealloc(c->docs, (c->n_docs + 1) * sizeof(*c->docs));
	c->docs[c->n_docs++] = (struct copy_doc){ .digest = xstrdup(digest),
						  .media_type = xstrdup(media_type),
						  .text = *text,
						  .list = list };
	*text = (struct buf)BUF_INIT;
	return 0;
}

/* A layer that may not be handed on, and says where its owner has it. */
static bool is_foreign(const struct oci_descriptor *desc)
{
	return desc->urls && desc->urls[0] && oci_media_kind(desc->media_type) == OCI_IS_FOREIGN;
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

/* An index has said for which platform an image is; an image on its own says it in its config. */
static int check_platform(struct copy *c, const struct oci_manifest *manifest, struct err *err)
{
	cleanup_image_config struct oci_image_config config = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	const struct oci_platform *want = &c->platform;

	if (!c->options->platform || oci_media_kind(manifest->config->media_type) != OCI_IS_CONFIG)
		return 0;
	int r = source_document(c, REGISTRY_BLOB, manifest->config, &text, err);
	if (r == 0)
		r = oci_image_config_parse(buf_str(&text), text.len, &config, err);
	if (r < 0)
		return err_wrap(err, r, "config %s", manifest->config->digest);
	if (str_eq(want->os, config.os) && str_eq(want->architecture, config.architecture))
		return 0;
	return err_fail(err, ERR_NOT_FOUND, "the image is for %s/%s, not for %s/%s",
			config.os ? config.os : "?",
			config.architecture ? config.architecture : "?", want->os,
			want->architecture);
}

static int collect_manifest(struct copy *c, struct buf *text, const char *digest,
			    const char *media_type, int depth, struct err *err)
{
	cleanup_manifest struct oci_manifest manifest = { 0 };
	int r = oci_manifest_parse(buf_str(text), text->len, &manifest, err);

	if (r == 0 && depth == 0)
		r = check_platform(c, &manifest, err);
	free(c->manifest);
	c->manifest = xstrdup(digest);
	if (r == 0)
		r = add_blob(c, manifest.config, err);
	for (size_t i = 0; r == 0 && i < manifest.layers.n; i++) {
		const struct oci_descriptor *layer = &manifest.layers.items[i];

		if (is_foreign(layer) && !sink_wants_foreign(c))
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
	if (r == -ENOENT && c->source.trusted)
		err_hint(err, r,
			 "of a list the store has what was pulled: pull it for its platform");
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
	if (kind == TRANSPORT_DOCKER_ARCHIVE)
		return err_fail(err, ERR_UNSUPPORTED,
				"a docker-archive takes an image for one platform");
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
		     : collect_manifest(c, text, digest, media_type, depth, err);

	return r < 0 ? err_wrap(err, r, "%s %s", list ? "index" : "manifest", digest) : 0;
}

int copy_collect(struct copy *c, struct err *err)
{
	return collect(c, &c->source.text, c->source.digest, c->source.media_type, 0, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/copy_internal.h"
#include "image/sha256.h"
#include "oci/digest.h"

void source_done(struct copy_source *source)
{
	if (source->load) {
		load_done(source->load);
		free(take_ptr(source->load));
	} else {
		fd_close(source->blobs_fd);
	}
	registry_stop(&source->conn);
	registry_endpoints_done(&source->endpoints);
	reference_done(&source->ref);
	trust_done(&source->trust);
	buf_done(&source->text);
	free(source->repository);
	free(source->digest);
	free(source->media_type);
	strv_free(source->names);
}

/* ---- documents ---- */

static int content_check(const struct buf *text, const struct oci_descriptor *desc, struct err *err)
{
	char found[SHA256_TEXT_MAX];

	if (text->len != (uint64_t)desc->size)
		return err_fail(err, ERR_CORRUPT, "%s has %zu bytes instead of %lld", desc->digest,
				text->len, (long long)desc->size);
	if (!str_eq(sha256_text(buf_str(text), text->len, found), desc->digest))
		return err_fail(err, ERR_CORRUPT, "%s has other content (%s)", desc->digest, found);
	return 0;
}

/* From a registry's endpoints, until one gives what the descriptor says: a mirror that is broken,
 * or worse, must not keep anybody from the others. */
static int document_fetch(struct copy *c, int op, const struct oci_descriptor *desc,
			  struct buf *out, struct err *err)
{
	struct copy_source *source = &c->source;

	for (size_t skip = 0;; skip++) {
		struct registry_request ask = { .op = op,
						.reference = desc->digest,
						.digest = desc->digest,
						.size = (uint64_t)desc->size,
						.limit = OCI_BLOB_MAX };
		struct err own = ERR_INIT;

		buf_reset(out);
		ask.endpoints.items = source->endpoints.items + skip;
		ask.endpoints.n = source->endpoints.n - skip;
		int r = registry_fetch(&source->conn, &ask, out, NULL, err);
		if (r < 0)
			return r;
		r = content_check(out, desc, &own);
		if (r < 0 && copy_try_next(c, skip, &own))
			continue;
		if (r < 0 && err)
			*err = own;
		return r;
	}
}

static int document_read(struct copy *c, int op, const struct oci_descriptor *desc, struct buf *out,
			 struct err *err)
{
	bool marked = c->source.dir_names && op == REGISTRY_MANIFEST;
	cleanup_free char *name =
	    xasprintf("%s%s", digest_hex(desc->digest), marked ? ".manifest.json" : "");

	int r = layout_read(c->source.blobs_fd, name, out, err);
	return r < 0 ? r : content_check(out, desc, err);
}

int source_document(struct copy *c, int op, const struct oci_descriptor *desc, struct buf *out,
		    struct err *err)
{
	if (!digest_valid(desc->digest) || !str_starts(desc->digest, "sha256:"))
		return err_fail(err, ERR_UNSUPPORTED, "%s: only sha256 digests are supported",
				desc->digest);
	if (desc->size < 0 || desc->size > OCI_BLOB_MAX)
		return err_fail(err, ERR_LIMIT, "document %s is larger than %u bytes", desc->digest,
				OCI_BLOB_MAX);
	buf_reset(out);
	int r = copy_from_registry(c) ? document_fetch(c, op, desc, out, err)
				      : document_read(c, op, desc, out, err);
	return r < 0 ? err_wrap(err, r, "reading %s", desc->digest) : 0;
}

/* The image is what this descriptor says. */
static int top_by_descriptor(struct copy *c, const struct oci_descriptor *desc, struct err *err)
{
	int r = source_document(c, REGISTRY_MANIFEST, desc, &c->source.text, err);

	if (r < 0)
		return r;
	c->source.digest = xstrdup(desc->digest);
	if (desc->media_type)
		c->source.media_type = xstrdup(desc->media_type);
	return 0;
}

/* The image is what this document, of which nothing is known, holds. */
static void top_by_text(struct copy_source *source)
{
	char digest[SHA256_TEXT_MAX];

	sha256_text(buf_str(&source->text), source->text.len, digest);
	source->digest = xstrdup(digest);
}

/* ---- our store ---- */

static int store_open(struct copy *c, struct err *err)
{
	struct copy_source *source = &c->source;
	struct engine *eng = c->eng;
	cleanup_image_row struct image_row row = { 0 };

	int r = store_lock_shared(&eng->store, err); /* nothing is collected meanwhile */
	if (r == 0)
		r = images_find(eng, source->name->name, &row, err);
	if (r == 0)
		r = source->blobs_fd = store_open_dir(&eng->store, "blobs/sha256", err);
	if (r >= 0)
		r = blob_read(&eng->store, row.manifest, &source->text, err);
	if (r < 0)
		return r;
	source->trusted = true;
	source->digest = xstrdup(row.manifest);
	images_used(eng, &row);
	return 0;
}

/* ---- a registry ---- */

static int top_check(struct copy_source *source, const char *digest, struct err *err)
{
	if (source->text.len > OCI_BLOB_MAX)
		return err_fail(err, ERR_LIMIT, "manifest is larger than %u bytes", OCI_BLOB_MAX);
	free(source->digest);
	top_by_text(source);
	if (digest && !str_eq(digest, source->digest))
		return err_fail(err, ERR_CORRUPT, "%s has other content (%s)", digest,
				source->digest);
	return 0;
}

static int registry_top(struct copy *c, const struct reference *ref, struct err *err)
{
	struct copy_source *source = &c->source;

	for (size_t skip = 0;; skip++) {
		struct registry_request ask = { .op = REGISTRY_MANIFEST, .limit = OCI_BLOB_MAX };
		cleanup_registry_answer struct registry_answer answer = { 0 };
		struct err own = ERR_INIT;

		buf_reset(&source->text);
		ask.reference = ref->digest ? ref->digest : ref->tag;
		ask.endpoints.items = source->endpoints.items + skip;
		ask.endpoints.n = source->endpoints.n - skip;
		int r = registry_fetch(&source->conn, &ask, &source->text, &answer, err);
		if (r < 0)
			return r;
		r = top_check(source, ref->digest, &own);
		if (r < 0 && copy_try_next(c, skip, &own))
			continue;
		if (r < 0 && err)
			*err = own;
		source->media_type = take_ptr(answer.media_type);
		return r;
	}
}

static int registry_open(struct copy *c, struct err *err)
{
	struct copy_source *source = &c->source;
	int r = reference_parse(source->name->name, &source->ref, err);
	/* What is rejected is not even asked for. */
	if (r == 0)
		r = trust_init(c->eng, &source->ref, &source->trust, err);
	if (r == 0)
		r = registries_resolve(c->eng, &source->ref, false, &c->options->from,
				       &source->endpoints, err);
	if (r == 0)
		r = copy_connect(c, &source->conn, err);
	if (r < 0)
		return r;
	source->repository = reference_repository(&source->ref);
	return registry_top(c, &source->ref, err);
}

int source_trust(struct copy *c, const char *manifest, struct err *err)
{
	struct copy_source *source = &c->source;

	if (!copy_from_registry(c))
		return 0;
	return trust_verify(&source->trust, &source->conn, &source->endpoints, source->digest,
			    manifest, err);
}

/* ---- directories ---- */

/* Full names, as `load` reads them. */
static void names_of(struct copy_source *source, const struct oci_descriptor *desc)
{
	const char *name = json_map_get(&desc->annotations, LAYOUT_NAME);

	if (!name || !*name)
		name = json_map_get(&desc->annotations, LAYOUT_REF);
	if (name && *name)
		load_add_name(&source->names, name);
}

static int index_top(struct copy *c, const struct oci_index *index, struct err *err)
{
	const struct oci_descriptor *desc = NULL;

	int r = layout_index_find(index, c->source.name->ref, &desc, err);
	if (r == 0)
		r = top_by_descriptor(c, desc, err);
	if (r == 0)
		names_of(&c->source, desc);
	return r;
}

static int dir_open(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_errno(err, errno, "opening %s", path) : fd;
}

static int oci_open(struct copy *c, struct err *err)
{
	cleanup_index struct oci_index index = { 0 };
	cleanup_fd int top = dir_open(c->source.name->path, err);

	if (top < 0)
		return top;
	int r = layout_read_index(top, &index, err);
	if (r < 0)
		return r;
	cleanup_fd int blobs = layout_open_dir(top, "blobs", false, err);
	if (blobs < 0)
		return blobs;
	c->source.blobs_fd = layout_open_dir(blobs, "sha256", false, err);
	return c->source.blobs_fd < 0 ? c->source.blobs_fd : index_top(c, &index, err);
}

static int dir_source_open(struct copy *c, struct err *err)
{
	struct copy_source *source = &c->source;
	cleanup_buf struct buf version = BUF_INIT;

	source->blobs_fd = dir_open(source->name->path, err);
	if (source->blobs_fd < 0)
		return source->blobs_fd;
	source->dir_names = true;
	int r = layout_read(source->blobs_fd, "version", &version, err);
	if (r == 0 && !str_starts(buf_str(&version), DIR_VERSION_1))
		r = err_fail(err, ERR_UNSUPPORTED, "version of the directory is not known");
	if (r == 0)
		r = layout_read(source->blobs_fd, "manifest.json", &source->text, err);
	if (r == 0)
		top_by_text(source);
	return r;
}

/* ---- archives ---- */

static int archive_index(struct copy *c, struct err *err)
{
	cleanup_index struct oci_index index = { 0 };
	cleanup_buf struct buf text = BUF_INIT;

	int r = load_read_member(c->source.load, LAYOUT_INDEX, &text, err);
	if (r == 0)
		r = oci_index_parse(buf_str(&text), text.len, &index, err);
	return r < 0 ? r : index_top(c, &index, err);
}

/* "@0", "@1" ...: by the place in the archive. */
static int image_by_place(const struct load *ld, const char *ref, const struct load_image **ret,
			  struct err *err)
{
	uint32_t n;

	if (str_parse_u32(ref + 1, &n) < 0)
		return err_fail(err, ERR_USAGE, "expected a number behind \"@\", got \"%s\"",
				ref + 1);
	if (n >= ld->n_images)
		return err_fail(err, ERR_NOT_FOUND, "there are %zu images in it", ld->n_images);
	*ret = &ld->images[n];
	return 0;
}

static int image_of_archive(const struct load *ld, const char *ref, const struct load_image **ret,
			    struct err *err)
{
	cleanup_free char *name = NULL;
	int r = 0;

	if (ref && ref[0] == '@')
		return image_by_place(ld, ref, ret, err);
	if (ref)
		r = reference_normalize(ref, &name, err);
	if (r < 0)
		return r;
	if (!ref && ld->n_images == 1) {
		*ret = &ld->images[0];
		return 0;
	}
	for (size_t i = 0; name && i < ld->n_images; i++) {
		if (!strv_has(ld->images[i].names, name))
			continue;
		*ret = &ld->images[i];
		return 0;
	}
	if (ref)
		return err_fail(err, ERR_NOT_FOUND, "there is no image named %s", ref);
	return err_hint(err,
			err_fail(err, ld->n_images ? ERR_INVALID : ERR_NOT_FOUND,
				 "there are %zu images in it", ld->n_images),
			"name one of them behind a colon");
}

static int archive_image(struct copy *c, struct err *err)
{
	struct copy_source *source = &c->source;
	const struct load_image *image = NULL;

	int r = load_docker(source->load, err);
	if (r == 0)
		r = image_of_archive(source->load, source->name->ref, &image, err);
	if (r == 0)
		r = blob_read_at(source->load->staging.fd, image->manifest_digest, &source->text,
				 err);
	if (r < 0)
		return r;
	source->digest = xstrdup(image->manifest_digest);
	source->names = strv_copy(image->names);
	source->made = true;
	return 0;
}

static int archive_open(struct copy *c, struct err *err)
{
	struct copy_source *source = &c->source;
	cleanup_fd int fd = open(source->name->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return err_errno(err, errno, "opening %s", source->name->path);
	source->load = xcalloc(1, sizeof(*source->load));
	int r = load_begin(source->load, &c->eng->store, fd, err);
	if (r < 0)
		return r;
	source->blobs_fd = source->load->staging.fd;
	return source->name->kind == TRANSPORT_OCI_ARCHIVE ? archive_index(c, err)
							   : archive_image(c, err);
}

int source_open(struct copy *c, struct err *err)
{
	static int (*const opens[TRANSPORTS])(struct copy * c, struct err * err) = {
		[TRANSPORT_STORE] = store_open,
		[TRANSPORT_DOCKER] = registry_open,
		[TRANSPORT_OCI] = oci_open,
		[TRANSPORT_OCI_ARCHIVE] = archive_open,
		[TRANSPORT_DOCKER_ARCHIVE] = archive_open,
		[TRANSPORT_DIR] = dir_source_open,
	};
	const struct transport_name *name = c->source.name;

	int r = opens[name->kind](c, err);
	return r < 0 && name->path ? err_wrap(err, r, "%s", name->path) : r;
}

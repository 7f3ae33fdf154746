/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/artifact.h"

#include <inttypes.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "image/layer_run.h"
#include "image/layout.h"
#include "image/sha256.h"
#include "oci/digest.h"
#include "oci/reference.h"

#define EMPTY_TYPE   "application/vnd.oci.empty.v1+json"
#define EMPTY_TEXT   "{}"
#define EMPTY_BASE64 "e30="
#define UNKNOWN_TYPE "application/vnd.unknown.artifact.v1"
#define FILE_TYPE    "application/octet-stream"
#define TITLE_MAX    255

void artifact_done(struct artifact *artifact)
{
	image_row_done(&artifact->row);
	oci_manifest_done(&artifact->manifest);
	free(take_ptr(artifact->text));
}

/* ---- reading ---- */

static int read_found(struct engine *eng, const char *word, struct artifact *ret, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	int r = engine_store(eng, err);
	if (r == 0)
		r = images_find_whole(eng, word, &ret->row, err);
	if (r < 0)
		return err && err->kind == ERR_NOT_FOUND
			   ? err_fail(err, ERR_NOT_FOUND, "no such artifact: %s", word)
			   : r;
	if (ret->row.kind != IMAGE_KIND_ARTIFACT)
		return err_fail(err, ERR_NOT_FOUND, "no such artifact: %s (it is %s)", word,
				ret->row.kind == IMAGE_KIND_LIST ? "a list of manifests"
								 : "an image");
	r = blob_read(&eng->store, ret->row.manifest, &text, err);
	if (r == 0)
		r = oci_manifest_parse(buf_str(&text), text.len, &ret->manifest, err);
	if (r < 0)
		return err_wrap(err, r, "artifact %s", word);
	ret->text = buf_take(&text);
	return 0;
}

int artifact_read(struct engine *eng, const char *word, struct artifact *ret, struct err *err)
{
	struct artifact artifact = { 0 };

	int r = read_found(eng, word, &artifact, err);
	if (r < 0)
		artifact_done(&artifact);
	else
		*ret = artifact;
	return r;
}

int artifact_list(struct engine *eng, struct image_rows *ret, struct err *err)
{
	struct image_rows rows = { 0 };
	size_t k = 0;

	int r = images_list_brief(eng, NULL, true, &rows, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < rows.n; i++) {
		if (rows.items[i].kind == IMAGE_KIND_ARTIFACT)
			rows.items[k++] = rows.items[i];
		else
			image_row_done(&rows.items[i]);
	}
	rows.n = k;
	*ret = rows;
	return 0;
}

static bool is_file_name(const char *name)
{
	if (!*name || strlen(name) > TITLE_MAX || strchr(name, '/') || str_eq(name, ".") ||
	    str_eq(name, ".."))
		return false;
	for (const char *c = name; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	return true;
}

char *artifact_file_name(const struct oci_descriptor *desc, struct err *err)
{
	const char *title = json_map_get(&desc->annotations, ARTIFACT_TITLE);

	if (!title || !*title)
		return xasprintf("sha256-%s", digest_hex(desc->digest));
	if (is_file_name(title))
		return xstrdup(title);
	cleanup_free char *shown = str_escape(title);
	err_fail(err, ERR_INVALID, "title \"%s\" of %s is no file name", shown, desc->digest);
	return NULL;
}

int artifact_open(struct engine *eng, const struct oci_descriptor *desc, struct err *err)
{
	int fd = engine_store(eng, err);

	if (fd == 0)
		fd = store_open_blob(&eng->store, desc->digest);
	if (fd == -ENOENT)
		return err_fail(err, ERR_CORRUPT, "blob %s is not in %s", desc->digest,
				eng->store.root);
	return fd < 0 ? err_errno(err, -fd, "opening blob %s", desc->digest) : fd;
}

/* ---- entering ---- */

int artifact_check_name(struct engine *eng, const char *full, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	struct err own = ERR_INIT;

	int r = images_find(eng, full, &row, &own);
	if (r == 0 && row.kind != IMAGE_KIND_ARTIFACT)
		return err_fail(err, ERR_EXISTS, "%s is the name of an image", full);
	if (r < 0 && own.kind != ERR_NOT_FOUND) {
		if (err)
			*err = own;
		return r;
	}
	return 0;
}

static void fill(struct image *image, const struct oci_manifest *manifest, const char *digest,
		 uint64_t size)
{
	const char *created = json_map_get(&manifest->annotations, ARTIFACT_CREATED);

	image->id = xstrdup(digest);
	image->manifest_digest = xstrdup(digest);
	if (!created || time_parse_rfc3339(created, &image->created_ns) < 0)
		image->created_ns = time_now_ns();
	image_add_content(image, IMAGE_BLOB, digest, size);
	image_add_content(image, IMAGE_BLOB, manifest->config->digest,
			  (uint64_t)manifest->config->size);
	for (size_t i = 0; i < manifest->layers.n; i++) {
		const struct oci_descriptor *layer = &manifest->layers.items[i];

		image_add_content(image, IMAGE_BLOB, layer->digest, (uint64_t)layer->size);
		image->size += (uint64_t)layer->size;
	}
}

/* Its blobs before its manifest, the row when all of them are there. */
static int commit(struct engine *eng, const struct staging *st, const struct image *image,
		  struct err *err)
{
	cleanup_strv char **digests = NULL;

	for (size_t i = image->n_content; i > 0; i--)
		strv_add(&digests, image->content[i - 1].digest);
	int r = store_commit(&eng->store, st, digests, NULL, err);
	for (size_t i = 0; r == 0 && i < image->n_content; i++)
		if (!blob_exists(&eng->store, image->content[i].digest,
				 (int64_t)image->content[i].size))
			r = err_fail(err, ERR_CORRUPT, "blob %s is missing",
				     image->content[i].digest);
	return r < 0 ? r : images_enter(eng, IMAGE_KIND_ARTIFACT, image, 1, err);
}

int artifact_enter(struct engine *eng, const struct staging *st, const struct buf *text,
		   char *const *names, char *const *repo_digests, struct err *err)
{
	cleanup_manifest struct oci_manifest manifest = { 0 };
	struct image image = { 0 };
	char digest[SHA256_TEXT_MAX];

	int r = oci_manifest_parse(buf_str(text), text->len, &manifest, err);
	if (r == 0) {
		sha256_text(buf_str(text), text->len, digest);
		fill(&image, &manifest, digest, text->len);
		strv_extend(&image.names, names);
		strv_extend(&image.repo_digests, repo_digests);
		r = commit(eng, st, &image, err);
	}
	images_added(eng, &image, r == 0);
	image_done(&image);
	return r;
}

/* ---- making ---- */

struct adding {
	struct engine *eng;
	const struct artifact_add_options *options;
	struct staging staging;
	struct oci_manifest manifest;
};

static struct oci_descriptor *layer_new(struct oci_manifest *manifest)
{
	manifest->layers.items = xrealloc(
	    manifest->layers.items, (manifest->layers.n + 1) * sizeof(*manifest->layers.items));
	struct oci_descriptor *desc = &manifest->layers.items[manifest->layers.n++];
	*desc = (struct oci_descriptor){ 0 };
	return desc;
}

static int check_title(const struct adding *ad, const char *title, struct err *err)
{
	if (!is_file_name(title)) {
		cleanup_free char *shown = str_escape(title);
		return err_fail(err, ERR_INVALID, "\"%s\" is no name for a file", shown);
	}
	if (ad->manifest.layers.n >= OCI_LAYERS_MAX)
		return err_fail(err, ERR_LIMIT, "an artifact has at most %d files", OCI_LAYERS_MAX);
	for (size_t i = 0; i < ad->manifest.layers.n; i++)
		if (str_eq(json_map_get(&ad->manifest.layers.items[i].annotations, ARTIFACT_TITLE),
			   title))
			return err_fail(err, ERR_EXISTS, "the artifact has a file %s already",
					title);
	return 0;
}

/* A copy under its digest in the staging directory. */
static int file_stage(struct adding *ad, const struct artifact_file *file, char **ret_digest,
		      uint64_t *ret_size, struct err *err)
{
	struct layout_file copy = LAYOUT_FILE_INIT;
	struct layer_job job;

	int r = layout_create(ad->staging.fd, &copy, err);
	if (r == 0)
		r = layer_digest_start(&ad->eng->store, file->fd, copy.fd, INT64_MAX, &job, err);
	if (r == 0)
		r = layer_digest_finish(&job, ret_digest, ret_size, err);
	if (r == 0 && !digest_valid(*ret_digest))
		r = err_fail(err, ERR_CORRUPT, "inro-layer gave no digest");
	if (r == 0)
		r = layout_name(ad->staging.fd, &copy, digest_hex(*ret_digest), err);
	layout_drop(ad->staging.fd, &copy);
	return r;
}

static int file_add(struct adding *ad, const struct artifact_file *file, struct err *err)
{
	const struct artifact_add_options *o = ad->options;
	cleanup_free char *digest = NULL;
	uint64_t size = 0;

	int r = check_title(ad, file->title, err);
	if (r == 0)
		r = file_stage(ad, file, &digest, &size, err);
	if (r < 0)
		return err_wrap(err, r, "%s", file->title);
	struct oci_descriptor *desc = layer_new(&ad->manifest);
	desc->media_type = xstrdup(o->file_type ? o->file_type : FILE_TYPE);
	desc->digest = take_ptr(digest);
	desc->size = (int64_t)size;
	for (size_t i = 0; i < o->annotations.n; i++)
		json_map_set(&desc->annotations, o->annotations.items[i].key,
			     o->annotations.items[i].value);
	json_map_set(&desc->annotations, ARTIFACT_TITLE, file->title);
	return 0;
}

static int manifest_begin(struct adding *ad, struct err *err)
{
	struct oci_manifest *m = &ad->manifest;
	cleanup_buf struct buf empty = BUF_INIT;
	char digest[SHA256_TEXT_MAX], now[TIME_RFC3339_MAX];

	m->schema_version = 2;
	m->media_type = xstrdup(OCI_MEDIA_MANIFEST);
	m->artifact_type = xstrdup(ad->options->type ? ad->options->type : UNKNOWN_TYPE);
	m->config = xcalloc(1, sizeof(*m->config));
	m->config->media_type = xstrdup(EMPTY_TYPE);
	m->config->digest = xstrdup(sha256_text(EMPTY_TEXT, strlen(EMPTY_TEXT), digest));
	m->config->size = strlen(EMPTY_TEXT);
	m->config->data = xstrdup(EMPTY_BASE64);
	json_map_set(&m->annotations, ARTIFACT_CREATED, time_rfc3339(time_now_ns(), now));
	buf_adds(&empty, EMPTY_TEXT);
	return blob_stage(&ad->staging, digest, &empty, err);
}

/* The manifest that the files are added to: of the artifact that has the name, or a new one. */
static int manifest_open(struct adding *ad, const char *full, struct artifact *old, struct err *err)
{
	const struct artifact_add_options *o = ad->options;
	struct err own = ERR_INIT;

	int r = artifact_check_name(ad->eng, full, err);
	if (r < 0)
		return r;
	r = artifact_read(ad->eng, full, old, &own);
	if (r < 0 && own.kind != ERR_NOT_FOUND) {
		*err = own;
		return r;
	}
	if (r == 0 && !o->append && !o->replace)
		return err_hint(err, err_fail(err, ERR_EXISTS, "artifact %s exists already", full),
				"--append adds to it, --replace takes its place");
	if (r < 0 && o->append)
		return err_fail(err, ERR_NOT_FOUND, "no such artifact: %s", full);
	if (r < 0 || o->replace)
		return manifest_begin(ad, err);
	ad->manifest = old->manifest;
	old->manifest = (struct oci_manifest){ 0 };
	return 0;
}

/* What has lost its last name to a new one goes. */
static int old_remove(struct engine *eng, const struct artifact *old, const char *digest,
		      struct err *err)
{
	cleanup_strv char **names = NULL, **lines = NULL;

	if (!old->row.id || str_eq(old->row.id, digest))
		return 0;
	int r = images_names(eng, old->row.id, &names, err);
	if (r == 0 && !names)
		r = images_remove(eng, old->row.id, true, &lines, err);
	return r;
}

static int add_all(struct adding *ad, const char *full, const struct artifact_file *files, size_t n,
		   char **ret_digest, struct err *err)
{
	cleanup_artifact struct artifact old = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	char *const names[] = { (char *)(uintptr_t)full, NULL };
	char digest[SHA256_TEXT_MAX];

	int r = manifest_open(ad, full, &old, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = file_add(ad, &files[i], err);
	if (r < 0)
		return r;
	oci_manifest_write(&ad->manifest, &text);
	sha256_text(buf_str(&text), text.len, digest);
	r = blob_stage(&ad->staging, digest, &text, err);
	if (r == 0)
		r = artifact_enter(ad->eng, &ad->staging, &text, names, NULL, err);
	if (r == 0)
		r = old_remove(ad->eng, &old, digest, err);
	if (r == 0)
		*ret_digest = xstrdup(digest);
	return r;
}

int artifact_add(struct engine *eng, const char *name, const struct artifact_file *files, size_t n,
		 const struct artifact_add_options *options, char **ret_digest, struct err *err)
{
	struct adding ad = { .eng = eng, .options = options, .staging = STAGING_INIT };
	cleanup_reference struct reference ref = { 0 };
	struct err own = ERR_INIT;

	int r = reference_parse(name, &ref, err);
	if (r < 0)
		return r;
	if (ref.digest)
		return err_fail(err, ERR_INVALID, "the name of an artifact has no digest");
	cleanup_free char *full = reference_format(&ref);
	r = engine_db(eng, err);
	if (r == 0)
		r = engine_store(eng, err);
	if (r == 0)
		r = store_lock_shared(&eng->store, err);
	if (r == 0)
		r = staging_new(&eng->store, &ad.staging, err);
	if (r == 0) {
		r = add_all(&ad, full, files, n, ret_digest, &own);
		if (r < 0 && err)
			*err = own;
	}
	oci_manifest_done(&ad.manifest);
	if (eng->store_open) {
		staging_done(&eng->store, &ad.staging);
		images_added(eng, NULL, 0);
	}
	return r;
}

int artifact_remove(struct engine *eng, const char *word, char **ret_digest, struct err *err)
{
	cleanup_artifact struct artifact artifact = { 0 };
	cleanup_strv char **lines = NULL;

	int r = artifact_read(eng, word, &artifact, err);
	if (r == 0)
		r = images_remove(eng, artifact.row.id, true, &lines, err);
	if (r == 0)
		*ret_digest = xstrdup(artifact.row.id);
	return r;
}

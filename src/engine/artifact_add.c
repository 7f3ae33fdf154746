/* SPDX-License-Identifier: Apache-2.0 */
/* Making artifacts of files, and adding to them. */
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/artifact_internal.h"
#include "engine/db.h"
#include "engine/images_trim.h"
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

struct adding {
	struct engine *eng;
	const struct artifact_add_options *options;
	const struct artifact_file *files;
	size_t n_files;
	char *full; /* the name */
	struct staging staging;
	oci_descriptors descs; /* of the files, once they are staged */
	char *old;             /* id of the artifact that had the name */
};

static void adding_done(struct adding *ad)
{
	for (size_t i = 0; i < ad->descs.n; i++)
		oci_descriptor_done(&ad->descs.items[i]);
	free(ad->descs.items);
	free(ad->full);
	free(ad->old);
	if (ad->eng->store_open)
		staging_done(&ad->eng->store, &ad->staging);
}
#define cleanup_adding CLEANUP(adding_done)

static struct oci_descriptor *desc_new(oci_descriptors *list)
{
	list->items = xrealloc(list->items, (list->n + 1) * sizeof(*list->items));
	struct oci_descriptor *desc = &list->items[list->n++];
	*desc = (struct oci_descriptor){ 0 };
	return desc;
}

/* ---- files ---- */

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

	int r = file_stage(ad, file, &digest, &size, err);
	if (r < 0)
		return err_wrap(err, r, "%s", file->title);
	struct oci_descriptor *desc = desc_new(&ad->descs);
	desc->media_type = xstrdup(o->file_type ? o->file_type : FILE_TYPE);
	desc->digest = take_ptr(digest);
	desc->size = (int64_t)size;
	json_map_set(&desc->annotations, ARTIFACT_TITLE, file->title);
	for (size_t i = 0; i < o->annotations.n; i++)
		json_map_set(&desc->annotations, o->annotations.items[i].key,
			     o->annotations.items[i].value);
	return 0;
}

/* The user's, or what the file is called. */
static const char *title_of(const struct adding *ad, size_t file)
{
	const char *title = json_map_get(&ad->options->annotations, ARTIFACT_TITLE);

	return title ? title : ad->files[file].title;
}

static int check_title(const struct adding *ad, const struct oci_manifest *manifest, size_t file,
		       struct err *err)
{
	const char *title = title_of(ad, file);
	bool taken = false;

	if (!artifact_title_valid(title)) {
		cleanup_free char *shown = str_escape(title);
		return err_fail(err, ERR_INVALID, "\"%s\" is no name for a file", shown);
	}
	for (size_t i = 0; i < file; i++)
		taken = taken || str_eq(title_of(ad, i), title);
	for (size_t i = 0; i < manifest->layers.n; i++)
		taken = taken ||
			str_eq(json_map_get(&manifest->layers.items[i].annotations, ARTIFACT_TITLE),
			       title);
	return taken ? err_fail(err, ERR_EXISTS, "the artifact has a file %s already", title) : 0;
}

/* ---- the manifest ---- */

static void manifest_begin(const struct adding *ad, struct oci_manifest *m)
{
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
}

/* The one that the files are added to: of the artifact that has the name, or a new one. */
static int manifest_choose(struct adding *ad, struct oci_manifest *ret, struct err *err)
{
	const struct artifact_add_options *o = ad->options;
	cleanup_image_row struct image_row row = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	struct err own = ERR_INIT;

	int r = images_find(ad->eng, ad->full, &row, &own);
	if (r < 0 && own.kind != ERR_NOT_FOUND) {
		*err = own;
		return r;
	}
	if (r == 0 && row.kind != IMAGE_KIND_ARTIFACT)
		return err_fail(err, ERR_EXISTS, "%s is the name of an image", ad->full);
	if (r == 0 && !o->append && !o->replace)
		return err_hint(err,
				err_fail(err, ERR_EXISTS, "artifact %s exists already", ad->full),
				"--append adds to it, --replace takes its place");
	if (r < 0 && o->append)
		return err_fail(err, ERR_NOT_FOUND, "no such artifact: %s", ad->full);
	free(ad->old);
	ad->old = take_ptr(row.id);
	if (!o->append) {
		manifest_begin(ad, ret);
		return 0;
	}
	r = artifact_read_manifest(ad->eng, &row, ret, &text, err);
	return r < 0 ? err_wrap(err, r, "artifact %s", ad->full) : 0;
}

/* Can it take the files? */
static int manifest_open(struct adding *ad, struct oci_manifest *ret, struct err *err)
{
	int r = manifest_choose(ad, ret, err);

	if (r == 0 && ret->layers.n + ad->n_files > OCI_LAYERS_MAX)
		r = err_fail(err, ERR_LIMIT, "an artifact has at most %d files", OCI_LAYERS_MAX);
	for (size_t i = 0; r == 0 && i < ad->n_files; i++)
		r = check_title(ad, ret, i, err);
	return r;
}

/* Says so before the files are read, which may take long. */
static int check_first(struct adding *ad, struct err *err)
{
	cleanup_manifest struct oci_manifest manifest = { 0 };

	return manifest_open(ad, &manifest, err);
}

static int texts_stage(struct adding *ad, const struct oci_manifest *manifest, struct buf *text,
		       struct err *err)
{
	cleanup_buf struct buf empty = BUF_INIT;
	char digest[SHA256_TEXT_MAX];

	buf_adds(&empty, EMPTY_TEXT);
	int r = blob_stage(&ad->staging, sha256_text(EMPTY_TEXT, empty.len, digest), &empty, err);
	if (r < 0)
		return r;
	oci_manifest_write(manifest, text);
	return blob_stage(&ad->staging, sha256_text(buf_str(text), text->len, digest), text, err);
}

/* ---- the whole ---- */

/* What the name stands for now is what is added to: somebody else may have added meanwhile. What
 * has lost its last name to the new one goes: 1. */
static int enter_within(struct adding *ad, struct image *image, struct err *err)
{
	cleanup_manifest struct oci_manifest manifest = { 0 };
	cleanup_buf struct buf text = BUF_INIT;

	int r = manifest_open(ad, &manifest, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ad->descs.n; i++) {
		*desc_new(&manifest.layers) = ad->descs.items[i];
		ad->descs.items[i] = (struct oci_descriptor){ 0 };
	}
	strv_add(&image->names, ad->full);
	r = texts_stage(ad, &manifest, &text, err);
	if (r == 0)
		r = artifact_enter_within(ad->eng, &ad->staging, &text, image, err);
	if (r == 0 && ad->old && !str_eq(ad->old, image->id))
		r = images_remove_nameless_within(ad->eng, ad->old, err);
	return r;
}

static int enter(struct adding *ad, char **ret_digest, struct err *err)
{
	struct image image = { 0 };
	struct err own = ERR_INIT;
	bool garbage = false;
	uint64_t freed;

	int r = db_begin(ad->eng->db, err);
	if (r == 0) {
		r = enter_within(ad, &image, err);
		garbage = r > 0;
		r = db_end(ad->eng->db, r, err);
	}
	/* the files may be removed next */
	r = images_added_safely(ad->eng, &image, 1, r, err);
	if (r == 0)
		*ret_digest = xstrdup(image.id);
	if (r == 0 && garbage && images_collect(ad->eng, &freed, &own) < 0)
		log_warn("%s", own.msg);
	image_done(&image);
	return r;
}

static int add(struct adding *ad, char **ret_digest, struct err *err)
{
	int r = engine_db(ad->eng, err);

	if (r == 0)
		r = engine_store(ad->eng, err);
	if (r == 0)
		r = check_first(ad, err);
	if (r == 0)
		r = store_lock_shared(&ad->eng->store, err);
	if (r == 0)
		r = staging_new(&ad->eng->store, &ad->staging, err);
	for (size_t i = 0; r == 0 && i < ad->n_files; i++)
		r = file_add(ad, &ad->files[i], err);
	return r < 0 ? r : enter(ad, ret_digest, err);
}

int artifact_add(struct engine *eng, const char *name, const struct artifact_file *files, size_t n,
		 const struct artifact_add_options *options, char **ret_digest, struct err *err)
{
	cleanup_adding struct adding ad = { .eng = eng,
					    .options = options,
					    .files = files,
					    .n_files = n,
					    .staging = STAGING_INIT };
	cleanup_reference struct reference ref = { 0 };
	const int64_t start_ns = time_now_ns();
	struct err own = ERR_INIT;

	int r = reference_parse(name, &ref, err);
	if (r < 0)
		return r;
	if (ref.digest)
		return err_fail(err, ERR_INVALID, "the name of an artifact has no digest");
	ad.full = reference_format(&ref);
	r = add(&ad, ret_digest, &own);
	if (r < 0 && eng->store_open)
		images_added(eng, NULL, 0);
	if (r < 0 && err)
		*err = own;
	if (r == 0)
		images_keep_budget(eng, start_ns);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "image/save.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/convert.h"
#include "image/layout.h"
#include "image/save_out.h"
#include "image/sha256.h"
#include "oci/digest.h"
#include "oci/reference.h"

#define BLOBS         "blobs/sha256"
#define DEPTH_MAX     4    /* indexes inside each other */
#define DOCUMENTS_MAX 8192 /* manifests and indexes that indexes name */

const char *const save_format_names[] = { "docker-archive", "oci-archive", "oci-dir", "docker-dir",
					  NULL };

struct save_blob {
	char *digest;
	uint64_t size;
};

struct save {
	struct image_store *store; /* NULL: blobs_fd is all there is */
	const struct save_options *opts;
	struct save_out out;
	int blobs_fd;
	struct save_blob *blobs;
	size_t n_blobs, cap_blobs;
	char **documents; /* digests of those that indexes name, each once */
	size_t n_documents;
	struct oci_index index;
	struct docker_archive docker;
	struct buf manifest;    /* the last one that was read */
	struct staging staging; /* blobs and manifests that were made for the archive */
};

static int blob_open(const struct save *sv, const char *digest)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC;
	int fd = -1;

	if (sv->staging.name)
		fd = openat(sv->staging.fd, digest_hex(digest), flags);
	return fd >= 0 ? fd : openat(sv->blobs_fd, digest_hex(digest), flags);
}

static bool is_staged(const struct save *sv, const char *digest)
{
	cleanup_fd int fd = sv->staging.name ? openat(sv->staging.fd, digest_hex(digest),
						      O_PATH | O_NOFOLLOW | O_CLOEXEC)
					     : -EBADF;

	return fd >= 0;
}

/* ---- what there is to save ---- */

/* size < 0: any. */
static bool has_blob(const struct save *sv, const char *digest, int64_t size)
{
	struct stat st;

	if (is_staged(sv, digest))
		return true;
	if (sv->store)
		return blob_exists(sv->store, digest, size);
	return fstatat(sv->blobs_fd, digest_hex(digest), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && (size < 0 || st.st_size == size);
}

static int read_blob(const struct save *sv, const char *digest, struct buf *out, struct err *err)
{
	return sv->store ? blob_read(sv->store, digest, out, err)
			 : blob_read_at(sv->blobs_fd, digest, out, err);
}

static int add_blob(struct save *sv, const char *digest, int64_t size, struct err *err)
{
	if (!digest_valid(digest) || !str_starts(digest, "sha256:"))
		return err_fail(err, ERR_UNSUPPORTED, "not a sha256 digest: %s", digest);
	if (!has_blob(sv, digest, size))
		return err_fail(err, ERR_CORRUPT, "blob %s of %" PRId64 " bytes is not in %s",
				digest, size, sv->store ? sv->store->root : "what was copied");
	if (sv->n_blobs == sv->cap_blobs) {
		sv->cap_blobs = sv->cap_blobs ? 2 * sv->cap_blobs : 64;
		sv->blobs = xrealloc(sv->blobs, sv->cap_blobs * sizeof(*sv->blobs));
	}
	sv->blobs[sv->n_blobs++] =
	    (struct save_blob){ .digest = xstrdup(digest), .size = (uint64_t)size };
	return 0;
}

/* Reads the document and has it saved. */
static int read_document(struct save *sv, const char *digest, struct err *err)
{
	int r = read_blob(sv, digest, &sv->manifest, err);

	return r < 0 ? r : add_blob(sv, digest, (int64_t)sv->manifest.len, err);
}

/* The manifest's layers as plain tars, and so another manifest. */
static int uncompress(struct save *sv, struct oci_manifest *manifest, char **ret_digest,
		      struct err *err)
{
	const struct convert_options options = { .to = CONVERT_PLAIN, .all = true };
	char digest[SHA256_TEXT_MAX];
	int r = sv->staging.name ? 0 : staging_new(sv->store, &sv->staging, err);

	if (r == 0)
		r = convert_layers(sv->store, &sv->staging, &options, manifest, err);
	if (r <= 0)
		return r;
	buf_reset(&sv->manifest);
	oci_manifest_write(manifest, &sv->manifest);
	sha256_text(buf_str(&sv->manifest), sv->manifest.len, digest);
	free(*ret_digest);
	*ret_digest = xstrdup(digest);
	return blob_stage(&sv->staging, digest, &sv->manifest, err);
}

/* A foreign layer that nobody has fetched: the manifest says where it is. docker's list of files
 * has no place for that. */
static bool is_left_out(const struct save *sv, const struct oci_descriptor *layer)
{
	return oci_media_kind(layer->media_type) == OCI_IS_FOREIGN &&
	       sv->opts->format != SAVE_DOCKER_ARCHIVE && !has_blob(sv, layer->digest, layer->size);
}

/* *ret_digest: what the archive has it under. Heap; may be NULL. */
static int add_manifest(struct save *sv, const char *digest, struct oci_manifest *ret,
			char **ret_digest, struct err *err)
{
	cleanup_free char *saved = xstrdup(digest);
	int r = read_blob(sv, digest, &sv->manifest, err);

	if (r == 0)
		r = oci_manifest_parse(buf_str(&sv->manifest), sv->manifest.len, ret, err);
	if (r == 0 && sv->opts->uncompressed)
		r = uncompress(sv, ret, &saved, err);
	if (r == 0)
		r = add_blob(sv, saved, (int64_t)sv->manifest.len, err);
	if (r == 0)
		r = add_blob(sv, ret->config->digest, ret->config->size, err);
	for (size_t i = 0; r == 0 && i < ret->layers.n; i++)
		if (!is_left_out(sv, &ret->layers.items[i]))
			r = add_blob(sv, ret->layers.items[i].digest, ret->layers.items[i].size,
				     err);
	if (r == 0 && ret_digest)
		*ret_digest = take_ptr(saved);
	return r < 0 ? err_wrap(err, r, "manifest %s", digest) : 0;
}

static int add_index(struct save *sv, const char *digest, int depth, char **ret_type,
		     struct err *err);

/* 1: it was seen before. Indexes may name one document as often as they like. */
static int note_document(struct save *sv, const char *digest, struct err *err)
{
	if (strv_has(sv->documents, digest))
		return 1;
	if (sv->n_documents++ == DOCUMENTS_MAX)
		return err_fail(err, ERR_LIMIT, "more than %d manifests in an index",
				DOCUMENTS_MAX);
	strv_add(&sv->documents, digest);
	return 0;
}

/* Of an index's images the store has those that were pulled. */
static int add_member(struct save *sv, const struct oci_descriptor *desc, int depth,
		      struct err *err)
{
	cleanup_manifest struct oci_manifest manifest = { 0 };
	int r;

	if (!digest_valid(desc->digest) || !has_blob(sv, desc->digest, -1))
		return 0;
	r = note_document(sv, desc->digest, err);
	if (r != 0)
		return r < 0 ? r : 0;
	if (oci_media_kind(desc->media_type) == OCI_IS_INDEX)
		return add_index(sv, desc->digest, depth + 1, NULL, err);
	return add_manifest(sv, desc->digest, &manifest, NULL, err);
}

static int add_index(struct save *sv, const char *digest, int depth, char **ret_type,
		     struct err *err)
{
	cleanup_index struct oci_index index = { 0 };

	if (depth > DEPTH_MAX)
		return err_fail(err, ERR_LIMIT, "more than %d indexes inside each other",
				DEPTH_MAX);
	if (sv->opts->uncompressed)
		return err_fail(err, ERR_UNSUPPORTED, "--uncompressed is for single images");
	int r = read_document(sv, digest, err);
	if (r == 0)
		r = oci_index_parse(buf_str(&sv->manifest), sv->manifest.len, &index, err);
	if (r < 0)
		return err_wrap(err, r, "index %s", digest);
	if (ret_type)
		*ret_type = take_ptr(index.media_type);
	for (size_t i = 0; r == 0 && i < index.manifests.n; i++)
		r = add_member(sv, &index.manifests.items[i], depth, err);
	return r;
}

/* As docker does it: one entry of index.json for each name. */
static void add_descriptor(struct save *sv, const char *digest, const char *media_type,
			   int64_t size, const char *name)
{
	size_t n = sv->index.manifests.n++;

	sv->index.manifests.items =
	    xrealloc(sv->index.manifests.items, (n + 1) * sizeof(*sv->index.manifests.items));
	struct oci_descriptor *desc = &sv->index.manifests.items[n];
	*desc = (struct oci_descriptor){ .media_type = xstrdup(media_type),
					 .digest = xstrdup(digest),
					 .size = size };
	cleanup_reference struct reference ref = { 0 };
	if (!name || reference_parse(name, &ref, NULL) < 0)
		return;
	json_map_set(&desc->annotations, LAYOUT_NAME, name);
	if (ref.tag)
		json_map_set(&desc->annotations, LAYOUT_REF, ref.tag);
}

static char *blob_path(const char *digest)
{
	return xasprintf(BLOBS "/%s", digest_hex(digest));
}

static void add_docker_entry(struct save *sv, const struct save_image *image,
			     const struct oci_manifest *manifest)
{
	size_t n = sv->docker.entries.n++;

	sv->docker.entries.items =
	    xrealloc(sv->docker.entries.items, (n + 1) * sizeof(*sv->docker.entries.items));
	struct docker_archive_entry *entry = &sv->docker.entries.items[n];
	*entry = (struct docker_archive_entry){ .config = blob_path(manifest->config->digest) };
	for (size_t i = 0; image->names && image->names[i]; i++) {
		cleanup_reference struct reference ref = { 0 };
		if (reference_parse(image->names[i], &ref, NULL) == 0)
			strv_take(&entry->repo_tags, reference_familiar(&ref));
	}
	for (size_t i = 0; i < manifest->layers.n; i++)
		strv_take(&entry->layers, blob_path(manifest->layers.items[i].digest));
}

/* Of one that is among what is saved. */
static int64_t document_size(const struct save *sv, const char *digest)
{
	for (size_t i = 0; i < sv->n_blobs; i++)
		if (str_eq(sv->blobs[i].digest, digest))
			return (int64_t)sv->blobs[i].size;
	return 0;
}

/* The last entry gets this name alone: what copies between layouts keep. */
static void name_descriptor(struct save *sv, const char *ref)
{
	struct oci_descriptor *desc = &sv->index.manifests.items[sv->index.manifests.n - 1];

	if (ref)
		json_map_set(&desc->annotations, LAYOUT_REF, ref);
}

static int add_image(struct save *sv, const struct save_image *image, struct err *err)
{
	cleanup_manifest struct oci_manifest manifest = { 0 };
	cleanup_free char *index_type = NULL, *digest = NULL;
	const char *type;
	int64_t size;
	int r;

	if (image->list)
		r = add_index(sv, image->manifest, 0, &index_type, err);
	else
		r = add_manifest(sv, image->manifest, &manifest, &digest, err);
	if (r < 0)
		return r;
	if (image->list)
		digest = xstrdup(image->manifest);
	size = document_size(sv, digest);
	type = image->list           ? (index_type ? index_type : OCI_MEDIA_INDEX)
	       : manifest.media_type ? manifest.media_type
				     : OCI_MEDIA_MANIFEST;
	if (!strv_len(image->names)) {
		add_descriptor(sv, digest, type, size, NULL);
		name_descriptor(sv, image->ref);
	}
	for (size_t i = 0; image->names && image->names[i]; i++)
		add_descriptor(sv, digest, type, size, image->names[i]);
	/* docker's list has images only. */
	if (!image->list && oci_media_kind(manifest.config->media_type) == OCI_IS_CONFIG)
		add_docker_entry(sv, image, &manifest);
	return 0;
}

/* ---- writing ---- */

static int blob_compare(const void *a, const void *b)
{
	return strcmp(((const struct save_blob *)a)->digest, ((const struct save_blob *)b)->digest);
}

static int check_cancelled(const struct save *sv, struct err *err)
{
	struct pollfd p = { .fd = sv->opts->cancel_fd, .events = POLLIN };

	if (sv->opts->cancel_fd <= 0 || poll(&p, 1, 0) <= 0)
		return 0;
	return err_errno(err, ECANCELED, "saving images");
}

static int write_blob(struct save *sv, const struct save_blob *blob, const char *name,
		      struct err *err)
{
	cleanup_fd int fd = blob_open(sv, blob->digest);

	if (fd < 0)
		return err_errno(err, errno, "opening blob %s", blob->digest);
	return save_out_file(&sv->out, name, fd, blob->size, err);
}

/* Each once, in the order of their digests. skip: left out. */
static int write_blobs(struct save *sv, const char *dir, const char *skip, struct err *err)
{
	int r = 0;

	if (sv->n_blobs)
		qsort(sv->blobs, sv->n_blobs, sizeof(*sv->blobs), blob_compare);
	for (size_t i = 0; r == 0 && i < sv->n_blobs; i++) {
		const struct save_blob *blob = &sv->blobs[i];
		cleanup_free char *name = xasprintf("%s%s", dir, digest_hex(blob->digest));
		if ((i > 0 && str_eq(blob->digest, sv->blobs[i - 1].digest)) ||
		    str_eq(blob->digest, skip))
			continue;
		r = check_cancelled(sv, err);
		if (r == 0)
			r = write_blob(sv, blob, name, err);
	}
	return r;
}

static int write_words(struct save *sv, const char *name, const char *words, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	buf_adds(&text, words);
	return save_out_text(&sv->out, name, &text, err);
}

/* The documents come first: who looks for one in an archive need not read it to its end. */
static int write_layout(struct save *sv, struct err *err)
{
	cleanup_buf struct buf index = BUF_INIT, docker = BUF_INIT;

	sv->index.schema_version = 2;
	sv->index.media_type = xstrdup(OCI_MEDIA_INDEX);
	oci_index_write(&sv->index, &index);
	docker_archive_write(&sv->docker, &docker);
	int r = write_words(sv, "oci-layout", LAYOUT_TEXT, err);
	if (r == 0)
		r = save_out_text(&sv->out, "index.json", &index, err);
	if (r == 0 && sv->opts->format == SAVE_DOCKER_ARCHIVE && sv->docker.entries.n)
		r = save_out_text(&sv->out, "manifest.json", &docker, err);
	if (r == 0)
		r = save_out_dir(&sv->out, "blobs", err);
	if (r == 0)
		r = save_out_dir(&sv->out, BLOBS, err);
	return r < 0 ? r : write_blobs(sv, BLOBS "/", NULL, err);
}

static int write_docker_dir(struct save *sv, const struct save_image *images, size_t n,
			    struct err *err)
{
	if (n != 1 || images[0].list)
		return err_fail(err, ERR_USAGE, "%s holds one image for one platform",
				save_format_names[SAVE_DOCKER_DIR]);
	/* the manifest has a name of its own there */
	const char *skip = sv->index.manifests.items[0].digest;
	int r = write_words(sv, "version", DIR_VERSION, err);
	if (r == 0)
		r = save_out_text(&sv->out, "manifest.json", &sv->manifest, err);
	return r < 0 ? r : write_blobs(sv, "", skip, err);
}

static int save_images(struct save *sv, const struct save_image *images, size_t n, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_image(sv, &images[i], err);
	if (r == 0)
		r = sv->opts->format == SAVE_DOCKER_DIR ? write_docker_dir(sv, images, n, err)
							: write_layout(sv, err);
	return r < 0 ? r : save_out_end(&sv->out, err);
}

static struct save save_init(const struct save_options *opts, int out_fd)
{
	return (struct save){ .opts = opts,
			      .out = { .fd = out_fd,
				       .dir = save_format_is_dir(opts->format),
				       .mtime = opts->mtime },
			      .blobs_fd = -EBADF,
			      .staging = STAGING_INIT };
}

static void save_done(struct save *sv)
{
	for (size_t i = 0; i < sv->n_blobs; i++)
		free(sv->blobs[i].digest);
	free(sv->blobs);
	strv_free(sv->documents);
	buf_done(&sv->out.pending);
	buf_done(&sv->manifest);
	oci_index_done(&sv->index);
	docker_archive_done(&sv->docker);
}

int image_save_blobs(int blobs_fd, const struct save_image *images, size_t n,
		     const struct save_options *opts, int out_fd, struct err *err)
{
	struct save sv = save_init(opts, out_fd);

	sv.blobs_fd = blobs_fd;
	int r = save_images(&sv, images, n, err);
	save_done(&sv);
	return r < 0 ? err_wrap(err, r, "saving images") : 0;
}

int image_save(struct image_store *store, const struct save_image *images, size_t n,
	       const struct save_options *opts, int out_fd, struct err *err)
{
	struct save sv = save_init(opts, out_fd);

	sv.store = store;
	int r = store_lock_shared(store, err);
	if (r == 0)
		r = sv.blobs_fd = store_open_dir(store, BLOBS, err);
	if (r >= 0)
		r = save_images(&sv, images, n, err);
	fd_close(sv.blobs_fd);
	staging_done(store, &sv.staging);
	save_done(&sv);
	return r < 0 ? err_wrap(err, r, "saving images") : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/artifact.h"

#include <inttypes.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/artifact_internal.h"
#include "engine/db.h"
#include "image/layout.h"
#include "image/sha256.h"
#include "oci/digest.h"

#define TITLE_MAX 255

void artifact_done(struct artifact *artifact)
{
	image_row_done(&artifact->row);
	oci_manifest_done(&artifact->manifest);
	free(take_ptr(artifact->text));
}

/* ---- reading ---- */

static int find(struct engine *eng, const char *word, struct image_row *ret, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	int r = images_find_whole(eng, word, &row, err);

	if (r < 0)
		return err && err->kind == ERR_NOT_FOUND
			   ? err_fail(err, ERR_NOT_FOUND, "no such artifact: %s", word)
			   : r;
	if (row.kind != IMAGE_KIND_ARTIFACT)
		return err_fail(err, ERR_NOT_FOUND, "no such artifact: %s (it is %s)", word,
				row.kind == IMAGE_KIND_LIST ? "a list of manifests" : "an image");
	*ret = row;
	row = (struct image_row){ 0 };
	return 0;
}

int artifact_read_manifest(struct engine *eng, const struct image_row *row,
			   struct oci_manifest *ret, struct buf *text, struct err *err)
{
	int r = engine_store(eng, err);

	if (r == 0)
		r = blob_read(&eng->store, row->manifest, text, err);
	if (r == 0)
		r = oci_manifest_parse(buf_str(text), text->len, ret, err);
	/* the artifact is there, and broken */
	if (r < 0 && err && err->kind == ERR_NOT_FOUND)
		err_set_kind(err, r, ERR_CORRUPT);
	return r;
}

int artifact_read(struct engine *eng, const char *word, struct artifact *ret, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct artifact artifact = { 0 };

	int r = find(eng, word, &artifact.row, err);
	if (r < 0)
		return r;
	r = artifact_read_manifest(eng, &artifact.row, &artifact.manifest, &text, err);
	if (r < 0) {
		artifact_done(&artifact);
		return err_wrap(err, r, "artifact %s", word);
	}
	artifact.text = buf_take(&text);
	*ret = artifact;
	return 0;
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

/* ---- files ---- */

bool artifact_title_valid(const char *title)
{
	if (!*title || strlen(title) > TITLE_MAX || strchr(title, '/') || str_eq(title, ".") ||
	    str_eq(title, ".."))
		return false;
	for (const unsigned char *c = (const unsigned char *)title; *c;) {
		size_t n = str_utf8_len((const char *)c);

		/* the C1 controls are U+0080 to U+009F */
		if (n == 0 || *c < ' ' || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0))
			return false;
		c += n;
	}
	return true;
}

/* What the file of a blob is called. The caller frees. NULL: it is no name, see err. */
static char *file_name(const struct oci_descriptor *desc, const struct artifact_choice *choice,
		       struct err *err)
{
	const char *title = json_map_get(&desc->annotations, ARTIFACT_TITLE);

	if (choice->digest || !title || !*title)
		return xasprintf("sha256-%s", digest_hex(desc->digest));
	if (artifact_title_valid(title))
		return xstrdup(title);
	cleanup_free char *shown = str_escape(title);
	err_fail(err, ERR_INVALID, "title \"%s\" of %s is no file name", shown, desc->digest);
	return NULL;
}

static bool is_chosen(const struct artifact *artifact, const struct artifact_choice *choice,
		      size_t i)
{
	const struct oci_descriptor *files = artifact->manifest.layers.items;

	if (choice->title)
		return str_eq(json_map_get(&files[i].annotations, ARTIFACT_TITLE), choice->title);
	/* the same bytes under several titles are one file */
	for (size_t k = 0; choice->digest && k < i; k++)
		if (str_eq(files[k].digest, choice->digest))
			return false;
	return !choice->digest || str_eq(files[i].digest, choice->digest);
}

size_t artifact_count(const struct artifact *artifact, const struct artifact_choice *choice)
{
	size_t n = 0;

	for (size_t i = 0; i < artifact->manifest.layers.n; i++)
		n += is_chosen(artifact, choice, i);
	return n;
}

static int blob_copy(struct engine *eng, const struct oci_descriptor *desc, int out,
		     struct err *err)
{
	if (!blob_exists(&eng->store, desc->digest, desc->size))
		return err_hint(err,
				err_fail(err, ERR_CORRUPT, "blob %s is not whole in %s",
					 desc->digest, eng->store.root),
				"`inro artifact pull` gets it again");
	cleanup_fd int fd = store_open_blob(&eng->store, desc->digest);
	if (fd < 0)
		return err_errno(err, -fd, "opening blob %s", desc->digest);
	int64_t n = io_copy(fd, out);
	if (n < 0)
		return err_errno(err, (int)-n, "copying blob %s", desc->digest);
	if (n != desc->size)
		return err_fail(err, ERR_CORRUPT,
				"blob %s has %" PRId64 " bytes instead of %" PRId64, desc->digest,
				n, desc->size);
	return 0;
}

/* Nothing of it is collected meanwhile. */
static int use_begin(struct engine *eng, struct err *err)
{
	int r = engine_store(eng, err);

	return r < 0 ? r : store_lock_shared(&eng->store, err);
}

static int use_end(struct engine *eng, const struct artifact *artifact, int r)
{
	if (r == 0)
		images_used(eng, &artifact->row);
	if (eng->store_open)
		images_added(eng, NULL, 0); /* gives the lock back */
	return r;
}

int artifact_write(struct engine *eng, const struct artifact *artifact,
		   const struct artifact_choice *choice, int out_fd, struct err *err)
{
	int r = use_begin(eng, err);

	for (size_t i = 0; r == 0 && i < artifact->manifest.layers.n; i++)
		if (is_chosen(artifact, choice, i))
			r = blob_copy(eng, &artifact->manifest.layers.items[i], out_fd, err);
	return use_end(eng, artifact, r);
}

/* The name of each file that is chosen, NULL for the others, before one of them is written: they
 * must be names of one file each, and nothing but a regular file may have one of them. */
static int names_make(const struct artifact *artifact, const struct artifact_choice *choice,
		      int dir_fd, char **names, struct err *err)
{
	struct stat st;

	for (size_t i = 0; i < artifact->manifest.layers.n; i++) {
		if (!is_chosen(artifact, choice, i))
			continue;
		names[i] = file_name(&artifact->manifest.layers.items[i], choice, err);
		if (!names[i])
			return -EINVAL;
		for (size_t k = 0; k < i; k++)
			if (str_eq(names[k], names[i]))
				return err_hint(err,
						err_fail(err, ERR_INVALID,
							 "two files of the artifact are called %s",
							 names[i]),
						"--digest chooses one of them");
		if (fstatat(dir_fd, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    !S_ISREG(st.st_mode))
			return err_fail(err, ERR_EXISTS, "%s is there, and no regular file",
					names[i]);
	}
	return 0;
}

/* By a rename: a link that somebody puts there meanwhile is replaced, not followed. */
static int file_write(struct engine *eng, const struct oci_descriptor *desc, int dir_fd,
		      const char *name, struct err *err)
{
	struct layout_file file = LAYOUT_FILE_INIT;

	int r = layout_create(dir_fd, &file, err);
	if (r == 0)
		r = blob_copy(eng, desc, file.fd, err);
	if (r == 0)
		r = layout_name(dir_fd, &file, name, err);
	layout_drop(dir_fd, &file);
	return r < 0 ? err_wrap(err, r, "%s", name) : 0;
}

int artifact_extract(struct engine *eng, const struct artifact *artifact,
		     const struct artifact_choice *choice, int dir_fd, struct err *err)
{
	size_t n = artifact->manifest.layers.n;
	cleanup_free char **names = xcalloc(n + 1, sizeof(*names));

	int r = use_begin(eng, err);
	if (r == 0)
		r = names_make(artifact, choice, dir_fd, names, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (names[i])
			r = file_write(eng, &artifact->manifest.layers.items[i], dir_fd, names[i],
				       err);
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	return use_end(eng, artifact, r);
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

int artifact_enter_within(struct engine *eng, const struct staging *st, const struct buf *text,
			  struct image *image, struct err *err)
{
	cleanup_manifest struct oci_manifest manifest = { 0 };
	cleanup_strv char **digests = NULL;
	char digest[SHA256_TEXT_MAX];

	int r = oci_manifest_parse(buf_str(text), text->len, &manifest, err);
	if (r < 0)
		return r;
	sha256_text(buf_str(text), text->len, digest);
	fill(image, &manifest, digest, text->len);
	/* Its blobs before its manifest, the row when all of them are there. */
	for (size_t i = image->n_content; i > 0; i--)
		strv_add(&digests, image->content[i - 1].digest);
	r = store_commit(&eng->store, st, digests, NULL, err);
	for (size_t i = 0; r == 0 && i < image->n_content; i++)
		if (!blob_exists(&eng->store, image->content[i].digest,
				 (int64_t)image->content[i].size))
			r = err_fail(err, ERR_CORRUPT, "blob %s is missing",
				     image->content[i].digest);
	return r < 0 ? r : images_enter_within(eng, IMAGE_KIND_ARTIFACT, image, 1, err);
}

int artifact_enter(struct engine *eng, const struct staging *st, const struct buf *text,
		   char *const *names, char *const *repo_digests, struct err *err)
{
	struct image image = { 0 };

	strv_extend(&image.names, names);
	strv_extend(&image.repo_digests, repo_digests);
	int r = db_begin(eng->db, err);
	if (r == 0) {
		for (size_t i = 0; r == 0 && names && names[i]; i++)
			r = artifact_check_name(eng, names[i], err);
		if (r == 0)
			r = artifact_enter_within(eng, st, text, &image, err);
		r = db_end(eng->db, r, err);
	}
	images_added(eng, &image, r == 0);
	image_done(&image);
	return r;
}

int artifact_remove(struct engine *eng, const char *word, char **ret_digest, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	cleanup_strv char **lines = NULL;

	/* What is broken can be removed, too. */
	int r = find(eng, word, &row, err);
	if (r == 0)
		r = images_remove(eng, row.id, true, &lines, err);
	if (r == 0)
		*ret_digest = xstrdup(row.id);
	return r;
}

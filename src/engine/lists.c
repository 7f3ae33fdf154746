/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/lists.h"

#include "base/hex.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/db.h"
#include "image/sha256.h"
#include "image/store.h"
#include "oci/digest.h"
#include "oci/reference.h"

#define DEPTH_MAX 3 /* indexes in indexes */

void list_done(struct list *list)
{
	image_row_done(&list->row);
	oci_index_done(&list->index);
}

/* How to get one again whose index is missing or damaged. */
static void hint_again(struct engine *eng, const struct image_row *row, struct err *err)
{
	cleanup_image_row struct image_row whole = { 0 };
	cleanup_reference struct reference ref = { 0 };
	cleanup_free char *name = NULL;

	err->hint[0] = '\0';
	if (images_find_whole(eng, row->id, &whole, NULL) < 0)
		return;
	if (whole.names && reference_parse(whole.names[0], &ref, NULL) == 0)
		name = reference_familiar(&ref);
	if (whole.repo_digests && whole.repo_digests[0])
		err_hint(err, 0, "get the list again: inro image copy --all docker://%s%s%s",
			 whole.repo_digests[0], name ? " " : "", name ? name : "");
	else
		err_hint(err, 0,
			 "copy the list here again, or remove it (inro manifest rm %s) and "
			 "make it again",
			 name ? name : row->id);
}

int lists_read_index(struct engine *eng, const struct image_row *row, struct oci_index *ret,
		     struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r = engine_store(eng, err);

	if (r == 0)
		r = blob_read(&eng->store, row->manifest, &text, err);
	if (r == 0)
		r = oci_index_parse(buf_str(&text), text.len, ret, err);
	/* the list is there, and broken */
	if (r < 0 && err && err->kind == ERR_NOT_FOUND)
		err_set_kind(err, r, ERR_CORRUPT);
	if (r < 0 && err && err->kind == ERR_CORRUPT)
		hint_again(eng, row, err);
	return r < 0 ? err_wrap(err, r, "list %s", row->manifest) : 0;
}

int lists_find(struct engine *eng, const char *word, struct image_row *ret, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	int r = images_find_whole(eng, word, &row, err);

	if (r < 0)
		return r;
	if (row.kind != IMAGE_KIND_LIST)
		return err_fail(err, ERR_CONFLICT, "%s is an %s, not a manifest list", word,
				image_kind_names[row.kind]);
	*ret = row;
	row = (struct image_row){ 0 };
	return 0;
}

int lists_open(struct engine *eng, const char *word, struct list *ret, struct err *err)
{
	cleanup_list struct list list = { 0 };
	int r = lists_find(eng, word, &list.row, err);

	if (r == 0)
		r = lists_read_index(eng, &list.row, &list.index, err);
	if (r < 0)
		return r;
	*ret = list;
	list = (struct list){ 0 };
	return 0;
}

/* ---- what a list needs ---- */

static bool is_here(struct engine *eng, const char *digest)
{
	return digest_valid(digest) && str_starts(digest, "sha256:") &&
	       blob_exists(&eng->store, digest, -1);
}

static void add_blob(struct engine *eng, struct image *image, const char *digest)
{
	if (is_here(eng, digest))
		image_add_content(image, IMAGE_BLOB, digest, blob_size(&eng->store, digest));
}

/* seen: members that were read, by their digests; an index may name one thousands of times. */
static void add_member(struct engine *eng, struct image *image, const struct oci_descriptor *desc,
		       char ***seen, int depth)
{
	cleanup_manifest struct oci_manifest manifest = { 0 };
	cleanup_index struct oci_index index = { 0 };
	cleanup_buf struct buf text = BUF_INIT;

	if (depth > DEPTH_MAX || strv_has(*seen, desc->digest) || !is_here(eng, desc->digest) ||
	    blob_read(&eng->store, desc->digest, &text, NULL) < 0)
		return;
	strv_add(seen, desc->digest);
	add_blob(eng, image, desc->digest);
	if (oci_media_kind(desc->media_type) == OCI_IS_INDEX &&
	    oci_index_parse(buf_str(&text), text.len, &index, NULL) == 0) {
		for (size_t i = 0; i < index.manifests.n; i++)
			add_member(eng, image, &index.manifests.items[i], seen, depth + 1);
		return;
	}
	if (oci_manifest_parse(buf_str(&text), text.len, &manifest, NULL) < 0)
		return;
	add_blob(eng, image, manifest.config->digest);
	for (size_t i = 0; i < manifest.layers.n; i++)
		add_blob(eng, image, manifest.layers.items[i].digest);
}

int lists_read_content(struct engine *eng, const char *manifest, struct image *ret, struct err *err)
{
	cleanup_index struct oci_index index = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_strv char **seen = NULL;
	struct err own = ERR_INIT;

	int r = blob_read(&eng->store, manifest, &text, &own);
	if (r == 0)
		r = oci_index_parse(buf_str(&text), text.len, &index, &own);
	/* A disk that can't be read now says nothing about what the list needs. */
	if (r < 0 && own.kind == ERR_SYSTEM) {
		if (err)
			*err = own;
		return r;
	}
	if (r < 0)
		log_warn("list %s: %s", manifest, own.msg);
	image_add_content(ret, IMAGE_BLOB, manifest, blob_size(&eng->store, manifest));
	for (size_t i = 0; i < index.manifests.n; i++)
		add_member(eng, ret, &index.manifests.items[i], &seen, 0);
	return 0;
}

/* ---- writing ---- */

static int store_document(struct engine *eng, const char *digest, const struct buf *text,
			  struct err *err)
{
	char *digests[] = { (char *)digest, NULL };
	struct staging staging = STAGING_INIT;

	if (blob_exists(&eng->store, digest, (int64_t)text->len))
		return 0;
	int r = staging_new(&eng->store, &staging, err);
	if (r == 0)
		r = blob_stage(&staging, digest, text, err);
	if (r == 0)
		r = store_commit(&eng->store, &staging, digests, NULL, err);
	staging_done(&eng->store, &staging);
	return r;
}

static int write_row(struct engine *eng, const struct list *list, const struct image *image,
		     struct err *err)
{
	const int64_t now = time_now_ns();
	int r;

	r = db_exec(eng->db, err,
		    "INSERT INTO images (id, manifest, created_ns, size, layers, kind, tagged_ns,"
		    " last_used_ns) VALUES (?1, ?2, ?3, ?4, '', ?5, ?3, ?3)"
		    " ON CONFLICT (id) DO UPDATE SET manifest = excluded.manifest,"
		    " size = excluded.size, last_used_ns = excluded.last_used_ns",
		    "ssIIs", list->row.id, image->manifest_digest, now, (int64_t)image->size,
		    image_kind_names[IMAGE_KIND_LIST]);
	if (r >= 0)
		r = db_exec(eng->db, err, "DELETE FROM content WHERE image = ?", "s", list->row.id);
	/* no registry has it yet as it is now */
	if (r >= 0)
		r = db_exec(eng->db, err,
			    "DELETE FROM image_digests WHERE image = ? AND digest <> ?", "ss",
			    list->row.id, image->manifest_digest);
	for (size_t i = 0; r >= 0 && i < image->n_content; i++)
		r = db_exec(eng->db, err,
			    "INSERT INTO content (image, kind, digest, size)"
			    " VALUES (?, 'blob', ?, ?)",
			    "ssI", list->row.id, image->content[i].digest,
			    (int64_t)image->content[i].size);
	for (size_t i = 0; r >= 0 && image->names && image->names[i]; i++)
		r = db_exec(eng->db, err,
			    "INSERT OR REPLACE INTO image_names (name, image) VALUES (?, ?)", "ss",
			    image->names[i], list->row.id);
	for (size_t i = 0; r >= 0 && image->repo_digests && image->repo_digests[i]; i++) {
		const char *word = image->repo_digests[i], *at = strchr(word, '@');
		cleanup_free char *repository = xstrndup(word, (size_t)(at - word));

		r = db_exec(eng->db, err,
			    "INSERT OR REPLACE INTO image_digests (repository, digest, image)"
			    " VALUES (?, ?, ?)",
			    "sss", repository, at + 1, list->row.id);
	}
	return r < 0 ? r : 0;
}

static int new_id(char **ret, struct err *err)
{
	char id[HEX_ID_LEN + 1];
	int r = hex_random_id(id);

	if (r < 0)
		return err_errno(err, -r, "making an id");
	*ret = xasprintf("sha256:%s", id);
	return 0;
}

static int write_list(struct engine *eng, struct list *list, struct image *image, struct err *err)
{
	cleanup_index struct oci_index check = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_strv char **seen = NULL;
	char digest[SHA256_TEXT_MAX];

	oci_index_choose_type(&list->index);
	oci_index_write(&list->index, &text);
	/* what the user gave goes by the same rules as what others give */
	int r = oci_index_parse(buf_str(&text), text.len, &check, err);
	if (r < 0)
		return r;
	image->manifest_digest = xstrdup(sha256_text(text.data, text.len, digest));
	image->size = text.len;
	r = store_document(eng, digest, &text, err);
	if (r < 0)
		return r;
	image_add_content(image, IMAGE_BLOB, digest, text.len);
	for (size_t i = 0; i < list->index.manifests.n; i++)
		add_member(eng, image, &list->index.manifests.items[i], &seen, 0);
	return write_row(eng, list, image, err);
}

/* ---- changing ---- */

struct edit {
	const char *word; /* of a list that is there, or NULL */
	const char *name; /* of one that is to be, or NULL */
	bool amend;
	list_change change;
	void *data;
};

static int find_or_make(struct engine *eng, const struct edit *edit, struct list *list,
			struct image *image, struct err *err)
{
	struct err own = ERR_INIT;
	int r;

	if (edit->word)
		return lists_open(eng, edit->word, list, err);
	r = lists_open(eng, edit->name, list, &own);
	if (r == 0 && edit->amend)
		return 0;
	if (r == 0)
		return err_hint(
		    err,
		    err_fail(err, ERR_EXISTS, "there is a manifest list %s already", edit->name),
		    "--amend adds to it");
	if (own.kind == ERR_CONFLICT)
		return err_fail(err, ERR_EXISTS, "there is an image %s already", edit->name);
	if (own.kind != ERR_NOT_FOUND) {
		if (err)
			*err = own;
		return r;
	}
	strv_add(&image->names, edit->name);
	return new_id(&list->row.id, err);
}

static int edit_in_transaction(struct engine *eng, const struct edit *edit, struct image *image,
			       char **ret_id, struct err *err)
{
	cleanup_list struct list list = { 0 };
	int r = find_or_make(eng, edit, &list, image, err);

	if (r == 0)
		r = edit->change(&list.index, edit->data, err);
	if (r == 0)
		r = write_list(eng, &list, image, err);
	if (r == 0)
		*ret_id = take_ptr(list.row.id);
	return r;
}

static int edit_run(struct engine *eng, const struct edit *edit, char **ret_id, struct err *err)
{
	cleanup_free char *id = NULL;
	struct image image = { 0 };
	int r;

	r = engine_db(eng, err);
	if (r == 0)
		r = engine_store(eng, err);
	if (r == 0)
		r = store_lock_shared(&eng->store, err);
	if (r < 0)
		return r;
	r = db_begin(eng->db, err);
	if (r == 0)
		r = db_end(eng->db, edit_in_transaction(eng, edit, &image, &id, err), err);
	/* nobody else has what the user has made, and the index of before may go */
	r = images_added_safely(eng, &image, 1, r, err);
	image_done(&image);
	if (r == 0)
		*ret_id = take_ptr(id);
	return r;
}

int lists_create(struct engine *eng, const char *name, bool amend, list_change change, void *data,
		 char **ret_id, struct err *err)
{
	const struct edit edit = { .name = name, .amend = amend, .change = change, .data = data };

	return edit_run(eng, &edit, ret_id, err);
}

int lists_edit(struct engine *eng, const char *word, list_change change, void *data, char **ret_id,
	       struct err *err)
{
	const struct edit edit = { .word = word, .change = change, .data = data };

	return edit_run(eng, &edit, ret_id, err);
}

/* ---- one that somebody else has made ---- */

/* The list of one of these names that has this index; NULL: none. */
static int find_same(struct engine *eng, const char *digest, char *const *names, char **ret_id,
		     struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && names && names[i]; i++) {
		cleanup_stmt sqlite3_stmt *stmt = NULL;

		r = db_query(eng->db, &stmt, err,
			     "SELECT id FROM image_names JOIN images ON id = image"
			     " WHERE name = ? AND kind = ? AND images.manifest = ?",
			     "sss", names[i], image_kind_names[IMAGE_KIND_LIST], digest);
		if (r == 0)
			r = db_step(eng->db, stmt, err);
		if (r > 0)
			*ret_id = db_column_str(stmt, 0);
	}
	return r < 0 ? r : 0;
}

static int enter_within(struct engine *eng, struct image *image, char **ret_id, struct err *err)
{
	cleanup_list struct list list = { 0 };
	int r = find_same(eng, image->manifest_digest, image->names, &list.row.id, err);

	if (r == 0 && !list.row.id)
		r = new_id(&list.row.id, err);
	if (r < 0)
		return r;
	image->id = xstrdup(list.row.id);
	r = write_row(eng, &list, image, err);
	if (r == 0)
		r = images_tell(eng, "pull", image, err);
	if (r == 0)
		*ret_id = take_ptr(list.row.id);
	return r;
}

int lists_enter(struct engine *eng, const char *digest, char *const *names,
		char *const *repo_digests, char **ret_id, struct err *err)
{
	struct image image = { .manifest_digest = xstrdup(digest),
			       .size = blob_size(&eng->store, digest) };
	int r;

	strv_extend(&image.names, names);
	strv_extend(&image.repo_digests, repo_digests);
	/* Thousands of manifests may be read: nobody waits for that. */
	r = lists_read_content(eng, digest, &image, err);
	if (r == 0)
		r = db_begin(eng->db, err);
	if (r == 0)
		r = db_end(eng->db, enter_within(eng, &image, ret_id, err), err);
	image_done(&image);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Images going into the database, and the files that no image in it needs. */
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/db.h"
#include "engine/events.h"
#include "engine/images.h"
#include "engine/lists.h"
#include "oci/digest.h"
#include "oci/reference.h"

#define COLLECT_AGAIN 8 /* times, at most: then the next command does it */

static const char *const content_kinds[] = { "blob", "layer" };

/* ---- rows ---- */

/* The same image may have come before: its rows and content stay, for whoever calls it by the
 * digest of its other manifest. So does that manifest, unless it was of our making: who brings a
 * config that is here must not change what others push by a name or id that they have. */
static int insert_image(struct engine *eng, enum image_kind kind, const struct image *image,
			struct err *err)
{
	cleanup_free char *layers = strv_join(image->diff_ids, ",");
	int r;

	r = db_exec(
	    eng->db, err,
	    "INSERT INTO images (id, manifest, created_ns, size, architecture, os, layers, kind,"
	    " variant, tagged_ns, last_used_ns, made)"
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?10, ?10, ?11)"
	    " ON CONFLICT (id) DO UPDATE SET"
	    " manifest = iif(made AND NOT excluded.made, excluded.manifest, manifest),"
	    " made = made AND excluded.made,"
	    " tagged_ns = excluded.tagged_ns, last_used_ns = excluded.last_used_ns"
	    " WHERE kind = excluded.kind",
	    "ssIIsssssIi", image->id, image->manifest_digest, image->created_ns,
	    (int64_t)image->size, image->architecture, image->os, layers, image_kind_names[kind],
	    image->variant, time_now_ns(), (int)image->made_manifest);
	/* one document may be read as a config and as a manifest */
	if (r == 0)
		return err_fail(err, ERR_CONFLICT, "%s is here as something else than an %s",
				image->id, image_kind_names[kind]);
	return r;
}

/* manifest NULL: the image's own. */
static int insert_names(struct engine *eng, const struct image *image, const char *manifest,
			struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && image->names && image->names[i]; i++)
		r = db_exec(eng->db, err,
			    "INSERT OR REPLACE INTO image_names (name, image, manifest)"
			    " VALUES (?, ?, ?)",
			    "sss", image->names[i], image->id, manifest);
	return r;
}

static int insert_digests(struct engine *eng, const struct image *image, const char *manifest,
			  struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && image->repo_digests && image->repo_digests[i]; i++) {
		const char *word = image->repo_digests[i], *at = strchr(word, '@');
		cleanup_free char *repository = xstrndup(word, at ? (size_t)(at - word) : 0);

		r = db_exec(eng->db, err,
			    "INSERT OR REPLACE INTO image_digests"
			    " (repository, digest, image, manifest) VALUES (?, ?, ?, ?)",
			    "ssss", repository, at ? at + 1 : word, image->id, manifest);
	}
	return r;
}

int images_enter_content(struct engine *eng, const char *id, const struct image *image,
			 struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < image->n_content; i++) {
		const struct image_content *c = &image->content[i];

		r = db_exec(eng->db, err,
			    "INSERT OR IGNORE INTO content (image, kind, digest, size)"
			    " VALUES (?, ?, ?, ?)",
			    "sssI", id, content_kinds[c->kind], c->digest, (int64_t)c->size);
	}
	return r < 0 ? r : 0;
}

/* A manifest made for an archive, of an image that is here already with another one: its blobs are
 * for nobody. */
static int has_content(struct engine *eng, const struct image *image, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r;

	if (!image->made_manifest)
		return 0;
	r = db_query(eng->db, &stmt, err,
		     "SELECT 1 FROM images JOIN content ON content.image = images.id"
		     " WHERE id = ? AND manifest <> ?",
		     "ss", image->id, image->manifest_digest);
	return r < 0 ? r : db_step(eng->db, stmt, err);
}

static int enter_one(struct engine *eng, enum image_kind kind, const struct image *image,
		     struct err *err)
{
	int known = has_content(eng, image, err), r = known;
	const char *manifest = known ? NULL : image->manifest_digest;

	if (r >= 0)
		r = insert_image(eng, kind, image, err);
	if (r >= 0)
		r = insert_names(eng, image, manifest, err);
	if (r >= 0)
		r = insert_digests(eng, image, manifest, err);
	if (r >= 0 && !known)
		r = images_enter_content(eng, image->id, image, err);
	return r < 0 ? r : 0;
}

int images_enter_within(struct engine *eng, enum image_kind kind, const struct image *images,
			size_t n, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = enter_one(eng, kind, &images[i], err);
	return r;
}

int images_tell(struct engine *eng, const char *action, const struct image *image, struct err *err)
{
	cleanup_reference struct reference ref = { 0 };
	cleanup_free char *name = NULL;

	if (image->names && image->names[0] && reference_parse(image->names[0], &ref, NULL) == 0)
		name = reference_familiar(&ref);
	return event_image(eng, action, image->id, name, err);
}

int images_enter(struct engine *eng, enum image_kind kind, const char *action,
		 const struct image *images, size_t n, struct err *err)
{
	int r = db_begin(eng->db, err);

	if (r < 0)
		return r;
	r = images_enter_within(eng, kind, images, n, err);
	for (size_t i = 0; r == 0 && action && i < n; i++)
		r = images_tell(eng, action, &images[i], err);
	return db_end(eng->db, r, err);
}

/* ---- what manifests say ---- */

/* Its own, and those that its names and digests lead to. */
static int manifests_read(struct engine *eng, const char *id, char ***ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err,
			 "SELECT manifest FROM images WHERE id = ?1"
			 " UNION SELECT manifest FROM image_names WHERE image = ?1"
			 " UNION SELECT manifest FROM image_digests WHERE image = ?1",
			 "s", id);

	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0) {
		char *manifest = db_column_str(stmt, 0);

		if (manifest)
			strv_take(ret, manifest);
	}
	return r;
}

int images_read_content(struct engine *eng, const struct image_row *row, struct image *ret,
			struct err *err)
{
	cleanup_strv char **manifests = NULL;
	int r = engine_store(eng, err);

	if (r == 0)
		r = manifests_read(eng, row->id, &manifests, err);
	for (size_t i = 0; r == 0 && manifests && manifests[i]; i++) {
		if (!digest_valid(manifests[i]) || !digest_valid(row->id))
			continue;
		if (row->kind == IMAGE_KIND_LIST)
			r = lists_read_content(eng, manifests[i], ret, err);
		else
			r = image_read_content(&eng->store, manifests[i], row->id, row->diff_ids,
					       ret, err);
	}
	return r < 0 ? err_wrap(err, r, "image %s", row->id) : 0;
}

/* ---- rows of an older inro ---- */

static int fill_one(struct engine *eng, const struct image_row *row, struct err *err)
{
	struct image image = { 0 };
	int r = images_read_content(eng, row, &image, err);

	if (r == 0)
		r = images_enter_content(eng, row->id, &image, err);
	image_done(&image);
	return r;
}

int images_fill_content(struct engine *eng, struct err *err)
{
	cleanup_image_rows struct image_rows rows = { 0 };
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r;

	/* Almost always there is none. */
	r = db_query(eng->db, &stmt, err,
		     "SELECT 1 FROM images WHERE id NOT IN (SELECT image FROM content) LIMIT 1",
		     "");
	if (r == 0)
		r = db_step(eng->db, stmt, err);
	if (r <= 0)
		return r;
	r = images_list_uncounted(eng, &rows, err);
	for (size_t i = 0; r == 0 && i < rows.n; i++)
		r = fill_one(eng, &rows.items[i], err);
	return r;
}

/* ---- files that nobody needs ---- */

/* Of one kind, sorted. An image with containers keeps its row, so what they need stays. */
int images_content_digests(struct engine *eng, const char *kind, char ***ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err,
			 "SELECT DISTINCT digest FROM content WHERE kind = ?"
			 " AND digest GLOB 'sha256:*' ORDER BY digest",
			 "s", kind);

	if (r < 0)
		return r;
	while ((r = db_step(eng->db, stmt, err)) > 0)
		strv_take(ret, db_column_str(stmt, 0));
	return r;
}

int images_stacks(struct engine *eng, char ***ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err,
			 "SELECT DISTINCT layers FROM images WHERE layers <> ''", "");

	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0)
		strv_take(ret, db_column_str(stmt, 0));
	return r;
}

/* 1, or 0: somebody else will. */
static int collect_once(struct engine *eng, uint64_t *freed, struct err *err)
{
	cleanup_strv char **blobs = NULL, **layers = NULL, **stacks = NULL;
	uint64_t now = 0;

	int r = image_collect_begin(&eng->store, err);
	if (r <= 0)
		return r;
	r = images_fill_content(eng, err);
	/* Should the machine go down now, no row may come back whose files have gone. */
	if (r == 0)
		r = db_sync(eng->db, err);
	if (r == 0)
		r = images_content_digests(eng, content_kinds[IMAGE_BLOB], &blobs, err);
	if (r == 0)
		r = images_content_digests(eng, content_kinds[IMAGE_LAYER], &layers, err);
	if (r == 0)
		r = images_stacks(eng, &stacks, err);
	if (r < 0) {
		image_store_unlock(&eng->store);
		return r;
	}
	const struct image_keep keep = { .blobs = blobs, .diff_ids = layers, .stacks = stacks };
	r = image_collect(&eng->store, &keep, &now, err);
	*freed += now;
	return r < 0 ? r : 1;
}

int images_collect(struct engine *eng, uint64_t *ret_freed, struct err *err)
{
	int r;

	*ret_freed = 0;
	r = engine_store(eng, err);
	if (r == 0)
		r = collect_once(eng, ret_freed, err);
	/* Who wanted to meanwhile has seen that the lock was taken. */
	for (int i = 0; i < COLLECT_AGAIN && r > 0 && image_collect_wanted(&eng->store); i++)
		r = collect_once(eng, ret_freed, err);
	log_debug("freed %llu bytes of image data", (unsigned long long)*ret_freed);
	return r < 0 ? r : 0;
}

static int added(struct engine *eng, const struct image *images, size_t n, bool wait,
		 struct err *err)
{
	uint64_t freed, bytes = 0;
	struct err own = ERR_INIT;

	image_store_unlock(&eng->store);
	if (image_collect_wanted(&eng->store) && images_collect(eng, &freed, &own) < 0)
		log_warn("%s", own.msg);
	for (size_t i = 0; i < n; i++)
		bytes += images[i].size;
	return image_store_sync(&eng->store, bytes, wait, err);
}

void images_added(struct engine *eng, const struct image *images, size_t n)
{
	struct err err = ERR_INIT;

	if (added(eng, images, n, false, &err) < 0)
		log_warn("%s", err.msg);
}

int images_added_safely(struct engine *eng, const struct image *images, size_t n, int r,
			struct err *err)
{
	if (r == 0)
		return added(eng, images, n, true, err);
	images_added(eng, NULL, 0);
	return r;
}

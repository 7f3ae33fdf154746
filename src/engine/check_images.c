/* SPDX-License-Identifier: Apache-2.0 */
/* Of `system check`: each blob and each layer once, and the images that need what is damaged. */
#include "base/str.h"
#include "base/strv.h"
#include "engine/check_internal.h"
#include "engine/db.h"
#include "engine/images.h"
#include "image/verify.h"

/* ---- the files ---- */

static int list_read(struct engine *eng, const char *sql, const char *word, char ***ret,
		     struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err, sql, word ? "s" : "", word);

	if (r < 0)
		return r;
	while ((r = db_step(eng->db, stmt, err)) > 0)
		strv_take(ret, db_column_str(stmt, 0));
	return r;
}

static int contents_read(struct engine *eng, const char *kind, char ***ret, struct err *err)
{
	return list_read(eng, "SELECT DISTINCT digest FROM content WHERE kind = ? ORDER BY digest",
			 kind, ret, err);
}

/* All images that need it are damaged. */
static int tell_images(struct engine *eng, const char *kind, const char *digest,
		       const char *problem, struct check_report *report, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r =
	    db_query(eng->db, &stmt, err, "SELECT image FROM content WHERE kind = ? AND digest = ?",
		     "ss", kind, digest);

	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0) {
		cleanup_free char *id = db_column_str(stmt, 0);

		check_add(report, true, id, xasprintf("%s %s: %s", kind, digest, problem));
	}
	return r < 0 ? r : 0;
}

static int check_kind(struct engine *eng, const char *kind, const struct check_options *opts,
		      struct check_report *report, struct err *err)
{
	bool blob = str_eq(kind, "blob");
	int (*const verify)(struct image_store *, const char *, bool, char **, struct err *) =
	    blob ? verify_blob : verify_layer;
	uint64_t *count = blob ? &report->checked_blobs : &report->checked_layers;
	cleanup_strv char **digests = NULL;
	int r = contents_read(eng, kind, &digests, err);

	for (size_t i = 0; r == 0 && digests && digests[i]; i++, ++*count) {
		cleanup_free char *problem = NULL;
		struct err own = ERR_INIT;

		r = verify(&eng->store, digests[i], opts->quick, &problem, &own);
		if (r < 0)
			problem = xasprintf("can't be checked: %s", own.msg);
		if (r != 0)
			r = tell_images(eng, kind, digests[i], problem, report, err);
	}
	return r;
}

/* ---- the rows ---- */

/* The first of what the image is known to need that is not among its contents. Heap, or NULL. */
static char *uncounted(const struct image_row *row, char *const *contents)
{
	if (!strv_has(contents, row->manifest))
		return xasprintf("manifest %s", row->manifest);
	if (!strv_has(contents, row->id))
		return xasprintf("config %s", row->id);
	for (size_t i = 0; row->diff_ids && row->diff_ids[i]; i++)
		if (!strv_has(contents, row->diff_ids[i]))
			return xasprintf("layer %s", row->diff_ids[i]);
	return NULL;
}

int check_counts(struct engine *eng, const struct check_options *opts, struct check_report *report,
		 struct err *err)
{
	cleanup_image_rows struct image_rows rows = { 0 };
	int r = images_list(eng, NULL, &rows, err);

	for (size_t i = 0; r == 0 && i < rows.n; i++) {
		const struct image_row *row = &rows.items[i];
		cleanup_strv char **contents = NULL;

		r = list_read(eng, "SELECT digest FROM content WHERE image = ?", row->id, &contents,
			      err);
		cleanup_free char *what =
		    r == 0 && row->kind == IMAGE_KIND_IMAGE ? uncounted(row, contents) : NULL;
		if (!what)
			continue;
		strv_addf(&report->database, "image %s: its %s is not counted as needed%s", row->id,
			  what, opts->repair ? ": counted again" : "");
		/* What has no content gets it from its manifest. */
		if (opts->repair)
			r = db_exec(eng->db, err, "DELETE FROM content WHERE image = ?", "s",
				    row->id);
		r = r < 0 ? r : 0;
	}
	return r == 0 && opts->repair ? images_fill_content(eng, err) : r;
}

static void name_images(const struct image_rows *rows, struct check_report *report)
{
	for (size_t i = 0; i < report->images.n; i++) {
		struct check_item *item = &report->images.items[i];

		for (size_t k = 0; k < rows->n; k++)
			if (str_eq(rows->items[k].id, item->id))
				strv_extend(&item->names, rows->items[k].names);
	}
}

int check_images(struct engine *eng, const struct check_options *opts, struct check_report *report,
		 struct err *err)
{
	cleanup_image_rows struct image_rows rows = { 0 };
	int r = check_kind(eng, "blob", opts, report, err);

	if (r == 0)
		r = check_kind(eng, "layer", opts, report, err);
	if (r == 0)
		r = images_list(eng, NULL, &rows, err);
	report->checked_images = rows.n;
	name_images(&rows, report);
	return r;
}

/* ---- what nobody needs ---- */

static void leftovers_take(struct leftovers *found, struct check_report *report)
{
	struct check_leftover *items = xcalloc(found->n + 1, sizeof(*items));

	for (size_t i = 0; i < found->n; i++) {
		items[i].path = take_ptr(found->items[i].path);
		items[i].why = take_ptr(found->items[i].why);
		items[i].size = found->items[i].size;
		items[i].removed = found->items[i].removed;
	}
	report->leftovers.items = items;
	report->leftovers.n = found->n;
	leftovers_done(found);
}

int check_leftovers(struct engine *eng, const struct check_options *opts,
		    struct check_report *report, struct err *err)
{
	cleanup_strv char **blobs = NULL, **layers = NULL;
	struct leftovers found = { 0 };

	/* While images are being added, what has no row yet may get one. */
	int r = store_lock_exclusive(&eng->store, err);
	if (r > 0) {
		r = contents_read(eng, "blob", &blobs, err);
		if (r == 0)
			r = contents_read(eng, "layer", &layers, err);
		if (r == 0)
			r = leftovers_find(&eng->store, blobs, layers, opts->max_ns, opts->repair,
					   &found, err);
	}
	/* From here on nothing may be collected under our eyes. */
	if (r >= 0)
		r = store_lock_shared(&eng->store, err);
	leftovers_take(&found, report);
	return r;
}

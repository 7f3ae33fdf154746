/* SPDX-License-Identifier: Apache-2.0 */
/* Of `system check`: each blob and each layer once, and the images that need what is damaged. */
#include "base/str.h"
#include "base/strv.h"
#include "engine/check_internal.h"
#include "engine/db.h"
#include "engine/images.h"
#include "engine/life.h"
#include "image/shim.h"
#include "image/store.h"
#include "image/verify.h"
#include "oci/digest.h"

/* ---- blobs ---- */

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

int check_tell_images(struct engine *eng, const char *kind, const char *digest, const char *problem,
		      enum check_verdict verdict, struct check_report *report, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r =
	    db_query(eng->db, &stmt, err, "SELECT image FROM content WHERE kind = ? AND digest = ?",
		     "ss", kind, digest);

	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0) {
		cleanup_free char *id = db_column_str(stmt, 0);

		check_add(report, true, id, xasprintf("%s %s: %s", kind, digest, problem), verdict);
	}
	return r < 0 ? r : 0;
}

static int check_blobs(struct engine *eng, const struct check_options *opts,
		       struct check_report *report, struct err *err)
{
	cleanup_strv char **digests = NULL;
	int r = contents_read(eng, "blob", &digests, err);

	for (size_t i = 0; r == 0 && digests && digests[i]; i++) {
		cleanup_free char *problem = NULL;
		struct err own = ERR_INIT;

		report->checked_blobs++;
		int found = verify_blob(&eng->store, digests[i], opts->quick, &problem, &own);
		if (found < 0)
			problem = xasprintf("can't be checked: %s", own.msg);
		if (found != 0)
			r = check_tell_images(eng, "blob", digests[i], problem,
					      found < 0 ? CHECK_UNSURE : CHECK_DAMAGED, report,
					      err);
	}
	return r;
}

/* ---- layers ---- */

/* Is a container running on an image that has the layer (layer NULL: on the image)? */
static int is_running(struct engine *eng, const char *layer, const char *image, struct err *err)
{
	static const char sql[] =
	    "SELECT id FROM containers WHERE image = ?2 OR " RECORD_HAS_MOUNTED(
		"?2") " OR EXISTS"
		      " (SELECT 1 FROM content WHERE kind = 'layer' AND digest = ?1 AND"
		      " (content.image = containers.image OR " RECORD_HAS_MOUNTED(
			  "content.image") "))";
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err, sql, "ss", layer, image);

	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0) {
		cleanup_free char *id = db_column_str(stmt, 0);

		if (life_alive(eng, id))
			return 1;
	}
	return r;
}

int check_is_running(struct engine *eng, const char *layer, struct err *err)
{
	return is_running(eng, layer, NULL, err);
}

/* The blobs that stand for the layer in manifests: which it comes from may have been noted beside
 * the tree that is gone. */
static int paired_blobs(struct engine *eng, const char *diff_id, char ***ret, struct err *err)
{
	cleanup_strv char **words = NULL;
	int r = list_read(eng,
			  "SELECT id || ' ' || manifest FROM images JOIN content ON image = id"
			  " WHERE content.kind = 'layer' AND digest = ?",
			  diff_id, &words, err);

	for (size_t i = 0; r == 0 && words && words[i]; i++) {
		cleanup_image_config struct oci_image_config config = { 0 };
		cleanup_manifest struct oci_manifest manifest = { 0 };
		cleanup_strv char **pair = strv_split(words[i], ' ');
		cleanup_buf struct buf text = BUF_INIT;

		if (strv_len(pair) != 2 ||
		    image_read_config(&eng->store, pair[0], &config, NULL) < 0 || !config.rootfs ||
		    blob_read(&eng->store, pair[1], &text, NULL) < 0 ||
		    oci_manifest_parse(buf_str(&text), text.len, &manifest, NULL) < 0)
			continue;
		for (size_t k = 0; k < manifest.layers.n && k < strv_len(config.rootfs->diff_ids);
		     k++)
			if (str_eq(config.rootfs->diff_ids[k], diff_id))
				strv_add(ret, manifest.layers.items[k].digest);
	}
	return r;
}

struct layer_use {
	struct engine *eng;
	const char *diff_id;
};

static bool layer_is_used(void *data)
{
	const struct layer_use *use = data;

	return is_running(use->eng, use->diff_id, NULL, NULL) != 0;
}

/* With the store's lock alone, when nobody has it open. 1; 0: another time; or -errno. */
static int layer_repair(struct engine *eng, const char *diff_id, bool force, struct err *err)
{
	struct layer_use use = { .eng = eng, .diff_id = diff_id };
	cleanup_strv char **more = NULL;
	int r = store_lock_exclusive(&eng->store, err);

	if (r == 0)
		r = err_fail(err, ERR_CONFLICT, "the store is in use");
	if (r > 0)
		r = is_running(eng, diff_id, NULL, err);
	if (r > 0)
		r = err_fail(err, force ? ERR_CORRUPT : ERR_CONFLICT, "a container runs on it");
	if (r == 0)
		r = paired_blobs(eng, diff_id, &more, err);
	if (r == 0)
		r = repair_layer(&eng->store, diff_id, more, layer_is_used, &use, err);
	if (r == 0)
		return 1;
	/* Without a blob that is whole there will be no other time. */
	return err->kind == ERR_CORRUPT || err->kind == ERR_NOT_FOUND ? r : 0;
}

/* Returns what has come of it, and adds to the problem. */
static enum check_verdict layer_cure(struct engine *eng, const char *diff_id, bool force,
				     char **problem)
{
	cleanup_free char *old = take_ptr(*problem);
	struct err own = ERR_INIT;
	int r = layer_repair(eng, diff_id, force, &own);

	*problem = r > 0 ? xasprintf("%s: unpacked again", old)
			 : xasprintf("%s (unpacking it again: %s)", old, own.msg);
	if (r > 0)
		return CHECK_CURED;
	return r < 0 ? CHECK_DAMAGED : CHECK_KEPT;
}

static int check_layers(struct engine *eng, const struct check_options *opts,
			struct check_report *report, struct err *err)
{
	cleanup_strv char **digests = NULL;
	/* Each is unpacked once more, which takes room. */
	bool quick = opts->quick || opts->readonly;
	int r = contents_read(eng, "layer", &digests, err);

	if (r == 0 && digests && quick && !opts->quick) {
		strv_add(&report->skipped, "whether the files of layers are what their blobs "
					   "unpack to: that takes room on a file system which is "
					   "read-only");
		report->damaged = true;
	}

	for (size_t i = 0; r == 0 && digests && digests[i]; i++) {
		enum check_verdict verdict = CHECK_DAMAGED;
		cleanup_free char *problem = NULL;
		struct err own = ERR_INIT;

		report->checked_layers++;
		int found = verify_layer(&eng->store, digests[i], quick, &problem, &own);
		if (found == 0)
			continue;
		if (found > 0 && opts->repair) {
			verdict = layer_cure(eng, digests[i], opts->force, &problem);
			r = store_lock_shared(&eng->store, err);
		}
		if (found < 0) {
			verdict = CHECK_UNSURE;
			problem = xasprintf("can't be checked: %s", own.msg);
		}
		if (r == 0)
			r = check_tell_images(eng, "layer", digests[i], problem, verdict, report,
					      err);
	}
	return r;
}

/* ---- the rows ---- */

static const char *content_word(const struct image_row *row, const struct image_content *c)
{
	if (c->kind == IMAGE_LAYER)
		return "layer";
	if (str_eq(c->digest, row->manifest))
		return "manifest";
	return str_eq(c->digest, row->id) ? "config" : "blob";
}

/* The first of what the image is known to need that is not among its contents. Of a list that is
 * its index alone: which members' blobs are here may change. */
static const struct image_content *uncounted(const struct image_row *row, const struct image *needs,
					     char *const *counted)
{
	for (size_t i = 0; i < needs->n_content; i++) {
		const struct image_content *c = &needs->content[i];

		cleanup_free char *word =
		    xasprintf("%s %s", c->kind == IMAGE_LAYER ? "layer" : "blob", c->digest);

		if (row->kind == IMAGE_KIND_LIST && !str_eq(c->digest, row->manifest))
			continue;
		if (!strv_has(counted, word))
			return c;
	}
	return NULL;
}

static int count_again(struct engine *eng, const struct image_row *row,
		       const struct check_options *opts, struct check_report *report,
		       struct err *err)
{
	cleanup_strv char **counted = NULL;
	struct image needs = { 0 };
	int r = list_read(eng, "SELECT kind || ' ' || digest FROM content WHERE image = ?", row->id,
			  &counted, err);

	/* What can't be read is damaged, or can't be checked, as a blob. */
	const struct image_content *c = r == 0 && images_read_content(eng, row, &needs, NULL) == 0
					    ? uncounted(row, &needs, counted)
					    : NULL;
	if (c)
		strv_addf(&report->database, "image %s: its %s %s is not counted as needed%s",
			  row->id, content_word(row, c), c->digest,
			  opts->repair ? ": counted again" : "");
	if (c && opts->repair)
		r = images_enter_content(eng, row->id, &needs, err);
	image_done(&needs);
	return r;
}

static bool is_sane(const struct image_row *row)
{
	for (size_t i = 0; row->diff_ids && row->diff_ids[i]; i++)
		if (!digest_valid(row->diff_ids[i]))
			return false;
	return digest_valid(row->id) && digest_valid(row->manifest);
}

int check_counts(struct engine *eng, const struct check_options *opts, struct check_report *report,
		 struct err *err)
{
	cleanup_image_rows struct image_rows rows = { 0 };
	int r = images_list(eng, NULL, &rows, err);

	for (size_t i = 0; r == 0 && i < rows.n; i++) {
		if (is_sane(&rows.items[i]))
			r = count_again(eng, &rows.items[i], opts, report, err);
		else
			strv_addf(&report->database, "image %s: its row names no digests",
				  rows.items[i].id);
	}
	return r;
}

/* ---- what belongs to one image alone ---- */

/* What runs is what the row says. */
static void check_config(struct engine *eng, const struct image_row *row,
			 struct check_report *report)
{
	cleanup_image_config struct oci_image_config config = { 0 };
	char *const *diff_ids;

	/* One that can't be read is a blob that is damaged. */
	if (image_read_config(&eng->store, row->id, &config, NULL) < 0 || !config.rootfs)
		return;
	diff_ids = config.rootfs->diff_ids;
	for (size_t i = 0;; i++) {
		const char *a = diff_ids ? diff_ids[i] : NULL;
		const char *b = row->diff_ids ? row->diff_ids[i] : NULL;

		if (!a && !b)
			return;
		if (a && b && str_eq(a, b))
			continue;
		check_add(report, true, row->id,
			  xstrdup("its layers are not those that its config names"), CHECK_DAMAGED);
		return;
	}
}

static bool is_damaged(const struct check_report *report, const char *id)
{
	for (size_t i = 0; i < report->images.n; i++)
		if (str_eq(report->images.items[i].id, id))
			return report->images.items[i].damaged || report->images.items[i].kept;
	return false;
}

/* What they are made of must be as it should be. */
static void check_shims(struct engine *eng, const struct check_options *opts,
			const struct image_row *row, struct check_report *report)
{
	cleanup_strv char **problems = NULL;
	struct err own = ERR_INIT;
	bool repair = opts->repair && is_running(eng, NULL, row->id, NULL) == 0;

	if (is_damaged(report, row->id))
		return;
	int r = shims_check(&eng->store, row->diff_ids, opts->quick || opts->readonly, repair,
			    &problems, &own);
	for (size_t i = 0; problems && problems[i]; i++)
		check_add(report, true, row->id, xstrdup(problems[i]),
			  repair && r == 0 ? CHECK_CURED : CHECK_KEPT);
	if (r < 0)
		check_add(
		    report, true, row->id,
		    xasprintf("the attributes of its directories can't be checked: %s", own.msg),
		    CHECK_UNSURE);
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
	int r = check_blobs(eng, opts, report, err);

	if (r == 0)
		r = check_layers(eng, opts, report, err);
	if (r == 0)
		r = images_list(eng, NULL, &rows, err);
	for (size_t i = 0; r == 0 && i < rows.n; i++) {
		if (rows.items[i].kind != IMAGE_KIND_IMAGE || !is_sane(&rows.items[i]))
			continue;
		check_config(eng, &rows.items[i], report);
		check_shims(eng, opts, &rows.items[i], report);
	}
	if (r == 0)
		r = check_mapped(eng, opts, report, err);
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
	cleanup_strv char **blobs = NULL, **layers = NULL, **stacks = NULL;
	struct leftovers found = { 0 };

	/* While images are being added, what has no row yet may get one. */
	int r = store_lock_exclusive(&eng->store, err);
	if (r > 0) {
		r = images_content_digests(eng, "blob", &blobs, err);
		if (r == 0)
			r = images_content_digests(eng, "layer", &layers, err);
		if (r == 0)
			r = images_stacks(eng, &stacks, err);
		const struct image_keep keep = { blobs, layers, stacks };
		if (r == 0)
			r = leftovers_find(&eng->store, &keep, opts->max_ns, opts->repair, &found,
					   err);
	}
	/* From here on nothing may be collected under our eyes. */
	if (r >= 0)
		r = store_lock_shared(&eng->store, err);
	leftovers_take(&found, report);
	return r;
}

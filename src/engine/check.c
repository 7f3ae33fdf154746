/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/check_internal.h"
#include "engine/db.h"
#include "engine/images.h"

static const struct json_field item_fields[] = {
	JSON_FIELD(struct check_item, id, "Id", JSON_STR),
	JSON_FIELD(struct check_item, names, "Names", JSON_STRV),
	JSON_FIELD(struct check_item, problems, "Problems", JSON_STRV),
	JSON_FIELD(struct check_item, removed, "Removed", JSON_BOOL, .flags = JSON_KEEP),
};
static const struct json_desc item_desc = JSON_DESC(struct check_item, item_fields);

static const struct json_field leftover_fields[] = {
	JSON_FIELD(struct check_leftover, path, "Path", JSON_STR),
	JSON_FIELD(struct check_leftover, why, "Reason", JSON_STR),
	JSON_FIELD(struct check_leftover, size, "Size", JSON_U64, .flags = JSON_KEEP),
	JSON_FIELD(struct check_leftover, removed, "Removed", JSON_BOOL, .flags = JSON_KEEP),
};
static const struct json_desc leftover_desc = JSON_DESC(struct check_leftover, leftover_fields);

static const struct json_field report_fields[] = {
	JSON_FIELD(struct check_report, damaged, "Errors", JSON_BOOL, .flags = JSON_KEEP),
	JSON_FIELD(struct check_report, database, "Database", JSON_STRV, .flags = JSON_KEEP),
	JSON_FIELD(struct check_report, networks, "Networks", JSON_STRV, .flags = JSON_KEEP),
	JSON_FIELD(struct check_report, skipped, "Unchecked", JSON_STRV, .flags = JSON_KEEP),
	JSON_FIELD(struct check_report, images, "Images", JSON_ARRAY, .desc = &item_desc,
		   .flags = JSON_KEEP),
	JSON_FIELD(struct check_report, containers, "Containers", JSON_ARRAY, .desc = &item_desc,
		   .flags = JSON_KEEP),
	JSON_FIELD(struct check_report, leftovers, "Leftovers", JSON_ARRAY, .desc = &leftover_desc,
		   .flags = JSON_KEEP),
	JSON_FIELD(struct check_report, checked_images, "CheckedImages", JSON_U64,
		   .flags = JSON_KEEP),
	JSON_FIELD(struct check_report, checked_blobs, "CheckedBlobs", JSON_U64,
		   .flags = JSON_KEEP),
	JSON_FIELD(struct check_report, checked_layers, "CheckedLayers", JSON_U64,
		   .flags = JSON_KEEP),
	JSON_FIELD(struct check_report, checked_containers, "CheckedContainers", JSON_U64,
		   .flags = JSON_KEEP),
};
const struct json_desc check_report_desc = JSON_DESC(struct check_report, report_fields);

void check_report_done(struct check_report *report)
{
	json_free(&check_report_desc, report);
}

static struct check_item *item_find(struct check_item *items, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(items[i].id, id))
			return &items[i];
	return NULL;
}

struct check_item *check_add(struct check_report *report, bool image, const char *id, char *problem,
			     enum check_verdict verdict)
{
	struct check_item **items = image ? &report->images.items : &report->containers.items;
	size_t *n = image ? &report->images.n : &report->containers.n;
	struct check_item *item = item_find(*items, *n, id);

	if (!item) {
		*items = xrealloc(*items, (*n + 1) * sizeof(**items));
		item = &(*items)[(*n)++];
		*item = (struct check_item){ .id = xstrdup(id) };
	}
	strv_take(&item->problems, problem);
	item->damaged = item->damaged || verdict == CHECK_DAMAGED;
	item->kept = item->kept || verdict == CHECK_KEPT;
	item->certain = item->certain || verdict != CHECK_UNSURE;
	report->damaged = true;
	report->certain = report->certain || verdict != CHECK_UNSURE;
	return item;
}

/* ---- the database ---- */

static int integrity(struct engine *eng, bool quick, struct check_report *report, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err,
			 quick ? "PRAGMA quick_check(20)" : "PRAGMA integrity_check(20)", "");

	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0) {
		cleanup_free char *text = db_column_str(stmt, 0);

		if (!str_eq(text, "ok"))
			strv_take(&report->database, take_ptr(text));
	}
	return r < 0 ? r : 0;
}

/* Names, digests and contents of images that are not there. */
static const char *const followers[] = { "image_names", "image_digests", "content" };

static int orphans(struct engine *eng, bool repair, struct check_report *report, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(followers); i++) {
		static const char where[] = "image NOT IN (SELECT id FROM images)";
		cleanup_free char *sql =
		    xasprintf("SELECT count(*) FROM %s WHERE %s", followers[i], where);
		cleanup_free char *delete =
		    xasprintf("DELETE FROM %s WHERE %s", followers[i], where);
		cleanup_stmt sqlite3_stmt *stmt = NULL;

		r = db_query(eng->db, &stmt, err, sql, "");
		if (r == 0)
			r = db_step(eng->db, stmt, err);
		if (r <= 0 || !db_column_i64(stmt, 0))
			continue;
		strv_addf(&report->database, "%lld rows of %s are of images that are not there%s",
			  (long long)db_column_i64(stmt, 0), followers[i],
			  repair ? ": removed" : "");
		sqlite3_finalize(take_ptr(stmt));
		if (repair)
			r = db_exec(eng->db, err, delete, "");
	}
	return r < 0 ? r : 0;
}

static int check_database(struct engine *eng, const struct check_options *opts,
			  struct check_report *report, struct err *err)
{
	int r = integrity(eng, opts->quick, report, err);

	report->damaged = report->certain = report->database != NULL;
	return r;
}

static int check_rows(struct engine *eng, const struct check_options *opts,
		      struct check_report *report, struct err *err)
{
	int r = engine_store(eng, err);

	if (r == 0)
		r = orphans(eng, opts->repair, report, err);
	if (r == 0 && !opts->readonly)
		r = images_fill_content(eng, err);
	if (r == 0)
		r = check_counts(eng, opts, report, err);
	report->damaged = report->certain = report->database != NULL;
	return r;
}

/* ---- all of it ---- */

/* Of the store's; those of containers are gone or not already. */
static void leftovers_look(struct engine *eng, struct check_report *report)
{
	for (size_t i = 0; i < report->leftovers.n; i++) {
		struct check_leftover *left = &report->leftovers.items[i];
		struct stat st;

		if (fstatat(eng->root_fd, left->path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			left->removed = true;
	}
}

/* Who can't write can't make good either. */
static int look_at_root(struct engine *eng, const struct check_options *opts,
			struct check_options *ret, struct err *err)
{
	struct statvfs vfs;

	*ret = *opts;
	ret->readonly = fstatvfs(eng->root_fd, &vfs) == 0 && (vfs.f_flag & ST_RDONLY);
	return ret->readonly && opts->repair ? err_errno(err, EROFS, "repairing %s", eng->root) : 0;
}

int engine_check(struct engine *eng, const struct check_options *given, struct check_report *ret,
		 struct err *err)
{
	static int (*const steps[])(struct engine * eng, const struct check_options *opts,
				    struct check_report *report, struct err *err) = {
		check_database,   check_rows,   check_leftovers, check_images,
		check_containers, check_pods,   check_networks,  check_network_machine,
		check_volumes,    check_repair,
	};
	struct check_report report = { .start_ns = time_now_ns() };
	struct check_options opts = *given;
	uint64_t freed;

	int r = engine_dirs(eng, err);
	if (r == 0)
		r = look_at_root(eng, given, &opts, err);
	if (r == 0)
		r = engine_db(eng, err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++) {
		r = steps[i](eng, &opts, &report, err);
		/* What a broken database says, nobody should act on. */
		report.stopped = r == 0 && i == 0 && report.damaged;
		if (report.stopped)
			break;
	}
	if (eng->store_open)
		image_store_unlock(&eng->store);
	if (r == 0 && eng->store_open && !report.keep && !opts.readonly &&
	    (opts.repair || image_collect_wanted(&eng->store)))
		r = images_collect(eng, &freed, err);
	if (opts.repair)
		leftovers_look(eng, &report);
	if (r < 0) {
		check_report_done(&report);
		return r;
	}
	*ret = report;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/images_trim.h"

#include "base/log.h"
#include "engine/config.h"
#include "engine/db.h"

/* What several images share counts once. */
static int total(struct engine *eng, uint64_t *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(
	    eng->db, &stmt, err,
	    "SELECT total(size) FROM (SELECT DISTINCT kind, digest, size FROM content)", "");

	if (r == 0)
		r = db_step(eng->db, stmt, err);
	if (r < 0)
		return r;
	*ret = r > 0 ? (uint64_t)db_column_i64(stmt, 0) : 0;
	return 0;
}

/* 1, or 0: there is none that may go. */
static int oldest(struct engine *eng, int64_t before_ns, char **ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err,
			 "SELECT id FROM images WHERE last_used_ns < ?"
			 " AND id NOT IN (SELECT image FROM containers)"
			 " ORDER BY last_used_ns, created_ns LIMIT 1",
			 "I", before_ns);

	if (r == 0)
		r = db_step(eng->db, stmt, err);
	if (r > 0)
		*ret = db_column_str(stmt, 0);
	return r;
}

static int drop(struct engine *eng, const char *id, struct err *err)
{
	static const char *const statements[] = {
		"DELETE FROM image_names WHERE image = ?",
		"DELETE FROM image_digests WHERE image = ?",
		"DELETE FROM content WHERE image = ?",
		"DELETE FROM images WHERE id = ?",
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(statements); i++)
		r = db_exec(eng->db, err, statements[i], "s", id);
	return r < 0 ? r : 0;
}

/* Returns how many rows went. */
static int drop_rows(struct engine *eng, uint64_t max, int64_t before_ns, struct err *err)
{
	int n = 0;

	for (;; n++) {
		cleanup_free char *id = NULL;
		uint64_t size;
		int r = total(eng, &size, err);

		if (r == 0 && size <= max)
			return n;
		if (r == 0)
			r = oldest(eng, before_ns, &id, err);
		if (r <= 0)
			return r < 0 ? r : n;
		log_info("image %s has been unused for the longest time: removing it", id);
		r = drop(eng, id, err);
		if (r < 0)
			return r;
	}
}

int images_trim(struct engine *eng, uint64_t max, int64_t before_ns, struct err *err)
{
	uint64_t freed;
	int r, n;

	r = engine_db(eng, err);
	if (r == 0)
		r = images_fill_content(eng, err);
	if (r == 0)
		r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	n = drop_rows(eng, max, before_ns, err);
	if (n < 0) {
		db_rollback(eng->db);
		return n;
	}
	r = db_commit(eng->db, err);
	if (r == 0 && n > 0)
		r = images_collect(eng, &freed, err);
	return r < 0 ? r : n;
}

void images_keep_budget(struct engine *eng, int64_t before_ns)
{
	const struct config *config;
	struct err err = ERR_INIT;
	int r = config_get(eng, &config, &err);

	if (r == 0 && config->image.max_size)
		r = images_trim(eng, config->image.max_size, before_ns, &err);
	if (r < 0)
		log_warn("keeping image.max_size: %s", err.msg);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/images_trim.h"

#include <fcntl.h>
#include <inttypes.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/config.h"
#include "engine/db.h"
#include "engine/events.h"
#include "image/usage.h"
#include "oci/digest.h"

/* ---- what there is ---- */

static int usage_add(struct engine *eng, const char *kind, const char *digest, struct err *err)
{
	bool blob = str_eq(kind, "blob");
	uint64_t bytes = 0;

	if (digest_valid(digest))
		bytes = blob ? store_blob_usage(&eng->store, digest)
			     : store_layer_usage(&eng->store, digest);
	int r = db_exec(eng->db, err, "INSERT INTO usage (kind, digest, bytes) VALUES (?, ?, ?)",
			"ssI", kind, digest, (int64_t)bytes);
	return r < 0 ? r : 0;
}

/* A table of this connection's own: what each blob and layer takes on the disk. */
static int usage_fill(struct engine *eng, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_strv char **words = NULL;
	int r;

	r = db_exec(eng->db, err, "PRAGMA temp_store = MEMORY", "");
	if (r >= 0)
		r = db_exec(eng->db, err,
			    "CREATE TEMP TABLE usage (kind TEXT, digest TEXT, bytes INTEGER,"
			    " PRIMARY KEY (kind, digest)) WITHOUT ROWID",
			    "");
	if (r >= 0)
		r = db_query(eng->db, &stmt, err, "SELECT DISTINCT kind, digest FROM content", "");
	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0)
		for (int i = 0; i < 2; i++)
			strv_take(&words, db_column_str(stmt, i));
	for (size_t i = 0; r == 0 && words && words[i]; i += 2)
		r = usage_add(eng, words[i], words[i + 1], err);
	return r < 0 ? r : 0;
}

/* What several images share counts once. */
static int total(struct engine *eng, uint64_t *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err,
			 "SELECT coalesce(sum(bytes), 0) FROM usage WHERE EXISTS (SELECT 1 FROM"
			 " content WHERE content.kind = usage.kind AND"
			 " content.digest = usage.digest)",
			 "");

	if (r == 0)
		r = db_step(eng->db, stmt, err);
	if (r < 0)
		return r;
	*ret = r > 0 ? (uint64_t)db_column_i64(stmt, 0) : 0;
	return 0;
}

/* ---- what goes ---- */

/* 1, or 0: there is none that may go. */
static int oldest(struct engine *eng, int64_t before_ns, char **ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err,
			 "SELECT id FROM images WHERE last_used_ns < ?"
			 " AND id NOT IN (SELECT image FROM containers)"
			 " AND NOT EXISTS (SELECT 1 FROM containers WHERE " RECORD_HAS_MOUNTED(
			     "images.id") ")"
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
	return r < 0 ? r : event_image(eng, "delete", id, NULL, err);
}

/* Returns how many rows went; 0 also when it would not be enough, whatever went: then all that is
 * done is undone. */
static int drop_rows(struct engine *eng, uint64_t max, int64_t before_ns, struct err *err)
{
	for (int n = 0;; n++) {
		cleanup_free char *id = NULL;
		uint64_t size;
		int r = total(eng, &size, err);

		if (r == 0 && size <= max)
			return n;
		if (r == 0)
			r = oldest(eng, before_ns, &id, err);
		if (r < 0)
			return r;
		if (r == 0) {
			log_info("images in use and new ones take %llu bytes, more than may be: "
				 "nothing is removed",
				 (unsigned long long)size);
			return 0;
		}
		log_info("image %s has been unused for the longest time: removing it", id);
		r = drop(eng, id, err);
		if (r < 0)
			return r;
	}
}

int images_trim(struct engine *eng, uint64_t max, int64_t before_ns, struct err *err)
{
	struct image_partials partials;
	uint64_t freed;
	int r, n;

	r = engine_db(eng, err);
	if (r == 0)
		r = engine_store(eng, err);
	if (r == 0)
		r = images_fill_content(eng, err);
	if (r == 0)
		r = usage_fill(eng, err);
	if (r == 0)
		r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	image_partials(&eng->store, &partials);
	n = drop_rows(eng, max > partials.size ? max - partials.size : 0, before_ns, err);
	if (n <= 0) {
		db_rollback(eng->db);
		return n;
	}
	r = db_commit(eng->db, err);
	if (r == 0)
		r = images_collect(eng, &freed, err);
	return r < 0 ? r : n;
}

int images_trim_configured(struct engine *eng, int64_t before_ns, struct err *err)
{
	const struct config *config;
	int r = config_get(eng, &config, err);

	if (r == 0 && config->image.max_size)
		r = images_trim(eng, config->image.max_size, before_ns, err);
	return r < 0 ? r : 0;
}

/* ---- in the background ---- */

static int trim_spawn(struct engine *eng, int64_t before_ns, struct err *err)
{
	cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const struct proc_fd fds[] = { { null, 0 }, { null, 1 }, { null, 2 } };
	struct proc_spawn spec = PROC_SPAWN_INIT;
	struct proc proc = PROC_INIT;
	cleanup_strv char **argv = NULL;

	if (null < 0)
		return err_errno(err, errno, "opening /dev/null");
	strv_add(&argv, "inro");
	strv_addf(&argv, "--root=%s", eng->root);
	strv_addf(&argv, "--runroot=%s", eng->runroot);
	if (eng->config_file)
		strv_addf(&argv, "--config=%s", eng->config_file);
	strv_add(&argv, "__trim");
	strv_addf(&argv, "%" PRId64, before_ns);
	spec.path = eng->self_path;
	spec.argv = argv;
	spec.fds = fds;
	spec.n_fds = ARRAY_SIZE(fds);
	spec.new_session = true;
	int r = proc_spawn(&spec, &proc, err);
	fd_close(proc.pidfd);
	return r;
}

void images_keep_budget(struct engine *eng, int64_t before_ns)
{
	const struct config *config;
	struct err err = ERR_INIT;
	int r = config_get(eng, &config, &err);

	if (r == 0 && config->image.max_size)
		r = trim_spawn(eng, before_ns, &err);
	if (r < 0)
		log_warn("keeping image.max_size: %s", err.msg);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Entering images into the database and taking them out. */
#include <fcntl.h>
#include <sys/file.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/db.h"
#include "engine/images.h"
#include "engine/record.h"
#include "oci/reference.h"

/* Opens the store, locked. Files are written before their row and collected after it: while one
 * process does the first, another must not do the second. Loading shares the lock, collecting takes
 * it alone. */
static int store_lock(struct engine *eng, int how, struct err *err)
{
	cleanup_fd int fd = -EBADF;
	int r = engine_store(eng, err);

	if (r < 0)
		return r;
	fd = openat(eng->root_fd, "images.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || NO_EINTR(flock(fd, how)) < 0)
		return err_errno(err, errno, "locking the image store %s", eng->root);
	return take_fd(fd);
}

static int insert_image(struct engine *eng, const struct image *image, struct err *err)
{
	cleanup_free char *layers = strv_join(image->diff_ids, ",");

	return db_exec(
	    eng->db, err,
	    "INSERT OR REPLACE INTO images (id, manifest, created_ns, size, architecture,"
	    " os, layers) VALUES (?, ?, ?, ?, ?, ?, ?)",
	    "ssIIsss", image->id, image->manifest_digest, image->created_ns, (int64_t)image->size,
	    image->architecture, image->os, layers);
}

static int insert_names(struct engine *eng, const struct image *image, struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r >= 0 && image->names && image->names[i]; i++)
		r = db_exec(eng->db, err,
			    "INSERT OR REPLACE INTO image_names (name, image) VALUES (?, ?)", "ss",
			    image->names[i], image->id);
	return r;
}

static int enter(struct engine *eng, const struct image *images, size_t n, struct err *err)
{
	size_t i;
	int r;

	r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	for (i = 0; r >= 0 && i < n; i++) {
		r = insert_image(eng, &images[i], err);
		if (r >= 0)
			r = insert_names(eng, &images[i], err);
	}
	if (r < 0) {
		db_rollback(eng->db);
		return r;
	}
	return db_commit(eng->db, err);
}

int images_load(struct engine *eng, int fd, struct image_list *ret, struct err *err)
{
	cleanup_fd int lock = -EBADF;
	struct image_list list = { 0 };
	int r;

	r = engine_db(eng, err);
	if (r < 0)
		return r;
	lock = store_lock(eng, LOCK_SH, err);
	if (lock < 0)
		return lock;
	r = image_load(&eng->store, fd, &list, err);
	if (r < 0)
		return r;
	r = enter(eng, list.items, list.n, err);
	if (r < 0) {
		image_list_done(&list);
		return r;
	}
	*ret = list;
	return 0;
}

int images_import(struct engine *eng, int fd, const struct oci_image_config *config,
		  const char *name, char **ret_id, struct err *err)
{
	cleanup_free char *full = NULL;
	cleanup_fd int lock = -EBADF;
	struct image image = { 0 };
	int r = 0;

	if (name)
		r = reference_normalize(name, &full, err);
	if (r == 0)
		r = engine_db(eng, err);
	if (r < 0)
		return r;
	lock = store_lock(eng, LOCK_SH, err);
	if (lock < 0)
		return lock;
	r = image_import(&eng->store, fd, config, &image, err);
	if (r < 0)
		return r;
	if (full) {
		strv_free(image.names);
		image.names = NULL;
		strv_add(&image.names, full);
	}
	r = enter(eng, &image, 1, err);
	if (r == 0)
		*ret_id = xstrdup(image.id);
	image_done(&image);
	return r;
}

/* Blobs and layers that no image needs any more. An image with containers keeps its row, see
 * check_users(), so their layers stay. */
static int collect(struct engine *eng, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_strv char **manifests = NULL;
	cleanup_fd int lock = -EBADF;
	uint64_t freed = 0;
	int r;

	lock = store_lock(eng, LOCK_EX, err);
	if (lock < 0)
		return lock;
	r = db_query(eng->db, &stmt, err, "SELECT manifest FROM images", "");
	if (r < 0)
		return r;
	while ((r = db_step(eng->db, stmt, err)) > 0)
		strv_take(&manifests, db_column_str(stmt, 0));
	if (r < 0)
		return r;
	r = image_collect(&eng->store, manifests, &freed, err);
	log_debug("freed %llu bytes of image data", (unsigned long long)freed);
	return r;
}

/* May the image lose its last name? 1: yes, but its row must stay for the sake of a container. */
static int check_users(struct engine *eng, const struct image_row *row, const char *word,
		       bool by_name, bool force, struct err *err)
{
	cleanup_record_list struct record_list users = { 0 };
	const struct record *user;
	int r;

	r = record_list(eng, row->id, &users, err);
	if (r < 0 || !users.n)
		return r;
	user = &users.items[0];
	if (by_name && !force)
		return err_fail(
		    err, ERR_CONFLICT,
		    "conflict: unable to remove repository reference \"%s\" (must force) - "
		    "container %.12s is using its referenced image %.12s",
		    word, user->id, row->id + strlen("sha256:"));
	if (!by_name && (!force || user->running))
		return err_fail(err, ERR_CONFLICT,
				"conflict: unable to delete %.12s (%s) - image is being used by %s "
				"container %.12s",
				row->id + strlen("sha256:"),
				user->running ? "cannot be forced" : "must be forced",
				user->running ? "running" : "stopped", user->id);
	return 1;
}

/* Takes out one name, or all of them and the row when nothing is left. */
static int remove_rows(struct engine *eng, const struct image_row *row, const char *only_name,
		       bool keep_row, bool *ret_deleted, char ***lines, struct err *err)
{
	size_t i, left = strv_len(row->names);
	int r = 0;

	for (i = 0; r >= 0 && row->names && row->names[i]; i++) {
		cleanup_reference struct reference ref = { 0 };

		if (only_name && !str_eq(row->names[i], only_name))
			continue;
		r = db_exec(eng->db, err, "DELETE FROM image_names WHERE name = ? AND image = ?",
			    "ss", row->names[i], row->id);
		if (r >= 0 && reference_parse(row->names[i], &ref, NULL) == 0) {
			cleanup_free char *shown = reference_familiar(&ref);

			strv_addf(lines, "Untagged: %s", shown);
		}
		left--;
	}
	*ret_deleted = left == 0 && !keep_row;
	if (r < 0 || !*ret_deleted)
		return r;
	strv_addf(lines, "Deleted: %s", row->id);
	return db_exec(eng->db, err, "DELETE FROM images WHERE id = ?", "s", row->id);
}

static int remove_in_transaction(struct engine *eng, const char *word, bool force,
				 bool *ret_deleted, char ***lines, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	cleanup_free char *name = NULL;
	bool by_name, last;
	int r;

	r = images_find(eng, word, &row, err);
	if (r == 0)
		r = images_names(eng, row.id, &row.names, err);
	if (r < 0)
		return r;
	reference_normalize(word, &name, NULL);
	by_name = name && strv_has(row.names, name);
	last = strv_len(row.names) <= 1;
	if (!by_name && !force && strv_len(row.names) > 1)
		return err_fail(
		    err, ERR_CONFLICT,
		    "conflict: unable to delete %.12s (must be forced) - image is referenced "
		    "in multiple repositories",
		    row.id + strlen("sha256:"));
	if (!by_name || last)
		r = check_users(eng, &row, word, by_name, force, err);
	if (r < 0)
		return r;
	return remove_rows(eng, &row, by_name ? name : NULL, r > 0, ret_deleted, lines, err);
}

int images_remove(struct engine *eng, const char *word, bool force, char ***ret_lines,
		  struct err *err)
{
	cleanup_strv char **lines = NULL;
	bool deleted = false;
	int r;

	r = engine_db(eng, err);
	if (r == 0)
		r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	r = remove_in_transaction(eng, word, force, &deleted, &lines, err);
	if (r < 0) {
		db_rollback(eng->db);
		return r;
	}
	r = db_commit(eng->db, err);
	if (r == 0 && deleted)
		r = collect(eng, err);
	if (r == 0)
		*ret_lines = take_ptr(lines);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Entering images into the database and taking them out. */
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/db.h"
#include "engine/events.h"
#include "engine/images.h"
#include "engine/images_trim.h"
#include "engine/record.h"
#include "engine/trust.h"
#include "oci/reference.h"

#define USED_STEP_NS (3600 * INT64_C(1000000000))

int images_load(struct engine *eng, int fd, const char *platform, struct image_list *ret,
		struct err *err)
{
	struct oci_platform want = { 0 };
	struct image_list list = { 0 };
	int64_t start_ns = time_now_ns();
	int r;

	/* an archive may be read as either of them, `save` writes what is both */
	r = platform ? oci_platform_parse(platform, &want, err) : 0;
	if (r == 0)
		r = trust_allow_transport(eng, "docker-archive", err);
	if (r == 0)
		r = trust_allow_transport(eng, "oci-archive", err);
	if (r == 0)
		r = engine_db(eng, err);
	if (r == 0)
		r = engine_store(eng, err);
	if (r < 0) {
		oci_platform_done(&want);
		return r;
	}
	r = image_load(&eng->store, fd, platform ? &want : NULL, &list, err);
	oci_platform_done(&want);
	if (r == 0)
		r = images_enter(eng, IMAGE_KIND_IMAGE, "load", list.items, list.n, err);
	images_added(eng, list.items, list.n);
	if (r < 0) {
		image_list_done(&list);
		return r;
	}
	images_keep_budget(eng, start_ns);
	*ret = list;
	return 0;
}

int images_import(struct engine *eng, int fd, const struct oci_image_config *config,
		  const char *name, char **ret_id, struct err *err)
{
	cleanup_free char *full = NULL;
	struct image image = { 0 };
	int64_t start_ns = time_now_ns();
	int r = 0;

	if (name)
		r = reference_normalize(name, &full, err);
	if (r == 0)
		r = engine_db(eng, err);
	if (r == 0)
		r = engine_store(eng, err);
	if (r < 0)
		return r;
	r = image_import(&eng->store, fd, config, &image, err);
	if (r == 0 && full)
		strv_add(&image.names, full);
	if (r == 0)
		r = images_enter(eng, IMAGE_KIND_IMAGE, "import", &image, 1, err);
	/* The tarball may be a pipe, or be removed next. */
	r = images_added_safely(eng, &image, 1, r, err);
	if (r == 0) {
		*ret_id = xstrdup(image.id);
		images_keep_budget(eng, start_ns);
	}
	image_done(&image);
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

static int delete_row(struct engine *eng, const char *id, struct err *err)
{
	static const char *const statements[] = {
		"DELETE FROM content WHERE image = ?",
		"DELETE FROM image_digests WHERE image = ?",
		"DELETE FROM images WHERE id = ?",
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(statements); i++)
		r = db_exec(eng->db, err, statements[i], "s", id);
	return r < 0 ? r : 0;
}

/* Events are about images, lists among them: an artifact is something else. */
static int tell(struct engine *eng, const struct image_row *row, const char *action,
		const char *name, struct err *err)
{
	return row->kind == IMAGE_KIND_ARTIFACT ? 0 : event_image(eng, action, row->id, name, err);
}

static int delete_name(struct engine *eng, const struct image_row *row, const char *name,
		       char ***lines, struct err *err)
{
	cleanup_reference struct reference ref = { 0 };
	cleanup_free char *shown = NULL;
	int r = db_exec(eng->db, err, "DELETE FROM image_names WHERE name = ?", "s", name);

	if (r >= 0 && reference_parse(name, &ref, NULL) == 0) {
		shown = reference_familiar(&ref);
		strv_addf(lines, "Untagged: %s", shown);
	}
	return r < 0 ? r : tell(eng, row, "untag", shown ? shown : name, err);
}

static void untagged_digests(const struct image_row *row, char ***lines)
{
	for (size_t i = 0; row->repo_digests && row->repo_digests[i]; i++) {
		cleanup_reference struct reference ref = { 0 };

		if (reference_parse(row->repo_digests[i], &ref, NULL) < 0)
			continue;
		cleanup_free char *shown = reference_familiar(&ref);
		strv_addf(lines, "Untagged: %s", shown);
	}
}

/* Takes out one name, or all of them and the row when nothing is left. */
static int remove_rows(struct engine *eng, const struct image_row *row, const char *only_name,
		       bool keep_row, bool *ret_deleted, char ***lines, struct err *err)
{
	size_t i, left = strv_len(row->names);
	int r = 0;

	for (i = 0; r == 0 && row->names && row->names[i]; i++) {
		if (only_name && !str_eq(row->names[i], only_name))
			continue;
		r = delete_name(eng, row, row->names[i], lines, err);
		left--;
	}
	*ret_deleted = left == 0 && !keep_row;
	if (r < 0 || !*ret_deleted)
		return r;
	untagged_digests(row, lines);
	strv_addf(lines, "Deleted: %s", row->id);
	r = delete_row(eng, row->id, err);
	return r < 0 ? r : tell(eng, row, "delete", NULL, err);
}

static int remove_in_transaction(struct engine *eng, const char *word, bool force,
				 bool *ret_deleted, char ***lines, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	cleanup_free char *name = NULL;
	bool by_name, last;
	int r;

	r = images_find_whole(eng, word, &row, err);
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
	uint64_t freed;
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
	if (r == 0)
		r = deleted ? images_collect(eng, &freed, err) : db_sync(eng->db, err);
	if (r == 0)
		*ret_lines = take_ptr(lines);
	return r;
}

int images_remove_whole(struct engine *eng, const char *id, bool force, char ***ret_lines,
			struct err *err)
{
	const struct images_condition whenever = { .nameless = false };
	cleanup_strv char **lines = NULL;
	bool deleted;
	int r;

	if (!force)
		return images_remove_unused(eng, id, &whenever, ret_lines, err);
	r = engine_db(eng, err);
	if (r == 0)
		r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	r = db_end(eng->db, remove_in_transaction(eng, id, true, &deleted, &lines, err), err);
	if (r == 0)
		*ret_lines = take_ptr(lines);
	return r;
}

static int remove_unused(struct engine *eng, const char *id, const struct images_condition *when,
			 char ***lines, struct err *err)
{
	cleanup_record_list struct record_list users = { 0 };
	cleanup_image_row struct image_row row = { 0 };
	bool deleted;
	int r;

	r = images_find_whole(eng, id, &row, err);
	if (r == 0 && when->nameless && row.names)
		return 0;
	if (r == 0 && ((when->manifest && !str_eq(row.manifest, when->manifest)) ||
		       (when->before_ns && row.tagged_ns >= when->before_ns)))
		return err_fail(err, ERR_CONFLICT, "%.12s has been changed meanwhile: it stays",
				row.id + strlen("sha256:"));
	if (r == 0)
		r = record_list(eng, row.id, &users, err);
	if (r == 0 && users.n)
		return err_fail(err, ERR_CONFLICT, "image %.12s is being used by container %.12s",
				row.id + strlen("sha256:"), users.items[0].id);
	return r < 0 ? r : remove_rows(eng, &row, NULL, false, &deleted, lines, err);
}

int images_remove_unused(struct engine *eng, const char *id, const struct images_condition *when,
			 char ***ret_lines, struct err *err)
{
	cleanup_strv char **lines = NULL;
	int r;

	r = engine_db(eng, err);
	if (r == 0)
		r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	r = db_end(eng->db, remove_unused(eng, id, when, &lines, err), err);
	if (r == 0)
		*ret_lines = take_ptr(lines);
	return r;
}

int images_remove_nameless_within(struct engine *eng, const char *id, struct err *err)
{
	const struct images_condition when = { .nameless = true };
	cleanup_strv char **lines = NULL;
	int r = remove_unused(eng, id, &when, &lines, err);

	return r < 0 ? r : lines != NULL;
}

/* ---- names ---- */

/* The image may have gone since it was found. */
static int tag(struct engine *eng, const struct image_row *row, const char *full, const char *word,
	       struct err *err)
{
	cleanup_reference struct reference ref = { 0 };
	cleanup_free char *shown = NULL;
	int r = reference_parse(full, &ref, err);

	if (r < 0)
		return r;
	shown = reference_familiar(&ref);
	r = db_exec(eng->db, err,
		    "INSERT OR REPLACE INTO image_names (name, image, manifest)"
		    " SELECT ?, id, iif(kind = 'list', NULL, ?) FROM images WHERE id = ?",
		    "sss", full, row->manifest, row->id);
	if (r == 0)
		return err_fail(err, ERR_NOT_FOUND, "No such image: %s", word);
	if (r > 0)
		r = db_exec(eng->db, err, "UPDATE images SET tagged_ns = ? WHERE id = ?", "Is",
			    time_now_ns(), row->id);
	return r < 0 ? r : tell(eng, row, "tag", shown, err);
}

int images_tag(struct engine *eng, const char *word, const char *name, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	cleanup_reference struct reference ref = { 0 };
	cleanup_free char *full = NULL;
	int r;

	r = reference_parse(name, &ref, err);
	if (r < 0)
		return r;
	if (ref.digest)
		return err_fail(err, ERR_INVALID,
				"refusing to create a tag with a digest reference");
	full = reference_format(&ref);
	r = images_find(eng, word, &row, err);
	if (r < 0)
		return r;
	r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	r = db_end(eng->db, tag(eng, &row, full, word, err), err);
	return r < 0 ? r : db_sync(eng->db, err);
}

static int untag(struct engine *eng, const char *word, char *const *names, char ***lines,
		 struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	int r;

	r = images_find_whole(eng, word, &row, err);
	for (size_t i = 0; r == 0 && !names && row.names && row.names[i]; i++)
		r = delete_name(eng, &row, row.names[i], lines, err);
	for (size_t i = 0; r == 0 && names && names[i]; i++) {
		cleanup_free char *full = NULL;

		r = reference_normalize(names[i], &full, err);
		if (r == 0 && !strv_has(row.names, full))
			r = err_fail(err, ERR_NOT_FOUND, "No such name of image %.12s: %s",
				     row.id + strlen("sha256:"), names[i]);
		if (r == 0)
			r = delete_name(eng, &row, full, lines, err);
	}
	return r;
}

int images_untag(struct engine *eng, const char *word, char *const *names, char ***ret_lines,
		 struct err *err)
{
	cleanup_strv char **lines = NULL;
	int r;

	r = engine_db(eng, err);
	if (r == 0)
		r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	r = untag(eng, word, names, &lines, err);
	if (r == 0)
		r = db_commit(eng->db, err);
	if (r < 0) {
		db_rollback(eng->db);
		return r;
	}
	r = db_sync(eng->db, err);
	if (r == 0)
		*ret_lines = take_ptr(lines);
	return r;
}

void images_used(struct engine *eng, const struct image_row *row)
{
	struct err err = ERR_INIT;
	int64_t now = time_now_ns();

	if (!row->id || (row->last_used_ns <= now && now - row->last_used_ns < USED_STEP_NS))
		return;
	if (db_exec(eng->db, &err, "UPDATE images SET last_used_ns = ? WHERE id = ?", "Is", now,
		    row->id) < 0)
		log_debug("noting the use of image %s: %s", row->id, err.msg);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/images.h"

#include "base/buf.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/db.h"
#include "engine/registries.h"
#include "oci/digest.h"
#include "oci/reference.h"

#define COLUMNS_BUT_MANIFEST                                                                       \
	"created_ns, size, architecture, os, layers, kind, variant, tagged_ns, last_used_ns"
#define COLUMNS "id, manifest, " COLUMNS_BUT_MANIFEST

/* Half of the time that a long list takes is for its layers. */
#define COLUMNS_BRIEF                                                                              \
	"id, manifest, created_ns, size, architecture, os, '', kind, variant, tagged_ns, "         \
	"last_used_ns"

const char *const image_kind_names[] = { "image", "list", "artifact", NULL };

void image_row_done(struct image_row *row)
{
	free(row->id);
	free(row->manifest);
	strv_free(row->names);
	strv_free(row->repo_digests);
	strv_free(row->diff_ids);
	free(row->architecture);
	free(row->os);
	free(row->variant);
	*row = (struct image_row){ 0 };
}

void image_rows_done(struct image_rows *rows)
{
	size_t i;

	for (i = 0; i < rows->n; i++)
		image_row_done(&rows->items[i]);
	free(rows->items);
	*rows = (struct image_rows){ 0 };
}

static void row_read(sqlite3_stmt *stmt, struct image_row *row)
{
	cleanup_free char *layers = db_column_str(stmt, 6);
	cleanup_free char *kind = db_column_str(stmt, 7);

	row->id = db_column_str(stmt, 0);
	row->manifest = db_column_str(stmt, 1);
	row->created_ns = db_column_i64(stmt, 2);
	row->size = (uint64_t)db_column_i64(stmt, 3);
	row->architecture = db_column_str(stmt, 4);
	row->os = db_column_str(stmt, 5);
	if (layers && layers[0])
		row->diff_ids = strv_split(layers, ',');
	for (int i = 0; image_kind_names[i]; i++)
		if (str_eq(kind, image_kind_names[i]))
			row->kind = (enum image_kind)i;
	row->variant = db_column_str(stmt, 8);
	row->tagged_ns = db_column_i64(stmt, 9);
	row->last_used_ns = db_column_i64(stmt, 10);
}

/* The first row into ret. 0: none; 1; 2: there are more. */
static int find_one(struct engine *eng, struct image_row *ret, struct err *err, const char *sql,
		    const char *types, const char *a, const char *b)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r;

	r = db_query(eng->db, &stmt, err, sql, types, a, b);
	if (r < 0)
		return r;
	r = db_step(eng->db, stmt, err);
	if (r <= 0)
		return r;
	row_read(stmt, ret);
	return db_step(eng->db, stmt, err) > 0 ? 2 : 1;
}

/* As a registry calls it; and whatever the repository, the digest of an image here. */
static int find_by_digest(struct engine *eng, const struct reference *ref, struct image_row *ret,
			  struct err *err)
{
	cleanup_free char *repository = reference_repository(ref);

	int r = find_one(eng, ret, err,
			 "SELECT id, coalesce(d.manifest, images.manifest), " COLUMNS_BUT_MANIFEST
			 " FROM image_digests AS d JOIN images ON id = d.image"
			 " WHERE repository = ? AND digest = ?",
			 "ss", repository, ref->digest);
	if (r == 0)
		r = find_one(eng, ret, err,
			     "SELECT " COLUMNS " FROM images WHERE manifest = ?1 OR id = ?1", "s",
			     ref->digest, NULL);
	if (r == 0)
		r = find_one(eng, ret, err,
			     "SELECT id, ?1, " COLUMNS_BUT_MANIFEST " FROM images WHERE id IN"
			     " (SELECT image FROM image_names WHERE manifest = ?1"
			     " UNION SELECT image FROM image_digests WHERE manifest = ?1)",
			     "s", ref->digest, NULL);
	return r;
}

static int find_by_reference(struct engine *eng, const char *word, struct image_row *ret,
			     struct err *err)
{
	cleanup_reference struct reference ref = { 0 };
	cleanup_free char *name = NULL;
	int r;

	r = reference_parse(word, &ref, NULL);
	if (r < 0)
		return 0; /* not a reference: it may still be an id */
	if (ref.digest)
		return find_by_digest(eng, &ref, ret, err);
	name = reference_format(&ref);
	return find_one(eng, ret, err,
			"SELECT id, coalesce(n.manifest, images.manifest), " COLUMNS_BUT_MANIFEST
			" FROM image_names AS n JOIN images ON id = n.image WHERE name = ?",
			"s", name, NULL);
}

static int find_by_id(struct engine *eng, const char *word, struct image_row *ret, struct err *err)
{
	const char *hex = str_after(word, "sha256:");
	cleanup_free char *from = NULL;
	cleanup_free char *to = NULL;
	size_t len;

	if (!hex)
		hex = word;
	len = strlen(hex);
	if (len < 2 || len > 64 || strspn(hex, "0123456789abcdef") != len)
		return 0;
	from = xasprintf("sha256:%s", hex);
	to = xasprintf("sha256:%sg", hex); /* 'g' sorts behind every hexadecimal digit */
	return find_one(eng, ret, err, "SELECT " COLUMNS " FROM images WHERE id >= ? AND id < ?",
			"ss", from, to);
}

/* A short name also stands for what it would be pulled as. Settings that can't be read are somebody
 * else's to report: no name is found by them. */
static int find_by_short_name(struct engine *eng, const char *word, struct image_row *ret,
			      struct err *err)
{
	cleanup_strv char **names = NULL;
	int r = 0;

	if (reference_has_domain(word) || registries_candidates(eng, word, &names, NULL) < 0)
		return 0;
	for (size_t i = 0; r == 0 && names[i]; i++)
		r = find_by_reference(eng, names[i], ret, err);
	return r;
}

int images_find(struct engine *eng, const char *word, struct image_row *ret, struct err *err)
{
	cleanup_reference struct reference ref = { 0 };
	struct image_row row = { 0 };
	int r;

	r = engine_db(eng, err);
	if (r < 0)
		return r;
	/* A whole id is one, whatever somebody has taken for a name: "sha256" with a tag. */
	r = digest_valid(word) ? find_by_id(eng, word, &row, err) : 0;
	if (r == 0)
		r = find_by_reference(eng, word, &row, err);
	if (r == 0)
		r = find_by_id(eng, word, &row, err);
	if (r == 0)
		r = find_by_short_name(eng, word, &row, err);
	if (r == 1) {
		*ret = row;
		return 0;
	}
	image_row_done(&row);
	if (r < 0)
		return r;
	if (r > 1)
		return err_fail(err, ERR_INVALID, "more than one image's id begins with %s", word);
	r = reference_parse(word, &ref, err);
	if (r < 0)
		return r;
	return err_fail(err, ERR_NOT_FOUND, "No such image: %s", word);
}

static int words_read(struct engine *eng, const char *sql, const char *id, char ***ret,
		      struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r;

	r = db_query(eng->db, &stmt, err, sql, "s", id);
	if (r < 0)
		return r;
	while ((r = db_step(eng->db, stmt, err)) > 0)
		strv_take(ret, db_column_str(stmt, 0));
	return r;
}

int images_names(struct engine *eng, const char *id, char ***ret, struct err *err)
{
	return words_read(eng, "SELECT name FROM image_names WHERE image = ? ORDER BY 1", id, ret,
			  err);
}

int images_repo_digests(struct engine *eng, const char *id, char ***ret, struct err *err)
{
	return words_read(eng,
			  "SELECT repository || '@' || digest FROM image_digests WHERE image = ?"
			  " ORDER BY 1",
			  id, ret, err);
}

int images_find_whole(struct engine *eng, const char *word, struct image_row *ret, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	int r;

	r = images_find(eng, word, &row, err);
	if (r == 0)
		r = images_names(eng, row.id, &row.names, err);
	if (r == 0)
		r = images_repo_digests(eng, row.id, &row.repo_digests, err);
	if (r < 0)
		return r;
	*ret = row;
	row = (struct image_row){ 0 };
	return 0;
}

/* Keeps the names that match; false when none does. */
static bool filter_names(struct image_row *row, const struct reference *want, bool with_tag)
{
	cleanup_free char *repository = reference_repository(want);
	size_t i, k = 0;

	for (i = 0; row->names && row->names[i]; i++) {
		cleanup_reference struct reference ref = { 0 };
		cleanup_free char *own = NULL;

		if (reference_parse(row->names[i], &ref, NULL) == 0)
			own = reference_repository(&ref);
		if (own && str_eq(own, repository) && (!with_tag || str_eq(ref.tag, want->tag)))
			row->names[k++] = row->names[i];
		else
			free(row->names[i]);
	}
	if (row->names)
		row->names[k] = NULL;
	return k > 0;
}

static int filter_rows(struct image_rows *rows, const char *filter, struct err *err)
{
	cleanup_reference struct reference want = { 0 };
	const char *slash = strrchr(filter, '/');
	bool with_tag = strchr(slash ? slash : filter, ':') != NULL;
	size_t i, k = 0;
	int r;

	r = reference_parse(filter, &want, err);
	if (r < 0)
		return r;
	for (i = 0; i < rows->n; i++) {
		if (filter_names(&rows->items[i], &want, with_tag))
			rows->items[k++] = rows->items[i];
		else
			image_row_done(&rows->items[i]);
	}
	rows->n = k;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct image_row *const *x = a, *const *y = b;

	return strcmp((*x)->id, (*y)->id);
}

/* Words of all images: sql gives image and word, in the order of the images' ids, as rows has them.
 * Some thousand statements, one for each image, take longer. */
static int words_merge(struct engine *eng, const char *sql, struct image_row *const *rows, size_t n,
		       size_t list_at, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	size_t i = 0;
	int r;

	r = db_query(eng->db, &stmt, err, sql, "");
	if (r < 0)
		return r;
	while ((r = db_step(eng->db, stmt, err)) > 0) {
		cleanup_free char *id = db_column_str(stmt, 0);

		while (i < n && strcmp(rows[i]->id, id) < 0)
			i++;
		/* else it came a moment ago */
		if (i < n && str_eq(rows[i]->id, id))
			strv_take((char ***)((char *)rows[i] + list_at), db_column_str(stmt, 1));
	}
	return r;
}

static int read_words(struct engine *eng, const struct image_rows *rows, struct err *err)
{
	cleanup_free struct image_row **sorted = xcalloc(rows->n + 1, sizeof(void *));
	int r;

	for (size_t i = 0; i < rows->n; i++)
		sorted[i] = &rows->items[i];
	qsort(sorted, rows->n, sizeof(void *), by_id);
	r = words_merge(eng, "SELECT image, name FROM image_names ORDER BY image, name", sorted,
			rows->n, offsetof(struct image_row, names), err);
	if (r < 0)
		return r;
	return words_merge(eng,
			   "SELECT image, repository || '@' || digest FROM image_digests"
			   " ORDER BY image, repository, digest",
			   sorted, rows->n, offsetof(struct image_row, repo_digests), err);
}

static int read_rows(struct engine *eng, const char *sql, struct image_rows *rows, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	size_t cap = 0;
	int r;

	r = db_query(eng->db, &stmt, err, sql, "");
	if (r < 0)
		return r;
	while ((r = db_step(eng->db, stmt, err)) > 0) {
		if (rows->n == cap) {
			cap = cap ? cap * 2 : 16;
			rows->items = xrealloc(rows->items, cap * sizeof(*rows->items));
		}
		rows->items[rows->n] = (struct image_row){ 0 };
		row_read(stmt, &rows->items[rows->n++]);
	}
	return r;
}

static int list(struct engine *eng, const char *sql, const char *filter, bool words,
		struct image_rows *ret, struct err *err)
{
	cleanup_image_rows struct image_rows rows = { 0 };
	int r;

	r = engine_db(eng, err);
	if (r == 0)
		r = read_rows(eng, sql, &rows, err);
	if (r == 0 && words)
		r = read_words(eng, &rows, err);
	if (r == 0 && filter)
		r = filter_rows(&rows, filter, err);
	if (r < 0)
		return r;
	*ret = rows;
	rows = (struct image_rows){ 0 };
	return 0;
}

int images_list(struct engine *eng, const char *filter, struct image_rows *ret, struct err *err)
{
	return list(eng, "SELECT " COLUMNS " FROM images ORDER BY created_ns DESC, id", filter,
		    true, ret, err);
}

int images_list_brief(struct engine *eng, const char *filter, bool words, struct image_rows *ret,
		      struct err *err)
{
	return list(eng, "SELECT " COLUMNS_BRIEF " FROM images ORDER BY created_ns DESC, id",
		    filter, words || filter, ret, err);
}

int images_list_uncounted(struct engine *eng, struct image_rows *ret, struct err *err)
{
	return list(eng,
		    "SELECT " COLUMNS " FROM images WHERE id NOT IN (SELECT image FROM content)",
		    NULL, false, ret, err);
}

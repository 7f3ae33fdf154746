/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/secrets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/db.h"

#define NAME_MAX_LEN 253
#define COLUMNS      "id, name, created_ns, updated_ns, labels"

struct labels_doc {
	struct json_map map;
};
static const struct json_field labels_fields[] = {
	JSON_FIELD(struct labels_doc, map, "labels", JSON_MAP),
};
static const struct json_desc labels_desc = JSON_DESC(struct labels_doc, labels_fields);

void secret_done(struct secret *s)
{
	struct labels_doc doc = { .map = s->labels };

	free(s->id);
	free(s->name);
	json_free(&labels_desc, &doc);
	*s = (struct secret){ 0 };
}

void secret_list_done(struct secret_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		secret_done(&list->items[i]);
	free(list->items);
	*list = (struct secret_list){ 0 };
}

static int name_check(const char *name, struct err *err)
{
	size_t len = strlen(name);
	bool good = len >= 1 && len <= NAME_MAX_LEN && name[0] != '.' && name[0] != '-';

	for (size_t i = 0, n; good && i < len; i += n) {
		n = str_utf8_len(name + i);
		good = n > 0 && (unsigned char)name[i] > ' ' && name[i] != 0x7f &&
		       !strchr("=/,", name[i]);
	}
	if (good)
		return 0;
	return err_fail(err, ERR_USAGE,
			"invalid secret name: it has 1 to %d characters without '=', '/', ',' and "
			"spaces, the first of which is no '.' or '-'",
			NAME_MAX_LEN);
}

int secret_create(struct engine *eng, struct secret *s, const struct buf *data, bool replace,
		  struct err *err)
{
	struct labels_doc doc = { .map = s->labels };
	cleanup_buf struct buf labels = BUF_INIT;
	cleanup_buf struct buf text = BUF_INIT;
	char id[HEX_ID_LEN + 1];
	int r = name_check(s->name, err);

	if (r < 0)
		return r;
	if (!data->len || data->len > SECRET_BYTES_MAX)
		return err_fail(err, ERR_USAGE,
				"secret data must be larger than 0 and less than %u bytes",
				SECRET_BYTES_MAX + 1);
	r = hex_random_id(id);
	if (r < 0)
		return err_errno(err, -r, "choosing an id");
	id[SECRET_ID_LEN] = '\0';
	json_write(&labels_desc, &doc, 0, &labels);
	base64_encode(data->data, data->len, &text);
	s->id = xstrdup(id);
	s->created_ns = s->updated_ns = time_now_ns();
	r = engine_db(eng, err);
	if (r == 0)
		r = db_wipe_begin(eng->db, err);
	if (r == 0)
		r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	if (replace)
		r = db_exec(eng->db, err, "DELETE FROM secrets WHERE name = ?", "s", s->name);
	if (r >= 0)
		r = db_exec(eng->db, err,
			    "INSERT INTO secrets (id, name, created_ns, updated_ns, labels, data)"
			    " VALUES (?, ?, ?, ?, ?, ?)",
			    "ssIIss", id, s->name, s->created_ns, s->updated_ns, buf_str(&labels),
			    buf_str(&text));
	if (r < 0 && db_is_unique_error(eng->db))
		r = err_hint(err, err_fail(err, ERR_EXISTS, "%s: secret name in use", s->name),
			     "--replace takes its place");
	r = db_end(eng->db, r < 0 ? r : 0, err);
	if (r < 0)
		return r;
	/* Whoever was told its id may have no other copy: it is not lost by a power cut. */
	return replace ? db_wipe_end(eng->db, err) : db_sync(eng->db, err);
}

static void from_row(sqlite3_stmt *stmt, struct secret *s)
{
	cleanup_free char *labels = db_column_str(stmt, 4);
	struct labels_doc doc = { 0 };

	s->id = db_column_str(stmt, 0);
	s->name = db_column_str(stmt, 1);
	s->created_ns = db_column_i64(stmt, 2);
	s->updated_ns = db_column_i64(stmt, 3);
	if (labels && json_parse(&labels_desc, &doc, labels, strlen(labels), "labels", NULL) == 0)
		s->labels = doc.map;
}

int secret_list(struct engine *eng, struct secret_list *ret, struct err *err)
{
	cleanup_secret_list struct secret_list list = { 0 };
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_query(eng->db, &stmt, err, "SELECT " COLUMNS " FROM secrets ORDER BY name",
			     "");
	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0) {
		list.items = xrealloc(list.items, (list.n + 1) * sizeof(*list.items));
		list.items[list.n] = (struct secret){ 0 };
		from_row(stmt, &list.items[list.n++]);
	}
	if (r < 0)
		return r;
	*ret = list;
	list = (struct secret_list){ 0 };
	return 0;
}

static int find_by(struct engine *eng, const char *sql, const char *word, struct secret *ret,
		   struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err, sql, "s", word);

	if (r == 0)
		r = db_step(eng->db, stmt, err);
	if (r <= 0)
		return r;
	from_row(stmt, ret);
	return 1 + (db_step(eng->db, stmt, err) > 0);
}

int secret_find(struct engine *eng, const char *word, struct secret *ret, struct err *err)
{
	cleanup_secret struct secret s = { 0 };
	int r = engine_db(eng, err);

	if (r < 0)
		return r;
	r = find_by(eng, "SELECT " COLUMNS " FROM secrets WHERE name = ?", word, &s, err);
	if (r == 0 && word[0] && strspn(word, "0123456789abcdef") == strlen(word))
		r = find_by(eng, "SELECT " COLUMNS " FROM secrets WHERE id GLOB ?1 || '*'", word,
			    &s, err);
	if (r < 0)
		return r;
	if (r == 0)
		return err_fail(err, ERR_NOT_FOUND, "no secret with name or id \"%s\"", word);
	if (r > 1)
		return err_fail(err, ERR_INVALID, "more than one secret's id begins with %s", word);
	*ret = s;
	s = (struct secret){ 0 };
	return 0;
}

int secret_data(struct engine *eng, const char *id, struct buf *out, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_free char *text = NULL;
	int r = db_query(eng->db, &stmt, err, "SELECT data FROM secrets WHERE id = ?", "s", id);

	if (r == 0)
		r = db_step(eng->db, stmt, err);
	if (r < 0)
		return r;
	text = r > 0 ? db_column_str(stmt, 0) : NULL;
	if (!text)
		return err_fail(err, ERR_NOT_FOUND, "no secret with name or id \"%s\"", id);
	r = base64_decode(text, strlen(text), out);
	return r < 0 ? err_fail(err, ERR_CORRUPT, "the database's content of secret %s is damaged",
				id)
		     : 0;
}

int secret_remove(struct engine *eng, const char *id, struct err *err)
{
	int r = engine_db(eng, err);

	/* Its bytes go, too. */
	if (r == 0)
		r = db_wipe_begin(eng->db, err);
	if (r == 0)
		r = db_exec(eng->db, err, "DELETE FROM secrets WHERE id = ?", "s", id);
	return r < 0 ? r : db_wipe_end(eng->db, err);
}

/* ---- in containers ---- */

static int owner(const char *what, uint32_t inside, const struct idmap *map, uint32_t *ret,
		 struct err *err)
{
	*ret = inside;
	if (map && idmap_to_outside(map, inside, ret) < 0)
		return err_fail(err, ERR_INVALID, "--secret: %s %u is not mapped", what, inside);
	return 0;
}

static int write_one(struct engine *eng, int dir, size_t i, const struct secret_request *q,
		     const struct idmap *uids, const struct idmap *gids, struct err *err)
{
	cleanup_buf struct buf data = BUF_INIT;
	cleanup_secret struct secret s = { 0 };
	cleanup_fd int fd = -EBADF;
	uint32_t uid, gid;
	char name[24];
	int r;

	r = owner("user", q->uid, uids, &uid, err);
	if (r == 0)
		r = owner("group", q->gid, gids, &gid, err);
	if (r == 0)
		r = secret_find(eng, q->source, &s, err);
	if (r == 0)
		r = secret_data(eng, s.id, &data, err);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "%zu", i);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = fd < 0 ? -errno : io_write(fd, data.data, data.len);
	/* Of a user who stays himself in there (--userns keep-id) it is, unless it is to be
	 * somebody else's. */
	if (r == 0 && (uid != geteuid() || gid != getegid()) && fchown(fd, uid, gid) < 0 &&
	    (errno != EPERM || !eng->rootless || q->uid || q->gid))
		r = -errno;
	if (r == 0 && fchmod(fd, q->mode) < 0)
		r = -errno;
	if (r == -EPERM && eng->rootless)
		return err_fail(err, ERR_UNSUPPORTED,
				"--secret %s: without root it can belong to root in the container "
				"only, or with --userns keep-id to the user",
				q->source);
	return r < 0 ? err_errno(err, -r, "writing secret %s for the container", q->source) : 0;
}

int secret_env_add(struct engine *eng, const struct secret_request *q, char ***env, struct err *err)
{
	cleanup_buf struct buf data = BUF_INIT;
	cleanup_secret struct secret s = { 0 };
	cleanup_free char *pair = NULL;
	int r = secret_find(eng, q->source, &s, err);

	if (r == 0)
		r = secret_data(eng, s.id, &data, err);
	if (r < 0)
		return r;
	if (memchr(data.data, '\0', data.len))
		return err_fail(err, ERR_INVALID,
				"--secret %s: it holds a NUL byte, which no variable can: use "
				"type=mount",
				q->source);
	pair = xasprintf("%s=%s", q->target, buf_str(&data));
	strv_env_set(env, pair);
	return 0;
}

int secrets_write(struct engine *eng, int bundle_fd, const struct secret_request *items, size_t n,
		  const struct idmap *uids, const struct idmap *gids, struct err *err)
{
	cleanup_fd int dir = -EBADF;
	int r = 0;

	if (!n)
		return 0;
	if (mkdirat(bundle_fd, "secrets", 0700) < 0)
		return err_errno(err, errno, "making secrets in the container's directory");
	dir = openat(bundle_fd, "secrets", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return err_errno(err, errno, "opening secrets in the container's directory");
	for (size_t i = 0; r == 0 && i < n; i++)
		r = write_one(eng, dir, i, &items[i], uids, gids, err);
	return r;
}

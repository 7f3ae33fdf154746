/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/volumes.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/db.h"
#include "engine/df.h"
#include "engine/events.h"
#include "engine/parse.h"
#include "engine/volumes_internal.h"

#define COLUMNS                                                                                    \
	"name, created_ns, anonymous, labels, options,"                                            \
	" (SELECT count(*) FROM volume_uses WHERE volume = name)"

const char *const volume_event[] = { "driver", "local", NULL };

struct map_doc {
	struct json_map map;
};
static const struct json_field map_fields[] = {
	JSON_FIELD(struct map_doc, map, "map", JSON_MAP),
};
static const struct json_desc map_desc = JSON_DESC(struct map_doc, map_fields);

void volume_done(struct volume *v)
{
	free(v->name);
	json_map_done(&v->labels);
	json_map_done(&v->options);
	*v = (struct volume){ 0 };
}

void volume_list_done(struct volume_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		volume_done(&list->items[i]);
	free(take_ptr(list->items));
	list->n = 0;
}

/* ---- directories ---- */

static int dir_open(int parent, const char *name, mode_t mode, struct err *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(parent, name, flags);

	/* made only when it is missing: the file system may be read-only */
	if (fd >= 0 || errno != ENOENT)
		return fd >= 0 ? fd
			       : err_errno(err, errno, "opening directory %s of volumes", name);
	if (mkdirat(parent, name, mode) < 0 && errno != EEXIST)
		return err_errno(err, errno, "making directory %s of volumes", name);
	fd = openat(parent, name, flags);
	return fd < 0 ? err_errno(err, errno, "opening directory %s of volumes", name) : fd;
}

int volumes_open(struct engine *eng, struct err *err)
{
	int r = engine_dirs(eng, err);

	return r < 0 ? r : dir_open(eng->root_fd, VOLUMES_DIR, 0700, err);
}

/* One that was to be removed by a command that was killed before it had said so to the database. */
void volume_put_back(int all, const char *name)
{
	cleanup_free char *aside = xasprintf("%c%s", VOLUME_ASIDE, name);

	renameat2(all, aside, all, name, RENAME_NOREPLACE);
}

int volume_open(struct engine *eng, const char *name, struct err *err)
{
	cleanup_fd int all = volumes_open(eng, err);
	struct stat st;

	if (all < 0)
		return all;
	if (fstatat(all, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		volume_put_back(all, name);
	cleanup_fd int dir = dir_open(all, name, 0700, err);
	if (dir < 0)
		return dir;
	/* The mode is the files' owners' to choose: docker begins with this one, too. */
	if (fstatat(dir, VOLUME_DATA, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return take_fd(dir);
	cleanup_fd int data = dir_open(dir, VOLUME_DATA, 0755, err);
	if (data >= 0 && fchmod(data, 0755) < 0)
		return err_errno(err, errno, "setting the mode of volume %s", name);
	return data < 0 ? data : take_fd(dir);
}

char *volume_path(const struct engine *eng, const struct volume *v)
{
	cleanup_mount_request struct mount_request m = { 0 };

	if (v->options.n && volume_opts_parse(&v->options, &m, NULL) == 0 && m.kind != MOUNT_VOLUME)
		return take_ptr(m.source);
	return xasprintf("%s/" VOLUMES_DIR "/%s/" VOLUME_DATA, eng->root, v->name);
}

uint64_t volume_size(struct engine *eng, const struct volume *v)
{
	cleanup_free char *rel = xasprintf(VOLUMES_DIR "/%s/" VOLUME_DATA, v->name);

	return df_tree_size(eng, rel);
}

/* ---- rows ---- */

static void map_write(const struct json_map *map, struct buf *out)
{
	struct map_doc doc = { .map = *map };

	if (map->n)
		json_write(&map_desc, &doc, 0, out);
}

static void map_read(sqlite3_stmt *stmt, int column, struct json_map *ret)
{
	cleanup_free char *text = db_column_str(stmt, column);
	struct map_doc doc = { 0 };

	if (text && text[0] && json_parse(&map_desc, &doc, text, strlen(text), "labels", NULL) == 0)
		*ret = doc.map;
}

static void from_row(sqlite3_stmt *stmt, void *data)
{
	struct volume *ret = data;

	*ret = (struct volume){
		.name = db_column_str(stmt, 0),
		.created_ns = db_column_i64(stmt, 1),
		.anonymous = db_column_i64(stmt, 2) != 0,
		.uses = (uint64_t)db_column_i64(stmt, 5),
	};
	map_read(stmt, 3, &ret->labels);
	map_read(stmt, 4, &ret->options);
}

int volume_get(struct engine *eng, const char *name, struct volume *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_query(eng->db, &stmt, err, "SELECT " COLUMNS " FROM volumes WHERE name = ?",
			     "s", name);
	if (r == 0)
		r = db_step(eng->db, stmt, err);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	from_row(stmt, ret);
	return 0;
}

int volume_no_such(const char *name, struct err *err)
{
	return err_fail(err, ERR_NOT_FOUND, "get %s: no such volume", name);
}

int volume_find(struct engine *eng, const char *name, struct volume *ret, struct err *err)
{
	int r = volume_get(eng, name, ret, err);

	return r == -ENOENT ? volume_no_such(name, err) : r;
}

int volumes_list(struct engine *eng, struct volume_list *ret, struct err *err)
{
	cleanup_volume_list struct volume_list list = { 0 };
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_query(eng->db, &stmt, err, "SELECT " COLUMNS " FROM volumes ORDER BY name",
			     "");
	if (r == 0)
		r = db_rows(eng->db, stmt, from_row, sizeof(*list.items), &list.items, &list.n,
			    err);
	if (r < 0)
		return r;
	*ret = list;
	list = (struct volume_list){ 0 };
	return 0;
}

int volume_strings(struct engine *eng, const char *sql, const char *value, char ***ret,
		   struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_query(eng->db, &stmt, err, sql, "s", value);
	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0)
		strv_take(ret, db_column_str(stmt, 0));
	return r;
}

int volume_users(struct engine *eng, const char *name, char ***ret, struct err *err)
{
	return volume_strings(
	    eng, "SELECT container FROM volume_uses WHERE volume = ? ORDER BY container", name, ret,
	    err);
}

/* ---- coming ---- */

/* name: ".NAME". */
int volume_make_garbage(int all, const char *name, struct err *err)
{
	char id[HEX_ID_LEN + 1];
	int r = hex_random_id(id);

	if (r < 0)
		return err_errno(err, -r, "choosing a name");
	cleanup_free char *garbage = xasprintf("%c%s", VOLUME_GARBAGE, id);
	if (renameat(all, name, all, garbage) < 0 && errno != ENOENT)
		return err_errno(err, errno, "removing volume %s", name + 1);
	return 0;
}

/* What is left of a volume that had the name before. */
static int forget_old(struct engine *eng, const char *name, struct err *err)
{
	cleanup_free char *aside = xasprintf("%c%s", VOLUME_ASIDE, name);
	cleanup_fd int all = volumes_open(eng, err);

	return all < 0 ? all : volume_make_garbage(all, aside, err);
}

int volume_add(struct engine *eng, const struct volume *v, struct err *err)
{
	cleanup_buf struct buf labels = BUF_INIT;
	cleanup_buf struct buf options = BUF_INIT;
	int r;

	map_write(&v->labels, &labels);
	map_write(&v->options, &options);
	r = db_exec(eng->db, err,
		    "INSERT OR IGNORE INTO volumes (name, created_ns, anonymous, labels, options)"
		    " VALUES (?, ?, ?, ?, ?)",
		    "sIiss", v->name, v->created_ns ? v->created_ns : time_now_ns(),
		    (int)v->anonymous, buf_str(&labels), buf_str(&options));
	if (r < 0)
		return r;
	bool is_new = r > 0;
	r = is_new ? event_add(eng, "volume", "create", v->name, volume_event, err) : 0;
	if (r == 0 && is_new)
		r = forget_old(eng, v->name, err);
	if (r < 0)
		return r;
	int fd = volume_open(eng, v->name, err);
	fd_close(fd);
	return fd < 0 ? fd : is_new;
}

void volume_unmake(struct engine *eng, const char *name)
{
	cleanup_volume struct volume v = { 0 };
	cleanup_free char *data = xasprintf("%s/" VOLUME_DATA, name);
	cleanup_fd int all = -EBADF;

	if (db_begin(eng->db, NULL) < 0)
		return;
	if (volume_get(eng, name, &v, NULL) == -ENOENT)
		all = volumes_open(eng, NULL);
	/* Only an empty one goes. */
	if (all >= 0 && (unlinkat(all, data, AT_REMOVEDIR) == 0 || errno == ENOENT))
		unlinkat(all, name, AT_REMOVEDIR);
	db_rollback(eng->db);
}

int volume_create(struct engine *eng, const struct volume *v, bool *ret_new, struct err *err)
{
	cleanup_mount_request struct mount_request m = { 0 };
	int r = volume_name_check(v->name, err);

	if (r == 0)
		r = volume_opts_parse(&v->options, &m, err);
	if (r == 0)
		r = engine_db(eng, err);
	if (r == 0)
		r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	r = volume_add(eng, v, err);
	*ret_new = r > 0;
	r = db_end(eng->db, r < 0 ? r : 0, err);
	if (r < 0)
		volume_unmake(eng, v->name);
	/* Who has been told its name will look for it after a power cut. */
	if (r == 0 && *ret_new)
		r = db_sync(eng->db, err);
	return r < 0 ? err_wrap(err, r, "creating volume %s", v->name) : 0;
}

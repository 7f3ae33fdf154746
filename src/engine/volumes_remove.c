/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes that go.
 *
 * In the transaction that deletes its row, a volume's directory is renamed to ".NAME": were the
 * command killed before the commit, it is that again. Without a row it is garbage, and called
 * "_RANDOM" before a row of that name can come. No volume's name begins so.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/db.h"
#include "engine/events.h"
#include "engine/parse.h"
#include "engine/record.h"
#include "engine/volumes_internal.h"

static int move_aside(struct engine *eng, const char *name, struct err *err)
{
	cleanup_free char *aside = xasprintf("%c%s", VOLUME_ASIDE, name);
	cleanup_fd int all = volumes_open(eng, err);

	if (all < 0)
		return all;
	if (renameat(all, name, all, aside) < 0 && errno != ENOENT)
		return err_errno(err, errno, "removing volume %s", name);
	return 0;
}

static int row_exists(struct engine *eng, const char *name)
{
	cleanup_volume struct volume v = { 0 };
	int r = volume_get(eng, name, &v, NULL);

	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

/* What stands aside is a volume or garbage: the database says. */
static void settle(struct engine *eng, int all, const char *name)
{
	int r = db_begin(eng->db, NULL);

	if (r < 0)
		return;
	r = row_exists(eng, name + 1);
	if (r > 0)
		volume_put_back(all, name + 1);
	else if (r == 0)
		volume_make_garbage(all, name, NULL);
	db_rollback(eng->db);
}

static int names_read(int all, char first, char ***ret, struct err *err)
{
	int fd = openat(all, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *de;

	if (!dir) {
		fd_close(fd);
		return err_errno(err, errno, "reading the directory of volumes");
	}
	while ((de = readdir(dir)))
		if (de->d_name[0] == first && !str_eq(de->d_name, ".") && !str_eq(de->d_name, ".."))
			strv_add(ret, de->d_name);
	closedir(dir);
	return 0;
}

/* The volume is gone, its room may not be. Another command may be at it, too. */
static void sweep_one(struct engine *eng, const char *path)
{
	struct err err = ERR_INIT;
	int r = image_remove_tree(&eng->store, path, &err);

	if (r < 0 && r != -ENOENT && r != -ENOTEMPTY)
		log_warn("files of a removed volume stay in %s/%s: %s", eng->root, path, err.msg);
}

int volumes_sweep(struct engine *eng, struct err *err)
{
	cleanup_strv char **aside = NULL, **garbage = NULL;
	cleanup_fd int all = volumes_open(eng, err);
	int r = all < 0 ? all : engine_db(eng, err);

	if (r == 0)
		r = names_read(all, VOLUME_ASIDE, &aside, err);
	for (size_t i = 0; r == 0 && aside && aside[i]; i++)
		settle(eng, all, aside[i]);
	if (r == 0)
		r = names_read(all, VOLUME_GARBAGE, &garbage, err);
	for (size_t i = 0; r == 0 && garbage && garbage[i]; i++) {
		cleanup_free char *path = xasprintf(VOLUMES_DIR "/%s", garbage[i]);

		r = engine_store(eng, err);
		if (r == 0)
			sweep_one(eng, path);
	}
	return r;
}

static int remove_row(struct engine *eng, const char *name, struct err *err)
{
	int r = db_exec(eng->db, err, "DELETE FROM volumes WHERE name = ?", "s", name);

	if (r <= 0)
		return r < 0 ? r : volume_no_such(name, err);
	r = event_add(eng, "volume", "destroy", name, volume_event, err);
	return r < 0 ? r : move_aside(eng, name, err);
}

static int remove_locked(struct engine *eng, const char *name, struct err *err)
{
	cleanup_strv char **users = NULL;
	int r = volume_users(eng, name, &users, err);

	if (r == 0 && users) {
		cleanup_free char *ids = strv_join(users, ", ");

		return err_fail(err, ERR_CONFLICT, "remove %s: volume is in use - [%s]", name, ids);
	}
	return r < 0 ? r : remove_row(eng, name, err);
}

int volume_remove(struct engine *eng, const char *name, struct err *err)
{
	int r = volume_name_check(name, NULL) < 0 ? volume_no_such(name, err) : engine_db(eng, err);

	if (r == 0)
		r = db_begin(eng->db, err);
	if (r == 0)
		r = db_end(eng->db, remove_locked(eng, name, err), err);
	/* Before its files go. */
	if (r == 0)
		r = db_sync(eng->db, err);
	return r < 0 ? r : volumes_sweep(eng, err);
}

#define ANONYMOUS_ALONE                                                                            \
	"SELECT volume FROM volume_uses AS u JOIN volumes ON name = volume"                        \
	" WHERE container = ? AND anonymous AND NOT EXISTS"                                        \
	" (SELECT 1 FROM volume_uses AS o WHERE o.volume = u.volume AND"                           \
	" o.container <> u.container)"

int volumes_leave(struct engine *eng, const char *container, bool *ret_removed, struct err *err)
{
	cleanup_strv char **names = NULL;
	int r = volume_strings(eng, ANONYMOUS_ALONE, container, &names, err);

	for (size_t i = 0; r == 0 && names && names[i]; i++)
		r = remove_row(eng, names[i], err);
	*ret_removed = names != NULL;
	return r;
}

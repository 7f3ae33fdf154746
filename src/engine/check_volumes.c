/* SPDX-License-Identifier: Apache-2.0 */
/* Of `system check`: volumes. Files of users are never removed here. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/check_internal.h"
#include "engine/db.h"
#include "engine/df.h"
#include "engine/parse.h"
#include "engine/volumes.h"

/* Does the volume have its directory? While nobody makes or removes one. */
static int row_locked(struct engine *eng, int all, const char *name, bool repair, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/" VOLUME_DATA, name);
	cleanup_volume struct volume now = { 0 };
	struct stat st;
	int r = volume_get(eng, name, &now, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (fstatat(all, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	int dir = repair ? volume_open(eng, name, err) : -EBADF;
	fd_close(dir);
	return repair && dir < 0 ? dir : 1;
}

static int check_row(struct engine *eng, int all, const char *name, bool repair,
		     struct check_report *report, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/" VOLUME_DATA, name);
	struct stat st;
	int r;

	if (fstatat(all, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	r = row_locked(eng, all, name, repair, err);
	db_rollback(eng->db);
	if (r <= 0)
		return r;
	strv_addf(&report->database, "volume %s has no directory: its files are lost%s", name,
		  repair ? "; an empty one was made" : "");
	report->damaged = report->certain = true;
	return 0;
}

static void leftover_add(struct engine *eng, const char *name, bool taken,
			 struct check_report *report)
{
	size_t n = report->leftovers.n++;
	char *path = xasprintf(VOLUMES_DIR "/%s", name);

	report->leftovers.items =
	    xrealloc(report->leftovers.items, (n + 1) * sizeof(*report->leftovers.items));
	report->leftovers.items[n] = (struct check_leftover){
		.path = path,
		.why = xstrdup(taken ? "no volume had it: it is one again"
				     : "no volume has it: --repair makes it one again"),
		.size = df_tree_size(eng, path),
	};
}

static bool is_known(const struct volume_list *volumes, const char *name)
{
	for (size_t i = 0; i < volumes->n; i++)
		if (str_eq(volumes->items[i].name, name))
			return true;
	return false;
}

static int check_dir(struct engine *eng, const char *name, bool repair, struct check_report *report,
		     struct err *err)
{
	const struct volume v = { .name = (char *)(uintptr_t)name };
	cleanup_volume struct volume now = { 0 };
	bool is_new;
	int r;

	/* It may have been made since the list was read. */
	if (volume_name_check(name, NULL) < 0 || volume_get(eng, name, &now, NULL) == 0)
		return 0;
	r = repair ? volume_create(eng, &v, &is_new, err) : 0;
	if (r == 0)
		leftover_add(eng, name, repair, report);
	return r;
}

int check_volumes(struct engine *eng, const struct check_options *opts, struct check_report *report,
		  struct err *err)
{
	cleanup_volume_list struct volume_list volumes = { 0 };
	cleanup_fd int all = volumes_open(eng, err);
	const struct dirent *de;
	int r = all < 0 ? all : 0;

	/* It is missing and can't be made: no volume has ever been there. */
	if (r == -EROFS)
		return 0;
	if (r == 0 && !opts->readonly)
		r = volumes_sweep(eng, err);
	if (r == 0)
		r = volumes_list(eng, &volumes, err);
	for (size_t i = 0; r == 0 && i < volumes.n; i++)
		r = check_row(eng, all, volumes.items[i].name, opts->repair, report, err);
	if (r < 0)
		return r;
	DIR *dir = fdopendir(fd_dup(all, 3));
	if (!dir)
		return err_errno(err, errno, "reading the directory of volumes");
	while (r == 0 && (de = readdir(dir)))
		if (!is_known(&volumes, de->d_name))
			r = check_dir(eng, de->d_name, opts->repair, report, err);
	closedir(dir);
	return r;
}

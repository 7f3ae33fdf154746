/* SPDX-License-Identifier: Apache-2.0 */
/* Of `system check`: containers, and making good what can be. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/check_internal.h"
#include "engine/images.h"
#include "engine/life.h"
#include "engine/remove.h"
#include "image/usage.h"

#define ORPHAN_AGE_NS (60 * INT64_C(1000000000)) /* a start makes its record in milliseconds */

/* ---- containers ---- */

static bool is_dir(struct engine *eng, const char *id, const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", id, name);
	struct stat st;

	return fstatat(eng->containers_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

static void container_tell(struct check_report *report, const struct record *rec, char *problem)
{
	struct check_item *item = check_add(report, false, rec->id, problem, CHECK_DAMAGED);

	if (!strv_has(item->names, rec->name))
		strv_add(&item->names, rec->name);
}

static int check_container(struct engine *eng, const struct record *rec,
			   struct check_report *report, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	cleanup_free char *config = xasprintf("%s/config.json", rec->id);
	struct err own = ERR_INIT;
	struct stat st;

	if (fstatat(eng->containers_fd, config, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		container_tell(report, rec, xstrdup("its config.json is missing"));
	if (!is_dir(eng, rec->id, "upper"))
		container_tell(report, rec, xstrdup("the directory of its files is missing"));
	if (rec->options.rootfs || str_eq(rec->image, IMAGE_HOST))
		return 0;
	int r = images_find(eng, rec->image, &row, &own);
	if (r < 0 && own.kind == ERR_NOT_FOUND)
		container_tell(report, rec, xasprintf("its image %s is not there", rec->image));
	else if (r < 0 && err)
		*err = own;
	return r < 0 && own.kind != ERR_NOT_FOUND ? r : 0;
}

static void leftover_add(struct check_report *report, const char *id, uint64_t size, bool removed)
{
	size_t n = report->leftovers.n++;

	report->leftovers.items =
	    xrealloc(report->leftovers.items, (n + 1) * sizeof(*report->leftovers.items));
	report->leftovers.items[n] =
	    (struct check_leftover){ .path = xasprintf("containers/%s", id),
				     .why = xstrdup("no container has it"),
				     .size = size,
				     .removed = removed };
}

static bool is_known(const struct record_list *records, const char *id)
{
	for (size_t i = 0; i < records->n; i++)
		if (str_eq(records->items[i].id, id))
			return true;
	return false;
}

/* Its image may have lost its row like the container itself: nothing of that may go under it. */
static void check_lost(struct engine *eng, const char *id, struct check_report *report)
{
	cleanup_record struct record rec = { 0 };
	struct err own = ERR_INIT;

	if (record_find(eng, id, &rec, &own) == 0 || own.kind != ERR_NOT_FOUND)
		return;
	strv_addf(&report->database,
		  "container %s runs and is not there: nothing is removed until it has ended", id);
	report->damaged = report->certain = report->keep = true;
}

/* Directories of containers without a record. */
static int check_dirs(struct engine *eng, const struct record_list *records, bool repair,
		      struct check_report *report, struct err *err)
{
	int fd = openat(eng->containers_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		fd_close(fd);
		return err_errno(err, errno, "reading %s/containers", eng->root);
	}
	while ((entry = readdir(dir))) {
		struct stat st;

		if (!container_id_valid(entry->d_name) || is_known(records, entry->d_name) ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    time_now_ns() - st.st_mtim.tv_sec * INT64_C(1000000000) < ORPHAN_AGE_NS)
			continue;
		if (life_alive(eng, entry->d_name)) {
			check_lost(eng, entry->d_name, report);
			continue;
		}
		cleanup_free char *path = xasprintf("containers/%s", entry->d_name);
		uint64_t size = store_dir_usage(&eng->store, path);
		bool removed = repair && life_remove_dirs(eng, entry->d_name, NULL) == 0;
		leftover_add(report, entry->d_name, size, removed);
	}
	closedir(dir);
	return 0;
}

int check_containers(struct engine *eng, const struct check_options *opts,
		     struct check_report *report, struct err *err)
{
	cleanup_record_list struct record_list records = { 0 };
	int r = life_list(eng, &records, err);

	for (size_t i = 0; r == 0 && i < records.n; i++)
		r = check_container(eng, &records.items[i], report, err);
	report->checked_containers = records.n;
	return r < 0 ? r : check_dirs(eng, &records, opts->repair, report, err);
}

/* ---- making good ---- */

/* Those of the image. 1: there are some, and they stay. */
static int users_remove(struct engine *eng, const char *image, bool force, struct err *err)
{
	cleanup_record_list struct record_list users = { 0 };
	int r = record_list(eng, image, &users, err);

	if (r < 0 || !users.n)
		return r;
	if (!force)
		return 1;
	for (size_t i = 0; r == 0 && i < users.n; i++)
		r = engine_remove(eng, users.items[i].id, true, false, err);
	return r;
}

static int image_repair(struct engine *eng, struct check_item *item, bool force, int64_t start_ns,
			struct err *err)
{
	/* It may have been got again meanwhile, and be whole. */
	const struct images_condition since = { .before_ns = start_ns };
	cleanup_strv char **lines = NULL;
	int r = users_remove(eng, item->id, force, err);

	if (r == 1) {
		strv_add(&item->problems, "containers use it: --force removes them, too");
		return 0;
	}
	if (r == 0)
		r = images_remove_unused(eng, item->id, &since, &lines, err);
	item->removed = r == 0;
	return r;
}

/* One that can't be removed does not keep the others. */
int check_repair(struct engine *eng, const struct check_options *opts, struct check_report *report,
		 struct err *err)
{
	for (size_t i = 0; opts->repair && opts->force && i < report->containers.n; i++) {
		struct check_item *item = &report->containers.items[i];
		struct err own = ERR_INIT;

		if (engine_remove(eng, item->id, true, false, &own) == 0)
			item->removed = true;
		else
			strv_addf(&item->problems, "removing it: %s", own.msg);
	}
	for (size_t i = 0; opts->repair && i < report->images.n; i++) {
		struct check_item *item = &report->images.items[i];
		struct err own = ERR_INIT;

		if (!item->damaged || report->keep)
			continue;
		if (image_repair(eng, item, opts->force, report->start_ns, &own) < 0)
			strv_addf(&item->problems, "removing it: %s", own.msg);
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Of `system check`: pods. */
#include <dirent.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/check_internal.h"
#include "engine/db.h"
#include "engine/pod_join.h"

/* Containers whose pod is not there. */
static int check_members(struct engine *eng, struct check_report *report, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err,
			 "SELECT name, pod FROM containers WHERE pod IS NOT NULL"
			 " AND NOT EXISTS (SELECT 1 FROM pods WHERE pods.id = pod)",
			 "");

	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0) {
		cleanup_free char *name = db_column_str(stmt, 0);
		cleanup_free char *pod = db_column_str(stmt, 1);

		strv_addf(&report->database,
			  "container %s belongs to the pod %.12s, which is not there: it cannot be "
			  "started, only removed",
			  name, pod);
		report->damaged = report->certain = true;
	}
	return r < 0 ? r : 0;
}

static bool is_there(struct engine *eng, const char *id)
{
	cleanup_pod struct pod pod = { 0 };
	struct err own = ERR_INIT;

	return pod_find(eng, id, &pod, &own) == 0 || own.kind != ERR_NOT_FOUND;
}

/* 1: nobody has it; with repair it has gone, with the cgroup that it names. Where processes run it
 * is a pod of another --root's. */
static int clear(struct engine *eng, const char *id, bool repair, struct err *err)
{
	cleanup_fd int lock = pod_lock(eng, id, err);
	int r;

	if (lock < 0)
		return lock;
	if (is_there(eng, id))
		return 0;
	r = pod_is_used(id, lock, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = repair ? pod_clear(eng, id, lock, err) : 0;
	return r < 0 ? r : 1;
}

static void leftover_add(struct check_report *report, const char *id, bool removed)
{
	size_t n = report->leftovers.n++;

	report->leftovers.items =
	    xrealloc(report->leftovers.items, (n + 1) * sizeof(*report->leftovers.items));
	report->leftovers.items[n] = (struct check_leftover){ .path = xasprintf("pods/%s", id),
							      .why = xstrdup("no pod has it"),
							      .removed = removed };
}

/* Locks of pods that are not there. */
static int check_locks(struct engine *eng, bool repair, struct check_report *report,
		       struct err *err)
{
	cleanup_free char *path = path_join(eng->runroot, "pods");
	DIR *dir = opendir(path);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : err_errno(err, errno, "reading %s", path);
	while (r >= 0 && (entry = readdir(dir))) {
		if (!container_id_valid(entry->d_name) || is_there(eng, entry->d_name))
			continue;
		r = clear(eng, entry->d_name, repair, err);
		if (r > 0)
			leftover_add(report, entry->d_name, repair);
	}
	closedir(dir);
	return r < 0 ? r : 0;
}

int check_pods(struct engine *eng, const struct check_options *opts, struct check_report *report,
	       struct err *err)
{
	int r = check_members(eng, report, err);

	return r < 0 ? r : check_locks(eng, opts->repair, report, err);
}

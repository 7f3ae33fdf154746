/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup.h"

#include <signal.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "runtime/cgroup_priv.h"

/* A process that holds gigabytes takes its time to die. */
#define DELETE_TIMEOUT_NS (5 * 1000 * 1000 * 1000LL)
#define KILL_AGAIN_NS     (100 * 1000 * 1000LL)

void cgroup_dir_done(struct cgroup_dir *dir)
{
	dir->fd = fd_close(dir->fd);
	free(dir->path);
	strv_free(dir->controllers);
}

/* --- an existing one --- */

int cgroup_controllers_read(struct cgroup *cg, struct err *err)
{
	struct cgroup_system sys;
	int r = cgroup_system_read(&sys, err);

	if (r < 0)
		return err_wrap(err, r, "looking for cgroups");
	cg->layout = sys.layout;
	for (size_t i = 0; i < cg->n; i++) {
		struct cgroup_dir *dir = &cg->dirs[i];
		for (size_t k = 0; k < sys.n && !dir->v2 && !dir->controllers; k++) {
			const char *rest = str_after(dir->path, sys.h[k].mount_point);
			if (rest && *rest == '/')
				dir->controllers = strv_copy(sys.h[k].controllers);
		}
	}
	cgroup_system_done(&sys);
	return 0;
}

int cgroup_open(char *const *paths, struct cgroup *ret, struct err *err)
{
	struct cgroup cg = { .opened = true };

	for (; paths && *paths; paths++) {
		struct cgroup_dir *dir = &cg.dirs[cg.n];
		bool is_v2;

		if (cg.n == ARRAY_SIZE(cg.dirs)) {
			cgroup_done(&cg);
			return err_fail(err, ERR_CORRUPT, "more than %zu cgroup paths",
					ARRAY_SIZE(cg.dirs));
		}
		int r = cgroup_path_is_cgroupfs(*paths, &is_v2);
		/* What can't be seen now may still hold processes: never to be forgotten. */
		if (r < 0 && r != -ENOENT && r != -ENODEV) {
			cgroup_done(&cg);
			return err_errno(err, -r, "looking at cgroup %s", *paths);
		}
		if (r <= 0)
			continue;
		*dir = (struct cgroup_dir){ .fd = -EBADF, .v2 = is_v2 };
		if (is_v2) {
			dir->fd = cgroup_path_open(*paths);
			if (dir->fd == -ENOENT || dir->fd == -ENODEV)
				continue; /* removed meanwhile */
			if (dir->fd < 0) {
				r = dir->fd;
				cgroup_done(&cg);
				return err_errno(err, -r, "opening cgroup %s", *paths);
			}
		}
		dir->path = xstrdup(*paths);
		cg.n++;
	}
	bool v2 = cgroup_dir_find(&cg, NULL);
	cg.layout = cg.n == 0 ? CGROUP_NONE : v2 && cg.n == 1 ? CGROUP_V2 : CGROUP_HYBRID;
	*ret = cg;
	return 0;
}

struct cgroup_dir *cgroup_dir_find(struct cgroup *cg, const char *controller)
{
	for (size_t i = 0; i < cg->n; i++) {
		struct cgroup_dir *dir = &cg->dirs[i];
		if (controller ? !dir->v2 && strv_has(dir->controllers, controller) : dir->v2)
			return dir;
	}
	return NULL;
}

int cgroup_limits_apply(struct cgroup *cg, const struct spec_resources *resources, struct err *err)
{
	int r = cg->layout == CGROUP_V2 ? 0 : cgroup_v1_apply(cg, resources, err);

	return r < 0 ? r : cgroup_v2_apply(cg, resources, err);
}

int cgroup_apply(struct cgroup *cg, const struct spec_resources *resources, struct err *err)
{
	struct cgroup_rounded space;
	int r = 0;

	if (cg->opened)
		r = cgroup_controllers_read(cg, err);
	if (r == 0 && cg->unit)
		resources = cgroup_unit_round(resources, &space);
	if (r == 0 && resources)
		r = cgroup_limits_apply(cg, resources, err);
	if (r == 0 && cg->left_out) {
		cleanup_free char *names = strv_join(cg->left_out, ", ");
		log_warn(
		    "this user has no cgroup for some limits, the container runs without them: "
		    "%s",
		    names);
	}
	if (r == 0)
		r = cgroup_devices_apply(cg, resources, err);
	return r;
}

/* --- the end --- */

static int delete_dir(const struct cgroup *cg, struct cgroup_dir *dir, int64_t deadline,
		      struct err *err)
{
	unsigned int us = 50;
	int64_t kill_at = time_monotonic_ns() + KILL_AGAIN_NS;
	int r;

	for (;;) {
		r = cgroup_path_rmdir(dir->path);
		if (r == 0 || r == -ENOENT)
			return 0;
		if (r != -EBUSY && r != -ENOTEMPTY)
			break;
		/* Processes that are not gone yet, or cgroups that the container made. */
		int c = cgroup_children_remove(dir);
		if (c == 0 && cgroup_path_rmdir(dir->path) == 0)
			return 0;
		if (!cgroup_backoff(deadline, &us))
			break;
		/* Frozen again meanwhile, or joined by a process that was on its way. */
		if (time_monotonic_ns() > kill_at) {
			cgroup_kill(cg, SIGKILL, NULL);
			kill_at += KILL_AGAIN_NS;
		}
	}

	cleanup_free pid_t *pids = NULL;
	size_t n = 0;
	if (r == -EBUSY && cgroup_pids_read(dir, &pids, &n) == 0 && n > 0)
		return err_errno(
		    err, EBUSY,
		    "removing cgroup %s with %zu process(es) that do not die, one is %d", dir->path,
		    n, pids[0]);
	return err_errno(err, -r, "removing cgroup %s", dir->path);
}

void cgroup_parents_remove(const char *path, int n)
{
	cleanup_free char *parent = xstrdup(path);

	while (n-- > 0) {
		*strrchr(parent, '/') = '\0';
		if (cgroup_path_rmdir(parent) < 0)
			break;
	}
}

int cgroup_delete(struct cgroup *cg, struct err *err)
{
	int64_t deadline = 0;
	int first = 0;

	if (cg->unit)
		cgroup_unit_stop(cg);
	/* All at once where nothing is in the way; waiting starts after that. */
	for (size_t i = 0; i < cg->n; i++) {
		struct cgroup_dir *dir = &cg->dirs[i];
		int r = cgroup_path_rmdir(dir->path);
		if (r < 0 && r != -ENOENT) {
			if (deadline == 0) {
				cgroup_kill(cg, SIGKILL, NULL);
				deadline = time_monotonic_ns() + DELETE_TIMEOUT_NS;
			}
			r = delete_dir(cg, dir, deadline, first == 0 ? err : NULL);
			if (r < 0 && first == 0)
				first = r;
		}
		cgroup_parents_remove(dir->path, dir->n_created - 1);
	}
	return first;
}

void cgroup_done(struct cgroup *cg)
{
	for (size_t i = 0; i < cg->n; i++)
		cgroup_dir_done(&cg->dirs[i]);
	cgroup_pending_done(cg);
	cgroup_unit_done(cg);
	free(cg->rel_path);
	strv_free(cg->left_out);
	*cg = (struct cgroup){ .layout = CGROUP_NONE };
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The cgroup of those who look after containers: cgroup.h. */
#include <fcntl.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/cgroup_priv.h"

static int make_and_open(const struct cgroup_hierarchy *h, const char *path)
{
	int fd = cgroup_path_open(path), r;

	if (fd != -ENOENT)
		return fd;
	r = cgroup_path_make(h, path);
	return r < 0 ? r : cgroup_path_open(path);
}

int cgroup_monitors_open(bool rootless)
{
	struct cgroup_system sys;
	int r = -ENOENT;

	if (cgroup_self_is_in(true, CGROUP_MONITORS))
		return r;
	if (cgroup_system_read(&sys, NULL) < 0)
		sys.n = 0;
	for (size_t i = 0; i < sys.n; i++) {
		cleanup_free char *path = NULL;

		if (!sys.h[i].v2)
			continue;
		/* without the slash: below the own one */
		path = cgroup_path_in(&sys.h[i], &CGROUP_MONITORS[rootless ? 1 : 0]);
		r = make_and_open(&sys.h[i], path);
		if (r < 0)
			log_debug("leaving the caller's cgroup for %s: %s", path, strerror(-r));
	}
	cgroup_system_done(&sys);
	return r;
}

static int join(const struct cgroup_hierarchy *h, const char *path)
{
	const struct cgroup_dir dir = { .fd = -EBADF, .path = (char *)(uintptr_t)path };
	int r = cgroup_file_write(&dir, "tasks", "0", NULL);

	if (r != -ENOENT)
		return r;
	r = cgroup_path_make(h, path);
	return r < 0 ? r : cgroup_file_write(&dir, "tasks", "0", NULL);
}

/* A set of CPUs stays the caller's: it is no limit that others use up. */
static bool is_left(const struct cgroup_hierarchy *h)
{
	return !h->v2 && cgroup_hierarchy_used(h) && !str_eq(h->controllers[0], "cpuset") &&
	       !str_eq(h->own_path, "/") && !str_ends(h->own_path, CGROUP_MONITORS);
}

void cgroup_monitors_join(void)
{
	struct cgroup_system sys;

	/* Whoever is not root has no place of their own on v1 but below the one to be left. */
	if (geteuid() != 0 || cgroup_self_is_in(false, CGROUP_MONITORS))
		return;
	if (cgroup_system_read(&sys, NULL) < 0)
		sys.n = 0;
	for (size_t i = 0; i < sys.n; i++) {
		cleanup_free char *path = NULL;
		int r;

		if (!is_left(&sys.h[i]))
			continue;
		path = cgroup_path_in(&sys.h[i], CGROUP_MONITORS);
		r = join(&sys.h[i], path);
		if (r < 0)
			log_debug("leaving the caller's cgroup for %s: %s", path, strerror(-r));
	}
	cgroup_system_done(&sys);
}

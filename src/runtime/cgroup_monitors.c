/* SPDX-License-Identifier: Apache-2.0 */
/* The cgroup of those who look after containers: cgroup.h. */
#include <fcntl.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/cgroup_priv.h"
#include "sys/clone.h"

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

pid_t cgroup_monitors_clone(bool rootless, uint64_t flags, int *ret_pidfd)
{
	cleanup_fd int cgroup = cgroup_monitors_open(rootless);
	struct clone_spec spec = { .flags = flags, .cgroup_fd = cgroup };
	pid_t pid = clone_process(&spec, ret_pidfd);

	if (pid < 0 && cgroup >= 0) {
		spec.cgroup_fd = -EBADF;
		pid = clone_process(&spec, ret_pidfd);
	}
	return pid;
}

static int enter_supervisor(const struct cgroup_hierarchy *h, struct err *err)
{
	cleanup_free char *own = cgroup_own_below_mount(h);
	cleanup_free char *rel = NULL, *path = NULL;
	struct cgroup_dir dir = { .fd = -EBADF };
	int r;

	/* From the root of the hierarchy nobody goes away. */
	if (str_eq(own, "/") || str_ends(own, CGROUP_SUPERVISOR))
		return 0;
	rel = xasprintf("%s" CGROUP_SUPERVISOR, own);
	dir.path = path = cgroup_path_in(h, rel);
	r = cgroup_path_make(h, path);
	if (r < 0)
		return err_errno(err, -r, "making cgroup %s", rel);
	r = cgroup_file_write(&dir, "cgroup.procs", "0", err);
	return r < 0 ? err_wrap(err, r, "joining cgroup %s", rel) : 0;
}

int cgroup_split(bool rootless, struct err *err)
{
	struct cgroup_system sys;
	int r = cgroup_system_read(&sys, err);

	for (size_t i = 0; r >= 0 && i < sys.n; i++) {
		struct err one = ERR_INIT;

		if (!sys.h[i].v2)
			continue;
		r = enter_supervisor(&sys.h[i], &one);
		/* Where v1 has the controllers, a user goes without this one. */
		if (r < 0 && rootless && sys.layout != CGROUP_V2) {
			log_debug("%s", one.msg);
			r = 0;
		} else if (r < 0) {
			*err = one;
			err_hint(err, r,
				 "--cgroups split is for services, which need Delegate=yes");
		}
	}
	cgroup_system_done(&sys);
	return r < 0 ? r : 0;
}

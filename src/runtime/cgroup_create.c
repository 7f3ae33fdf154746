/* SPDX-License-Identifier: Apache-2.0 */
/* Where a container's cgroup is, and making it there in every hierarchy. */
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/cgroup_priv.h"

#define DEFAULT_PARENT "inro"
#define MKDIR_TRIES    16

/* --- the path --- */

/* "slice:prefix:name", what runc and crun take with --systemd-cgroup. */
static bool is_systemd_form(const char *path)
{
	const char *colon = strchr(path, ':');

	return colon && strchr(colon + 1, ':') && !strchr(path, '/');
}

/* The clean path, absolute when it counts from the root of the hierarchy: "/a/b" or "a/b". */
static int path_wanted(const char *cgroups_path, const char *id, bool rootless, char **ret,
		       struct err *err)
{
	if (!cgroups_path || !*cgroups_path) {
		*ret = xasprintf("%s%s/%s", rootless ? "" : "/", DEFAULT_PARENT, id);
		return 0;
	}
	if (is_systemd_form(cgroups_path)) {
		int r = err_fail(err, ERR_UNSUPPORTED,
				 "linux.cgroupsPath: \"%s\" is for systemd (slice:prefix:name)",
				 cgroups_path);
		return err_hint(err, r,
				"give --systemd-cgroup, or set the engine's cgroup driver to "
				"cgroupfs");
	}
	/* ".." goes no higher than the place that the path counts from */
	cleanup_free char *rooted = path_join("/", cgroups_path);
	char *clean = path_clean(rooted);
	if (str_eq(clean, "/")) {
		free(clean);
		return err_fail(err, ERR_INVALID,
				"linux.cgroupsPath: expected the name of a cgroup, got \"%s\"",
				cgroups_path);
	}
	if (cgroups_path[0] != '/')
		memmove(clean, clean + 1, strlen(clean));
	*ret = clean;
	return 0;
}

/* Inside a container whose mounts show a part of the hierarchy, /proc/self/cgroup may still count
 * from the host's root. */
char *cgroup_own_below_mount(const struct cgroup_hierarchy *h)
{
	const char *own = h->own_path;

	if (!str_eq(h->mount_root, "/")) {
		own = str_after(own, h->mount_root);
		if (!own || (*own && *own != '/'))
			own = "/";
	}
	/* "/.." is outside of our cgroup namespace: no path to it from here */
	if (str_eq(own, "/..") || str_starts(own, "/../") || !*own)
		own = "/";
	return xstrdup(own);
}

char *cgroup_path_in(const struct cgroup_hierarchy *h, const char *wanted)
{
	if (wanted[0] == '/')
		return path_join(h->mount_point, wanted + 1);

	cleanup_free char *own = cgroup_own_below_mount(h);
	if (str_ends(own, CGROUP_MONITORS)) { /* as from the cgroup that the monitor has left */
		own[strlen(own) - strlen(CGROUP_MONITORS)] = '\0';
	} else if (h->v2) {
		/* a cgroup with processes can't give controllers to children: beside it */
		char *slash = strrchr(own, '/');
		slash[slash == own ? 1 : 0] = '\0';
	}
	cleanup_free char *base = path_join(h->mount_point, own[0] ? own + 1 : own);
	return path_join(base, wanted);
}

/* --- making --- */

/* Makes what is missing between the mount point and path. Counts the trailing ones made. */
static int make_parents(const char *mount_point, char *path, int *n_made)
{
	bool v2;

	/* Without this a hierarchy that another mount hides would be made as plain directories. */
	if (cgroup_path_is_cgroupfs(mount_point, &v2) <= 0)
		return -ENODEV;
	for (char *slash = path + strlen(mount_point); (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		int r = cgroup_path_mkdir(path);
		*slash = '/';
		if (r < 0 && r != -EEXIST)
			return r;
		*n_made = r == 0 ? *n_made + 1 : 0;
	}
	return 0;
}

static int make_path(const struct cgroup_hierarchy *h, struct cgroup_dir *dir)
{
	int r = -ENOENT, p = 0;

	/* Again when a failing start of another container removes the parent it had just made. */
	for (int tries = 0; tries < MKDIR_TRIES && r == -ENOENT && p == 0; tries++) {
		r = cgroup_path_mkdir(dir->path);
		if (r == -ENOENT)
			p = make_parents(h->mount_point, dir->path, &dir->n_created);
	}
	if (r == 0) {
		dir->n_created++;
	} else if (r == -EEXIST) {
		dir->n_created = 0;
		r = 0;
	} else {
		cgroup_parents_remove(dir->path, dir->n_created);
		dir->n_created = 0;
	}
	return p < 0 ? p : r;
}

int cgroup_path_make(const struct cgroup_hierarchy *h, const char *path)
{
	cleanup_free char *copy = xstrdup(path);
	struct cgroup_dir dir = { .fd = -EBADF, .path = copy };

	return make_path(h, &dir);
}

/* runtime-spec: a frozen or non-empty cgroup must not be used for a new container. */
static int check_unused(const struct cgroup_dir *dir, bool take_over, struct err *err)
{
	cleanup_free pid_t *pids = NULL;
	size_t n = 0;
	int r = cgroup_pids_read(dir, &pids, &n);

	if (r < 0)
		return err_errno(err, -r, "reading the processes of cgroup %s", dir->path);
	if (n > 0) {
		r = err_fail(err, ERR_CONFLICT,
			     "cgroup %s is not empty: %zu process(es), one is %d", dir->path, n,
			     pids[0]);
		return err_hint(err, r, "another container has the same cgroup path");
	}
	if (!take_over && cgroup_is_frozen(dir))
		return err_fail(err, ERR_CONFLICT, "cgroup %s is frozen", dir->path);
	return 0;
}

static int dir_init(const struct cgroup *cg, struct cgroup_dir *dir, struct err *err)
{
	/* With a unit, systemd has made it and put the process in. */
	if (dir->n_created == 0 && !cg->unit) {
		int r = check_unused(dir, cg->take_over, err);
		if (r < 0)
			return r;
	}
	if (dir->v2) {
		dir->fd = cgroup_path_open(dir->path);
		if (dir->fd < 0)
			return err_errno(err, -dir->fd, "opening cgroup %s", dir->path);
		/* The cgroup2 of a hybrid machine mostly has none: looked at when one is wanted. */
		return cg->layout == CGROUP_V2 ? cgroup_v2_init(dir, err) : 0;
	}
	return strv_has(dir->controllers, "cpuset") ? cgroup_v1_cpuset_init(dir, err) : 0;
}

static bool is_permission(int r)
{
	return r == -EACCES || r == -EPERM || r == -EROFS;
}

/* A directory comes into cg only when it is the container's: cgroup_delete kills what is in it. */
static int create_dir(struct cgroup *cg, const struct cgroup_hierarchy *h, const char *wanted,
		      struct err *err)
{
	struct cgroup_dir dir = { .fd = -EBADF, .v2 = h->v2 };
	int r;

	dir.path = cgroup_path_in(h, wanted);
	dir.controllers = strv_copy(h->controllers);
	r = make_path(h, &dir);
	if (r == -ENODEV || (cg->rootless && is_permission(r))) {
		log_debug("leaving out cgroup %s: %s", dir.path,
			  r == -ENODEV ? "hidden by another mount" : "no permission");
		cgroup_dir_done(&dir);
		return 0;
	}
	if (r < 0)
		r = err_errno(err, -r, "making cgroup %s", dir.path);
	else
		r = dir_init(cg, &dir, err);
	if (r < 0) {
		if (dir.n_created > 0 && cgroup_path_rmdir(dir.path) == 0)
			cgroup_parents_remove(dir.path, dir.n_created - 1);
		cgroup_dir_done(&dir);
		return r;
	}
	cg->dirs[cg->n++] = dir;
	return 0;
}

bool cgroup_hierarchy_used(const struct cgroup_hierarchy *h)
{
	return h->v2 || !str_starts(h->controllers[0], "name=") ||
	       str_eq(h->controllers[0], "name=systemd");
}

static bool hierarchy_used(const struct cgroup_hierarchy *h, enum cgroup_layout layout)
{
	if (layout == CGROUP_V2 && !h->v2 && str_starts(h->controllers[0], "name="))
		return false;
	return cgroup_hierarchy_used(h);
}

/* Takes back the directories from first on. Those that were there before stay, and nothing is
 * killed: what is in them by now came from another container with the same path. */
static void undo(struct cgroup *cg, size_t first)
{
	while (cg->n > first) {
		struct cgroup_dir *dir = &cg->dirs[--cg->n];
		if (dir->n_created > 0 && cgroup_path_rmdir(dir->path) == 0)
			cgroup_parents_remove(dir->path, dir->n_created - 1);
		cgroup_dir_done(dir);
	}
}

static int create_all(struct cgroup *cg, bool v2, struct err *err)
{
	const struct cgroup_system *sys = cg->pending;
	size_t first = cg->n;

	for (size_t i = 0; i < sys->n; i++) {
		if (sys->h[i].v2 != v2 || !hierarchy_used(&sys->h[i], sys->layout))
			continue;
		if (cg->unit && v2 && !cgroup_unit_has(cg, &sys->h[i]))
			continue;
		int r = create_dir(cg, &sys->h[i], cg->rel_path, err);
		if (r < 0) {
			undo(cg, first);
			return r;
		}
	}
	return 0;
}

void cgroup_pending_done(struct cgroup *cg)
{
	if (!cg->pending)
		return;
	cgroup_system_done(cg->pending);
	free(cg->pending);
	cg->pending = NULL;
}

int cgroup_create_begin_on(struct cgroup_system *sys, const struct cgroup_request *req,
			   struct cgroup *ret, struct err *err)
{
	struct cgroup cg = { .layout = sys->layout,
			     .rootless = req->rootless,
			     .take_over = req->take_over };
	int r = path_wanted(req->cgroups_path, req->id, req->rootless, &cg.rel_path, err);

	if (r < 0)
		return r;
	cg.pending = xmalloc(sizeof(*sys));
	*cg.pending = *sys;
	*sys = (struct cgroup_system){ .layout = CGROUP_NONE };
	r = create_all(&cg, true, err);
	if (r < 0) {
		cgroup_done(&cg);
		return r;
	}
	*ret = cg;
	return 0;
}

int cgroup_create_begin(const struct cgroup_request *req, struct cgroup *ret, struct err *err)
{
	struct cgroup_system sys;
	int r;

	if (req->systemd)
		return cgroup_unit_begin(req, ret, err);
	r = cgroup_system_read(&sys, err);
	if (r < 0)
		return err_wrap(err, r, "looking for cgroups");
	r = cgroup_create_begin_on(&sys, req, ret, err);
	cgroup_system_done(&sys);
	return r;
}

int cgroup_create_finish(struct cgroup *cg, struct err *err)
{
	int r = 0;

	if (cg->pending && cg->unit)
		r = create_all(cg, true, err);
	if (cg->pending && r >= 0)
		r = create_all(cg, false, err);

	cgroup_pending_done(cg);
	return r;
}

int cgroup_create(const struct cgroup_request *req, struct cgroup *ret, struct err *err)
{
	struct cgroup cg;
	int r = cgroup_create_begin(req, &cg, err);

	if (r < 0)
		return r;
	r = cgroup_create_finish(&cg, err);
	if (r < 0) {
		undo(&cg, 0);
		cgroup_done(&cg);
		return r;
	}
	*ret = cg;
	return 0;
}

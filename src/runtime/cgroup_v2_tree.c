/* SPDX-License-Identifier: Apache-2.0 */
/* Which controllers a cgroup of v2 has: each level of the tree gives them to the next one. */
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/cgroup_priv.h"

#define CONTROLLERS_MAX 512

static int controllers_of(const struct cgroup_dir *dir, const char *file, char ***ret)
{
	char text[CONTROLLERS_MAX];
	ssize_t n = cgroup_file_read(dir, file, text, sizeof(text));

	if (n < 0)
		return (int)n;
	*ret = n > 0 ? strv_split(text, ' ') : NULL;
	return 0;
}

static int controllers_load(struct cgroup_dir *dir)
{
	strv_free(dir->controllers);
	dir->controllers = NULL;
	return controllers_of(dir, "cgroup.controllers", &dir->controllers);
}

/* The paths of all cgroups above that can be seen, the highest first. */
static char **ancestors(const struct cgroup_dir *dir)
{
	cleanup_free char *path = xstrdup(dir->path);
	cleanup_strv char **up = NULL;
	char **down = NULL;

	for (char *slash = strrchr(path, '/'); slash && slash != path; slash = strrchr(path, '/')) {
		*slash = '\0';
		const struct cgroup_dir above = { .fd = -EBADF, .path = path, .v2 = true };
		if (!cgroup_file_exists(&above, "cgroup.controllers"))
			break;
		strv_add(&up, path);
	}
	for (size_t i = strv_len(up); i > 0; i--)
		strv_add(&down, up[i - 1]);
	return down;
}

/* Gives the children of this cgroup all the controllers that it has itself, or those that it can.
 * -EBUSY, without any: it has processes of its own. The kernel would let it give the threaded
 * controllers (cpu, pids), but then the cgroups below could hold no processes any more. */
static int give_to_children(char *path)
{
	const struct cgroup_dir dir = { .fd = -EBADF, .path = path, .v2 = true };
	cleanup_strv char **has = NULL;
	cleanup_buf struct buf all = BUF_INIT;
	int r = controllers_of(&dir, "cgroup.controllers", &has);

	if (r < 0 || !has)
		return r;
	for (char **c = has; *c; c++)
		buf_addf(&all, "%s+%s", all.len ? " " : "", *c);
	r = cgroup_file_write(&dir, "cgroup.subtree_control", buf_str(&all), NULL);
	if (r == 0 || r == -EBUSY)
		return r;
	/* One that can't be given is no reason to go without the others. */
	for (char **c = has; *c; c++) {
		cleanup_free char *one = xasprintf("+%s", *c);
		struct err err = ERR_INIT;
		if (cgroup_file_write(&dir, "cgroup.subtree_control", one, &err) < 0)
			log_debug("enabling a controller: %s", err.msg);
	}
	return r;
}

static void enable_all(struct cgroup_dir *dir)
{
	cleanup_strv char **paths = ancestors(dir);

	for (char **p = paths; p && *p; p++)
		(void)give_to_children(*p);
	controllers_load(dir);
}

static bool has_all(char *const *have, char *const *wanted)
{
	for (; wanted && *wanted; wanted++)
		if (!strv_has(have, *wanted))
			return false;
	return true;
}

/* Below a threaded cgroup only threaded ones can hold processes. They have no controller that
 * belongs to whole processes; a limit for one is an error that says so (cgroup_v2_explain). */
static int join_threads(const struct cgroup_dir *dir, struct err *err)
{
	cleanup_free char *path = NULL;
	char type[32];
	int r = 0;

	if (cgroup_file_read(dir, "cgroup.type", type, sizeof(type)) < 0 ||
	    !str_eq(type, "domain invalid"))
		return 0;
	/* Each level joins the one above it, from the highest that was just made. */
	for (int up = dir->n_created > 0 ? dir->n_created - 1 : 0; up >= 0 && r == 0; up--) {
		free(path);
		path = xstrdup(dir->path);
		for (int i = 0; i < up; i++)
			*strrchr(path, '/') = '\0';
		const struct cgroup_dir level = { .fd = -EBADF, .path = path, .v2 = true };
		r = cgroup_file_write(&level, "cgroup.type", "threaded", NULL);
	}
	if (r < 0)
		return err_fail(err, ERR_CONFLICT,
				"cgroup %s can't hold processes: a cgroup above it is threaded",
				dir->path);
	log_debug("cgroup %s is threaded, as is one above it", dir->path);
	return 0;
}

int cgroup_v2_init(struct cgroup_dir *dir, struct err *err)
{
	cleanup_free char *path = xstrdup(dir->path);
	const struct cgroup_dir parent = { .fd = -EBADF, .path = path, .v2 = true };
	cleanup_strv char **parent_has = NULL;

	*strrchr(path, '/') = '\0';
	int r = join_threads(dir, err);
	if (r < 0)
		return r;
	r = controllers_load(dir);
	if (r == 0)
		r = controllers_of(&parent, "cgroup.controllers", &parent_has);
	if (r < 0)
		return err_errno(err, -r, "reading cgroup.controllers of cgroup %s", dir->path);
	/* A parent that was there before mostly gives all it has: nothing to do. */
	if (dir->n_created <= 1 && has_all(dir->controllers, parent_has))
		return 0;
	enable_all(dir);
	return 0;
}

bool cgroup_v2_has(struct cgroup_dir *dir, const char *controller)
{
	if (!dir->controllers)
		controllers_load(dir);
	if (strv_has(dir->controllers, controller))
		return true;
	enable_all(dir);
	return strv_has(dir->controllers, controller);
}

bool cgroup_v2_offers(const struct cgroup_dir *dir, const char *controller)
{
	cleanup_strv char **paths = ancestors(dir);
	cleanup_strv char **has = NULL;

	if (!paths || !paths[0])
		return false;
	const struct cgroup_dir top = { .fd = -EBADF, .path = paths[0], .v2 = true };
	return controllers_of(&top, "cgroup.controllers", &has) == 0 && strv_has(has, controller);
}

/* Why the children of this cgroup don't have the controller. */
static int explain_ancestor(char *path, const char *controller, struct err *err)
{
	const struct cgroup_dir dir = { .fd = -EBADF, .path = path, .v2 = true };
	cleanup_strv char **has = NULL, **given = NULL;
	int r = controllers_of(&dir, "cgroup.controllers", &has);

	if (r == 0)
		r = controllers_of(&dir, "cgroup.subtree_control", &given);
	if (r < 0 || strv_has(given, controller))
		return r < 0 ? err_errno(err, -r, "reading the controllers of cgroup %s", path) : 0;
	if (!strv_has(has, controller))
		return err_fail(err, ERR_UNSUPPORTED,
				"the kernel or the cgroups above %s have no controller %s", path,
				controller);

	r = give_to_children(path);
	if (r == -EBUSY) {
		r = err_fail(err, ERR_CONFLICT,
			     "cgroup %s has processes of its own, so the kernel lets it give no "
			     "controller (%s) to cgroups below",
			     path, controller);
		return err_hint(err, r, "move its processes into a cgroup below it");
	}
	cleanup_free char *one = xasprintf("+%s", controller);
	r = cgroup_file_write(&dir, "cgroup.subtree_control", one, NULL);
	if (r < 0) {
		err_errno(err, -r, "enabling the controller %s in cgroup %s", controller, path);
		return err_hint(err, r, "delegate the controller %s to this user, or run as root",
				controller);
	}
	return 0;
}

int cgroup_v2_explain(const struct cgroup_dir *dir, const char *controller, struct err *err)
{
	cleanup_strv char **paths = ancestors(dir);
	char type[32];

	if (cgroup_file_read(dir, "cgroup.type", type, sizeof(type)) > 0 &&
	    str_eq(type, "threaded"))
		return err_fail(err, ERR_UNSUPPORTED,
				"cgroup %s is threaded, as is one above it, and the controller %s "
				"does not work for threads",
				dir->path, controller);
	for (char **p = paths; p && *p; p++) {
		int r = explain_ancestor(*p, controller, err);
		if (r < 0)
			return r;
	}
	return err_fail(err, ERR_UNSUPPORTED, "cgroup %s has no controller %s", dir->path,
			controller);
}

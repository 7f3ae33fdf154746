/* SPDX-License-Identifier: Apache-2.0 */
/* The cgroups that a process joins: the container's, or ones below (runc-exec(8), --cgroup). */
#include <fcntl.h>
#include <limits.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/cgroup_priv.h"
#include "runtime/exec.h"

/* Below a cgroup's own directory: ".." never leads above "/". */
static int append(struct cgroup_dir *dir, const char *sub, struct err *err)
{
	cleanup_free char *rooted = path_join("/", sub);
	cleanup_free char *clean = path_clean(rooted);
	char *path = str_eq(clean, "/") ? xstrdup(dir->path) : xasprintf("%s%s", dir->path, clean);

	free(dir->path);
	dir->path = path;
	if (dir->fd >= 0)
		fd_close(dir->fd);
	dir->fd = cgroup_path_open(path);
	if (dir->fd < 0)
		return err_errno(err, -dir->fd, "opening sub-cgroup %s", path);
	if (!dir->v2)
		dir->fd = fd_close(dir->fd);
	return 0;
}

/* "controller[,controller]:path" */
static int enter_named(struct cgroup *cg, const char *arg, char ***seen, struct err *err)
{
	const char *colon = strchr(arg, ':');
	cleanup_free char *words = xstrndup(arg, (size_t)(colon - arg));
	cleanup_strv char **names = strv_split(words, ',');

	for (size_t i = 0; names[i]; i++) {
		struct cgroup_dir *dir;
		int r;

		if (!names[i][0])
			return err_fail(err, ERR_USAGE,
					"invalid --cgroup argument: %s (empty <controller> prefix)",
					arg);
		if (strv_has(*seen, names[i]))
			return err_fail(err, ERR_USAGE,
					"invalid --cgroup argument(s): controller %s specified "
					"multiple times",
					names[i]);
		strv_add(seen, names[i]);
		dir = cgroup_dir_find(cg, names[i]);
		if (!dir)
			return err_fail(err, ERR_USAGE, "--cgroup: unknown controller %s",
					names[i]);
		/* Of a hierarchy of two, both may be named: they are one directory. */
		if (i > 0 && dir == cgroup_dir_find(cg, names[0]))
			continue;
		r = append(dir, colon + 1, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int enter_sub_cgroups(struct cgroup *cg, char *const *args, struct err *err)
{
	cleanup_strv char **seen = NULL;
	size_t n = strv_len(args);
	int r = 0;

	if (n == 1 && !strchr(args[0], ':')) {
		for (size_t i = 0; r >= 0 && i < cg->n; i++)
			r = append(&cg->dirs[i], args[0], err);
		return r;
	}
	r = cgroup_controllers_read(cg, err);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		if (!strchr(args[i], ':'))
			return err_fail(err, ERR_USAGE,
					"invalid --cgroup argument: %s (missing <controller>: "
					"prefix)",
					args[i]);
		r = enter_named(cg, args[i], &seen, err);
	}
	return r;
}

static int open_sub_cgroups(struct exec *e, struct err *err)
{
	CLEANUP(cgroup_done) struct cgroup cg = { 0 };
	int fd, r = cgroup_open(e->st.pub.cgroup_paths, &cg, err);

	if (r >= 0)
		r = enter_sub_cgroups(&cg, e->args->cgroups, err);
	if (r >= 0)
		r = cgroup_open_join(&cg, e->join_fds, ARRAY_SIZE(e->join_fds) - 1, err);
	if (r < 0)
		return r;
	e->n_join = (size_t)r;
	fd = cgroup_clone_fd(&cg);
	if (fd >= 0)
		e->clone_cgroup = fd_dup(fd, 3);
	return 0;
}

/* Without a look at what kind each is, which takes as long as opening it: v2 has no "tasks". What
 * is missing was removed meanwhile. */
int exec_cgroup_open(struct exec *e, struct err *err)
{
	char *const *paths = e->st.pub.cgroup_paths;

	if (strv_len(e->args->cgroups))
		return open_sub_cgroups(e, err);
	for (; paths && *paths && e->n_join < CGROUP_HIERARCHIES_MAX; paths++) {
		const struct cgroup_dir dir = { .fd = -EBADF, .path = *paths };
		int fd = cgroup_file_open(&dir, "tasks", O_WRONLY);
		bool v2;

		if (fd >= 0)
			e->join_fds[e->n_join++] = fd;
		else if (fd != -ENOENT && fd != -ENODEV)
			return err_errno(err, -fd, "opening tasks of cgroup %s", *paths);
		else if (e->clone_cgroup < 0 && cgroup_path_is_cgroupfs(*paths, &v2) == 1 && v2)
			e->clone_cgroup = cgroup_path_open(*paths);
	}
	return 0;
}

/* Where the container's first process is now: it may have made its cgroup an inner one, which takes
 * no processes. The path is as this process's cgroup namespace sees it. */
static int open_cgroup_of_init(struct exec *e, struct err *err)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	CLEANUP(cgroup_system_done) struct cgroup_system sys = { 0 };
	cleanup_free char *path = NULL;
	char name[64], *line, *rest;
	int r;

	snprintf(name, sizeof(name), "/proc/%d/cgroup", e->st.pub.pid);
	r = io_read_file(AT_FDCWD, name, &text, 65536, err);
	if (r >= 0)
		r = cgroup_system_read(&sys, err);
	if (r < 0)
		return r;
	rest = (char *)(uintptr_t)buf_str(&text);
	while ((line = strsep(&rest, "\n")) && !path) {
		const char *rel = str_after(line, "0::");

		for (size_t i = 0; rel && i < sys.n; i++)
			if (sys.h[i].v2)
				path = cgroup_path_in(&sys.h[i], rel);
	}
	if (!path)
		return err_fail(err, ERR_SYSTEM, "finding the cgroup of the container's process");
	log_debug("joining the cgroup of the container's first process: %s", path);
	r = cgroup_path_open(path);
	return r < 0 ? err_errno(err, -r, "opening cgroup %s", path) : r;
}

/* The slow way, from inside: where clone3(2) is missing. */
static int join_by_file(struct exec *e, struct err *err)
{
	int fd = openat(e->clone_cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "opening cgroup.procs of the container");
	e->clone_cgroup = fd_close(e->clone_cgroup);
	e->join_fds[e->n_join++] = fd;
	return 0;
}

int exec_cgroup_retry(struct exec *e, int r, struct err *err)
{
	int fd;

	if (r == -ENOSYS)
		return join_by_file(e, err);
	/* A user may move processes within the own part of the tree only, not from a session. */
	if (r == -EACCES && e->st.systemd_unit && !strv_len(e->args->cgroups)) {
		e->clone_cgroup = fd_close(e->clone_cgroup);
		e->by_systemd = true;
		return 0;
	}
	if ((r != -EBUSY && r != -EOPNOTSUPP && r != -ENODEV) || strv_len(e->args->cgroups))
		return err_errno(err, -r, "making a process in the container's cgroup");
	fd = open_cgroup_of_init(e, err);
	if (fd < 0)
		return fd;
	fd_close(e->clone_cgroup);
	e->clone_cgroup = fd;
	return 0;
}

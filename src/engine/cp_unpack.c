/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/cp_make_internal.h"

#define DIRS_MAX 1000000 /* whose times are set once more when all is in them */

struct dir_time {
	char *path;
	struct timespec times[2];
};

struct unpack {
	struct make make;
	char *parent; /* path of the directory that the last member was in; NULL: none */
	int parent_fd;
	struct dir_time *dirs;
	size_t n_dirs, cap_dirs;
};

/* Below the destination, within the container. */
static char *path_of(const struct make *m, const char *path)
{
	return path_join(m->paths->path, path);
}

int unpack_parent(const struct make *m, const char *path, bool make, char **ret_name,
		  struct err *err)
{
	cleanup_free char *whole = path_of(m, path);

	return path_parent_in(m->paths->root, whole, make, ret_name, err);
}

static int open_parent(struct unpack *u, const char *path, char **ret_name, struct err *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (u->parent && strlen(u->parent) == len && memcmp(u->parent, path, len) == 0) {
		*ret_name = xstrdup(slash ? slash + 1 : path);
		return u->parent_fd;
	}
	fd_close(u->parent_fd);
	free(u->parent);
	u->parent = NULL;
	u->parent_fd = unpack_parent(&u->make, path, true, ret_name, err);
	if (u->parent_fd >= 0)
		u->parent = xstrndup(path, len);
	return u->parent_fd;
}

static void remember(struct unpack *u, const char *path)
{
	const struct cp_head *h = &u->make.e.head;

	if (u->n_dirs == DIRS_MAX)
		return;
	if (u->n_dirs == u->cap_dirs) {
		u->cap_dirs = u->cap_dirs ? 2 * u->cap_dirs : 64;
		u->dirs = xrealloc(u->dirs, u->cap_dirs * sizeof(*u->dirs));
	}
	u->dirs[u->n_dirs++] = (struct dir_time){
		.path = xstrdup(path),
		.times = { { .tv_nsec = UTIME_OMIT },
			   { .tv_sec = h->mtime, .tv_nsec = (long)h->mtime_ns } },
	};
}

static int member(struct unpack *u, struct err *err)
{
	struct make *m = &u->make;
	bool dir = m->e.head.kind == CP_DIR;
	cleanup_free char *name = NULL;
	int parent, r;

	/* The destination stays as it is. */
	if (str_eq(m->e.name, "."))
		return dir ? 0 : make_wrong(err);
	parent = open_parent(u, m->e.name, &name, err);
	if (parent < 0)
		return parent;
	if (dir)
		remember(u, m->e.name);
	r = make_object(m, parent, name, err);
	return r < 0 || !dir ? r : make_leave(m, err);
}

static int follow(struct unpack *u, struct err *err)
{
	struct make *m = &u->make;

	for (;;) {
		int r = cp_get(m->in, &m->e, err);

		if (r < 0 || m->e.head.kind == CP_END)
			return r;
		if (m->e.head.kind == CP_BEGIN)
			continue;
		if (m->e.head.kind == CP_LEAVE || m->e.head.kind == CP_DATA)
			return make_wrong(err);
		r = member(u, err);
		if (r < 0)
			return r;
	}
}

/* Members that came later have changed them. What has another name by now is left alone. */
static void set_times(const struct unpack *u)
{
	for (size_t i = 0; i < u->n_dirs; i++) {
		cleanup_free char *path = path_of(&u->make, u->dirs[i].path);
		cleanup_fd int fd = path_open_in(u->make.paths->root, path,
						 O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, NULL);

		if (fd >= 0)
			(void)futimens(fd, u->dirs[i].times);
	}
}

int cp_unpack(const struct cp_place *to, const struct cp_make_options *opts, struct cp_in *in,
	      struct cp_made *ret, struct err *err)
{
	struct unpack u = {
		.make = { .opts = opts, .in = in, .made = ret, .dir = -EBADF, .paths = to },
		.parent_fd = -EBADF,
	};
	cleanup_fd int dir = cp_place_directory(to, err);
	int r = dir < 0 ? dir : follow(&u, err);

	set_times(&u);
	for (size_t i = 0; i < u.n_dirs; i++)
		free(u.dirs[i].path);
	free(u.dirs);
	free(u.parent);
	fd_close(u.parent_fd);
	make_done(&u.make);
	return r;
}

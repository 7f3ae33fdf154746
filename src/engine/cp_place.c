/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cp_place.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#define LINKS_MAX 40 /* as the kernel's */

/* fd or -errno. On this machine a path is the user's own. */
static int place_open(const struct cp_place *p, const char *path, int flags)
{
	int fd;

	if (p->root >= 0)
		return path_open_in(p->root, path, flags, 0, NULL);
	fd = openat(AT_FDCWD, path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool cp_path_is_dir(const char *path)
{
	return str_ends(path, "/") || str_ends(path, "/.") || str_eq(path, ".");
}

/* Without slashes and "." at the end. */
static char *trim(const char *path)
{
	size_t n = strlen(path);

	while (n > 1 && (path[n - 1] == '/' || (path[n - 1] == '.' && path[n - 2] == '/')))
		n--;
	return xstrndup(path, n);
}

/* The last component, and what is before it: "/" or "." when there is nothing. */
static char *split(const char *path, char **ret_name)
{
	cleanup_free char *whole = trim(path);
	char *slash = strrchr(whole, '/');

	*ret_name = xstrdup(slash ? slash + 1 : whole);
	if (!slash)
		return xstrdup(".");
	return slash == whole ? xstrdup("/") : xstrndup(whole, (size_t)(slash - whole));
}

static bool is_name(const char *name)
{
	return *name && !str_eq(name, ".") && !str_eq(name, "..");
}

static int no_such(const struct cp_place *p, const char *path, int r, struct err *err)
{
	if ((r == -ENOENT || r == -ENOTDIR) && p->container)
		return err_fail(err, ERR_NOT_FOUND, "Could not find the file %s in container %s",
				path, p->container);
	if (r == -ENOENT)
		return err_fail(err, ERR_NOT_FOUND, "lstat %s: no such file or directory", path);
	return err_errno(err, -r, "opening %s", path);
}

int cp_place_source(const struct cp_place *place, bool follow, char **ret_name, struct err *err)
{
	cleanup_free char *name = NULL;
	cleanup_free UNUSED char *dir = split(place->path, &name);
	bool is_dir = cp_path_is_dir(place->path) || !is_name(name);
	int flags = O_PATH | (is_dir ? O_DIRECTORY : follow ? 0 : O_NOFOLLOW);
	int fd = place_open(place, place->path, flags);

	if (fd == -ENOTDIR && is_dir)
		return err_fail(err, ERR_INVALID, "%s: not a directory", place->path);
	if (fd < 0)
		return no_such(place, place->path, fd, err);
	/* docker: "x/." are the members of x; "x/" is x. */
	if (!is_name(name) || str_ends(place->path, "/."))
		*ret_name = xstrdup(".");
	else
		*ret_name = take_ptr(name);
	return fd;
}

/* What a link at the path's end names, on the way to what may not be there. NULL: it is none. */
static char *next_path(int dir, const char *dir_path, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return NULL;
	target[n] = '\0';
	return target[0] == '/' ? xstrdup(target) : path_join(dir_path, target);
}

static int no_directory(const struct cp_place *p, const char *dir, int r, struct err *err)
{
	if (p->container || (r != -ENOENT && r != -ENOTDIR))
		return no_such(p, dir, r, err);
	return err_fail(err, ERR_NOT_FOUND, "invalid output path: directory \"%s\" does not exist",
			dir);
}

/* The directory of what the path leads to, through links at its end. */
static int open_parent(const struct cp_place *p, char **ret_name, struct err *err)
{
	cleanup_free char *path = xstrdup(p->path);

	for (int i = 0; i < LINKS_MAX; i++) {
		cleanup_free char *name = NULL;
		cleanup_free char *dir = split(path, &name);
		cleanup_fd int fd = place_open(p, dir, O_PATH | O_DIRECTORY);
		char *next;

		if (fd < 0)
			return no_directory(p, dir, fd, err);
		if (!is_name(name))
			return no_directory(p, path, -ENOENT, err);
		next = next_path(fd, dir, name);
		if (!next) {
			*ret_name = take_ptr(name);
			return take_fd(fd);
		}
		free(path);
		path = next;
	}
	return err_errno(err, ELOOP, "opening %s", p->path);
}

/* What is there, and is no directory, has docker's answers. */
static int check_existing(const struct cp_place *p, const struct stat *st, uint32_t type,
			  bool overwrite, struct err *err)
{
	if (S_ISDIR(type))
		return overwrite ? 0 : err_fail(err, ERR_CONFLICT, "cannot copy directory");
	if (cp_path_is_dir(p->path))
		return err_fail(err, ERR_CONFLICT, "%s: not a directory", p->path);
	if (S_ISREG(st->st_mode) || S_ISLNK(st->st_mode))
		return 0;
	if (p->container)
		return err_fail(err, ERR_CONFLICT,
				"destination \"%s:%s\" must be a directory or a regular file",
				p->container, p->path);
	return err_fail(err, ERR_CONFLICT,
			"invalid output path: \"%s\" must be a directory or a regular file",
			p->path);
}

int cp_place_destination(const struct cp_place *place, uint32_t type, const char *name,
			 bool overwrite, char **ret_name, struct err *err)
{
	cleanup_free char *own = NULL;
	cleanup_fd int fd = place_open(place, place->path, O_PATH | O_DIRECTORY);
	struct stat st;
	int r = 0;

	if (fd >= 0) {
		*ret_name = str_eq(name, ".") ? NULL : xstrdup(name);
		return take_fd(fd);
	}
	if (fd != -ENOENT && fd != -ENOTDIR)
		return err_errno(err, -fd, "opening directory %s", place->path);
	fd = open_parent(place, &own, err);
	if (fd < 0)
		return fd;
	if (fstatat(fd, own, &st, AT_SYMLINK_NOFOLLOW) == 0)
		r = check_existing(place, &st, type, overwrite, err);
	else if (errno != ENOENT)
		r = err_errno(err, errno, "looking at %s", place->path);
	else if (!S_ISDIR(type) && cp_path_is_dir(place->path))
		r = err_fail(err, ERR_NOT_FOUND, "%s: no such directory", place->path);
	if (r < 0)
		return r;
	*ret_name = take_ptr(own);
	return take_fd(fd);
}

int cp_place_directory(const struct cp_place *place, struct err *err)
{
	int fd = place_open(place, place->path, O_PATH | O_DIRECTORY);

	if (fd == -ENOTDIR)
		return err_fail(err, ERR_CONFLICT, "destination \"%s:%s\" must be a directory",
				place->container, place->path);
	return fd < 0 ? no_such(place, place->path, fd, err) : fd;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Up to the root, whose parent is itself, or what the tree is mounted on. */
int cp_place_outside(int dir, const char *name, const struct stat *source, const char *path,
		     struct err *err)
{
	cleanup_fd int fd = openat(dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st, below = { 0 };

	if (name && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_same(&st, source))
		return err_fail(err, ERR_CONFLICT, "%s: source and destination are the same", path);
	while (fd >= 0 && S_ISDIR(source->st_mode) && fstat(fd, &st) == 0 &&
	       !is_same(&st, &below)) {
		int up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (is_same(&st, source)) {
			fd_close(up);
			return err_fail(err, ERR_CONFLICT, "%s: can't copy a directory into itself",
					path);
		}
		below = st;
		fd_close(fd);
		fd = up;
	}
	return fd < 0 ? err_errno(err, errno, "looking at %s", path) : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <fcntl.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/path_walk.h"
#include "base/str.h"
#include "base/strv.h"

int path_open_in(int rootfd, const char *path, int flags, mode_t mode, struct err *err)
{
	int fd = path_resolve(rootfd, path, flags, mode, false);

	return fd < 0 ? err_errno(err, -fd, "opening %s", path) : fd;
}

int path_mkdirs_in(int rootfd, const char *path, mode_t mode, struct err *err)
{
	const struct path_walk_how how = { .make = PATH_MAKE_DIRS, .dir_mode = mode };
	int fd = path_resolve(rootfd, path, O_PATH | O_DIRECTORY, 0, false);

	if (fd == -ENOENT)
		fd = path_walk(rootfd, path, &how);
	return fd < 0 ? err_errno(err, -fd, "creating directory %s", path) : fd;
}

int path_mkfile_in(int rootfd, const char *path, mode_t mode, struct err *err)
{
	const struct path_walk_how how = { .make = PATH_MAKE_FILE, .mode = mode, .dir_mode = 0755 };
	cleanup_fd int fd = path_resolve(rootfd, path, O_PATH, 0, false);
	struct stat st;

	if (fd == -ENOENT)
		fd = path_walk(rootfd, path, &how);
	if (fd < 0)
		return err_errno(err, -fd, "creating file %s", path);
	if (fstat(fd, &st) < 0)
		return err_errno(err, errno, "reading attributes of %s", path);
	if (S_ISDIR(st.st_mode))
		return err_errno(err, EISDIR, "creating file %s", path);
	return take_fd(fd);
}

int path_parent_in(int rootfd, const char *path, bool make, char **ret_name, struct err *err)
{
	cleanup_free char *dir = NULL, *name = NULL;
	size_t len = strlen(path), start;
	int fd;

	while (len > 0 && path[len - 1] == '/')
		len--;
	start = len;
	while (start > 0 && path[start - 1] != '/')
		start--;
	name = xstrndup(path + start, len - start);
	if (!*name || str_eq(name, ".") || str_eq(name, ".."))
		return err_fail(err, ERR_INVALID, "opening the directory of %s: no name at its end",
				path);
	dir = start ? xstrndup(path, start) : xstrdup("/");
	fd = make ? path_mkdirs_in(rootfd, dir, 0755, err)
		  : path_open_in(rootfd, dir, O_PATH | O_DIRECTORY, 0, err);
	if (fd >= 0)
		*ret_name = take_ptr(name);
	return fd;
}

int path_mkdirs(const char *path, mode_t mode, struct err *err)
{
	cleanup_free char *dir = NULL;
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && *path) {
		dir = xasprintf("%s/", path);
		for (char *p = strchr(dir + 1, '/'); p; p = strchr(p + 1, '/')) {
			*p = '\0';
			if (mkdir(dir, mode) < 0 && errno != EEXIST)
				return err_errno(err, errno, "creating directory %s", dir);
			*p = '/';
		}
		fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return fd < 0 ? err_errno(err, errno, "creating directory %s", path) : fd;
}

char *path_clean(const char *path)
{
	bool absolute = path[0] == '/';
	struct buf b = BUF_INIT;
	size_t floor = absolute; /* length below which ".." does not cut */

	if (absolute)
		buf_addc(&b, '/');
	for (;;) {
		size_t n;

		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n == 0)
			break;
		if (n == 2 && path[0] == '.' && path[1] == '.' && b.len > floor) {
			while (b.len > floor && b.data[b.len - 1] != '/')
				b.len--;
			if (b.len > floor)
				b.len--;
			b.data[b.len] = '\0';
		} else if (n == 2 && path[0] == '.' && path[1] == '.' && absolute) {
			/* "/.." is "/" */
		} else if (n != 1 || path[0] != '.') {
			if (b.len > absolute)
				buf_addc(&b, '/');
			buf_add(&b, path, n);
			if (n == 2 && path[0] == '.' && path[1] == '.')
				floor = b.len;
		}
		path += n;
	}
	if (b.len == 0)
		buf_addc(&b, '.');
	return buf_take(&b);
}

const char *path_below(const char *path, const char *dir)
{
	const char *rest = str_after(path, dir);

	if (!rest || str_eq(dir, "/"))
		return rest;
	return *rest == '/' ? rest + 1 : *rest ? NULL : rest;
}

char *path_join(const char *dir, const char *name)
{
	size_t n = strlen(dir);

	if (n == 0)
		return xstrdup(name);
	while (n > 0 && dir[n - 1] == '/')
		n--;
	return xasprintf("%.*s/%s", (int)n, dir, name + strspn(name, "/"));
}

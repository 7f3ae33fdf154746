/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/copyup.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"

#define COPYUP_DEPTH_MAX 64

static int copy_dir(int from, int to, unsigned int depth, struct err *err);

static int copy_attrs(int to_dir, const char *name, const struct stat *st, struct err *err)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, errno, "setting the owner of %s", name);
	if (!S_ISLNK(st->st_mode) && fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0)
		return err_errno(err, errno, "setting the mode of %s", name);
	utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

/* Who shares the directory may put a device of the host in the file's place at any time, which the
 * devices cgroup does not keep from us yet: so what is opened is what was looked at. */
static int open_regular(int dir, const char *name)
{
	cleanup_fd int handle = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char path[FD_PATH_MAX];
	struct stat st;
	int fd;

	if (handle < 0 || fstat(handle, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ESTALE;
	fd = openat(-1, fd_proc_path(handle, path), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int copy_file(int from_dir, int to_dir, const char *name, struct err *err)
{
	cleanup_fd int in = open_regular(from_dir, name);
	cleanup_fd int out = -EBADF;
	int64_t n;

	if (in < 0)
		return err_errno(err, -in, "opening %s", name);
	out = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return err_errno(err, errno, "making %s", name);
	n = io_copy(in, out);
	return n < 0 ? err_errno(err, (int)-n, "copying %s", name) : 0;
}

static int copy_link(int from_dir, int to_dir, const char *name, struct err *err)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return err_errno(err, errno, "reading %s", name);
	target[n] = '\0';
	if (symlinkat(target, to_dir, name) < 0)
		return err_errno(err, errno, "making %s", name);
	return 0;
}

static int copy_subdir(int from_dir, int to_dir, const char *name, unsigned int depth,
		       struct err *err)
{
	cleanup_fd int from = openat(from_dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_fd int to = -EBADF;

	if (from < 0)
		return err_errno(err, errno, "opening %s", name);
	if (mkdirat(to_dir, name, 0700) < 0)
		return err_errno(err, errno, "making %s", name);
	to = openat(to_dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return err_errno(err, errno, "opening %s", name);
	return copy_dir(from, to, depth + 1, err);
}

static int copy_entry(int from, int to, const char *name, dev_t dev, unsigned int depth,
		      struct err *err)
{
	struct stat st;
	int r = 0;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, errno, "reading %s", name);
	if (S_ISDIR(st.st_mode) && st.st_dev == dev)
		r = copy_subdir(from, to, name, depth, err);
	else if (S_ISREG(st.st_mode))
		r = copy_file(from, to, name, err);
	else if (S_ISLNK(st.st_mode))
		r = copy_link(from, to, name, err);
	else
		return 0;
	return r < 0 ? r : copy_attrs(to, name, &st, err);
}

static int copy_dir(int from, int to, unsigned int depth, struct err *err)
{
	struct dirent *e;
	struct stat st;
	int fd, r = 0;
	DIR *d;

	if (depth > COPYUP_DEPTH_MAX)
		return err_fail(err, ERR_LIMIT, "directories are nested too deep");
	fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "opening a directory");
	d = fstat(fd, &st) < 0 ? NULL : fdopendir(fd);
	if (!d) {
		fd_close(fd);
		return err_errno(err, errno, "reading a directory");
	}
	while (r >= 0 && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = copy_entry(dirfd(d), to, e->d_name, st.st_dev, depth, err);
	}
	closedir(d);
	return r;
}

int copyup(int from, int to, struct err *err)
{
	int r = copy_dir(from, to, 0, err);

	return r < 0 ? err_wrap(err, r, "copying the directory's content (tmpcopyup)") : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"

/* ".NAME.RANDOM": NAME may fill the longest name by itself, so only its start is repeated. */
static char *temp_name(const char *name)
{
	uint64_t number = 0;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return NULL;
	return xasprintf(".%.128s.%016llx", name, (unsigned long long)number);
}

/* Where the link leads to, which must be there. */
static char *follow_link(const char *path, struct err *err)
{
	char real[PATH_MAX], link[FD_PATH_MAX];
	cleanup_fd int fd = open(path, O_PATH | O_CLOEXEC);
	ssize_t n =
	    fd < 0 ? -1 : readlinkat(AT_FDCWD, fd_proc_path(fd, link), real, sizeof(real) - 1);

	if (n < 0) {
		err_errno(err, errno, "following the link %s", path);
		return NULL;
	}
	real[n] = '\0';
	return xstrdup(real);
}

/* The parent and the name in it. A link is followed: it is its target that is replaced. */
static int open_parent(const char *path, struct output *out, struct err *err)
{
	struct stat st;
	cleanup_free char *real = NULL;

	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
		real = follow_link(path, err);
		if (!real)
			return -EINVAL;
		path = real;
	}
	cleanup_free char *copy = xstrdup(path);
	size_t len = strlen(copy);
	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	char *slash = strrchr(copy, '/');
	const char *name = slash ? slash + 1 : copy;
	if (!*name || str_eq(name, ".") || str_eq(name, ".."))
		return err_fail(err, ERR_USAGE, "not a name to write to: %s", path);
	out->name = xstrdup(name);
	if (slash)
		slash[slash == copy] = '\0';
	out->parent = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return out->parent < 0 ? err_errno(err, errno, "opening the directory of %s", path) : 0;
}

static int open_temp(struct output *out, const char *path, struct err *err)
{
	out->fd = openat(out->parent, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, out->mode);
	if (out->fd >= 0)
		return 0;
	out->tmp = temp_name(out->name);
	if (out->tmp)
		out->fd = openat(out->parent, out->tmp,
				 O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, out->mode);
	return out->fd < 0 ? err_errno(err, errno, "creating %s", path) : 0;
}

/* Behind these names may be a file, which must not be replaced while standard output goes there. */
static bool is_stdout(const char *path)
{
	return str_eq(path, "/dev/stdout") || str_eq(path, "/dev/fd/1") ||
	       str_eq(path, "/proc/self/fd/1");
}

int output_open(const char *path, const char *what, struct output *ret, struct err *err)
{
	struct stat st;
	int r;

	if (!path || str_eq(path, "-") || is_stdout(path)) {
		if (isatty(STDOUT_FILENO))
			return err_hint(
			    err,
			    err_fail(err, ERR_USAGE, "cowardly refusing to %s to a terminal", what),
			    "use -o FILE, or redirect");
		ret->fd = fd_dup(STDOUT_FILENO, 3);
		return ret->fd < 0 ? err_errno(err, -ret->fd, "opening standard output") : 0;
	}
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		ret->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		return ret->fd < 0 ? err_errno(err, errno, "opening %s", path) : 0;
	}
	r = open_parent(path, ret, err);
	return r < 0 ? r : open_temp(ret, path, err);
}

static bool is_empty(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool empty = dir != NULL;

	if (!dir) {
		fd_close(fd);
		return false;
	}
	while (empty && (entry = readdir(dir)))
		empty = str_eq(entry->d_name, ".") || str_eq(entry->d_name, "..");
	closedir(dir);
	return empty;
}

static bool may_replace(const struct output *out, const char *name)
{
	cleanup_fd int fd =
	    openat(out->parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && out->replace && out->replace(fd);
}

/* An empty directory is replaced by the rename at the end, others are exchanged. */
static int check_target(struct output *out, bool (*replace)(int dir_fd), const char *path,
			struct err *err)
{
	struct stat st;

	if (fstatat(out->parent, out->name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    is_empty(out->parent, out->name))
		return 0;
	out->replace = replace;
	return may_replace(out, out->name)
		   ? 0
		   : err_fail(err, ERR_EXISTS, "%s exists and is no empty directory", path);
}

int output_open_dir(const char *path, bool (*replace)(int dir_fd), struct output *ret,
		    struct err *err)
{
	int r = open_parent(path, ret, err);
	if (r == 0)
		r = check_target(ret, replace, path, err);
	if (r < 0)
		return r;
	ret->tmp = temp_name(ret->name);
	if (!ret->tmp || mkdirat(ret->parent, ret->tmp, 0755) < 0)
		return err_errno(err, errno, "creating %s", path);
	ret->dir = true;
	ret->fd = openat(ret->parent, ret->tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return ret->fd < 0 ? err_errno(err, errno, "opening %s", path) : 0;
}

/* Somebody may have put something else there: what is to go is looked at where nobody else has it.
 */
static int exchange(struct output *out)
{
	struct err err = ERR_INIT;

	if (renameat2(out->parent, out->tmp, out->parent, out->name, RENAME_EXCHANGE) < 0)
		return -errno;
	if (!may_replace(out, out->tmp)) {
		renameat2(out->parent, out->tmp, out->parent, out->name, RENAME_EXCHANGE);
		return -ENOTEMPTY;
	}
	if (path_remove_tree(out->parent, out->tmp, &err) < 0)
		log_warn("%s stays behind: %s", out->tmp, err.msg);
	out->done = true;
	return 0;
}

/* Names the file that has no name; a second name, then a rename, where there is a file already. */
static int link_temp(struct output *out)
{
	char proc[FD_PATH_MAX];

	fd_proc_path(out->fd, proc);
	if (linkat(AT_FDCWD, proc, out->parent, out->name, AT_SYMLINK_FOLLOW) == 0) {
		out->done = true;
		return 0;
	}
	if (errno != EEXIST)
		return -errno;
	out->tmp = temp_name(out->name);
	if (!out->tmp || linkat(AT_FDCWD, proc, out->parent, out->tmp, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	return 0;
}

int output_finish(struct output *out, struct err *err)
{
	int r = 0;

	if (!out->name) {
		out->done = true;
		return 0;
	}
	if (!out->tmp)
		r = link_temp(out);
	else if (out->replace)
		r = exchange(out);
	if (r == -ENOENT && out->replace) /* it went meanwhile */
		r = 0;
	if (r == 0 && !out->done && renameat(out->parent, out->tmp, out->parent, out->name) < 0)
		r = -errno;
	if (r < 0)
		return err_errno(err, -r, "naming %s", out->name);
	out->done = true;
	return 0;
}

void output_done(struct output *out)
{
	struct err err = ERR_INIT;

	if (out->tmp && !out->done &&
	    (out->dir ? path_remove_tree(out->parent, out->tmp, &err)
		      : unlinkat(out->parent, out->tmp, 0)) < 0)
		log_warn("%s stays behind", out->tmp);
	out->fd = fd_close(out->fd);
	out->parent = fd_close(out->parent);
	free(take_ptr(out->name));
	free(take_ptr(out->tmp));
}

bool output_is_stdout(const struct output *out)
{
	struct stat a, b;

	return out->fd >= 0 && !out->name && fstat(out->fd, &a) == 0 &&
	       fstat(STDOUT_FILENO, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* As it is: a device, a pipe. */
static int text_write(int fd, const char *path, const char *text, struct err *err)
{
	int r = fd < 0 ? fd : io_write(fd, text, strlen(text));

	fd_close(fd);
	return r < 0 ? err_errno(err, -r, "writing %s", path) : 0;
}

int output_text(const char *path, const char *text, struct err *err)
{
	cleanup_output struct output out = OUTPUT_INIT;
	struct stat st;

	if (is_stdout(path))
		return text_write(fd_dup(STDOUT_FILENO, 3), path, text, err);
	/* Also what a link leads to that is not there yet. */
	if (stat(path, &st) < 0 ? lstat(path, &st) == 0 : !S_ISREG(st.st_mode)) {
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
		return text_write(fd < 0 ? -errno : fd, path, text, err);
	}
	int r = open_parent(path, &out, err);
	if (r < 0)
		return r;
	return io_replace_file(out.parent, out.name, text, strlen(text), 0644, false, err);
}

int output_epoch(int64_t *ret, struct err *err)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");

	if (!text || !*text)
		return 0;
	if (str_parse_i64(text, ret) < 0 || *ret < 0 || *ret > OUTPUT_EPOCH_MAX)
		return err_fail(err, ERR_USAGE,
				"SOURCE_DATE_EPOCH: expected seconds since 1970: %s", text);
	return 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cp_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/links.h"
#include "base/str.h"

#define DEPTH_MAX 400         /* levels of directories: two fds for each */
#define LINKS_MAX 1000000     /* names of files that have several; more are copied as files */
#define HOLES_MIN (64u << 10) /* bytes: below it nobody looks for holes */
#define SLURP_MAX (16u << 20) /* of a file that says it is empty, as those of /proc */

struct walk {
	const struct cp_walk_options *opts;
	struct cp_out *out;
	struct buf path; /* below the top directory, without a slash in front */
	struct links links;
	struct buf xattrs, value;
	int depth;
};

/* The path that it was sent with already, or NULL: it is this one from now on. */
static const char *first_path(struct walk *w, const struct stat *st)
{
	if (st->st_nlink < 2 || w->links.n >= LINKS_MAX || w->path.len > CP_NAME_MAX)
		return NULL;
	return links_find(&w->links, st->st_dev, st->st_ino, buf_str(&w->path));
}

/* ---- attributes ---- */

static struct cp_head head_of(enum cp_kind kind, const struct stat *st)
{
	return (struct cp_head){ .kind = kind,
				 .mode = st->st_mode,
				 .uid = st->st_uid,
				 .gid = st->st_gid,
				 .mtime = st->st_mtim.tv_sec,
				 .mtime_ns = (uint32_t)st->st_mtim.tv_nsec };
}

/* Labels are the machine's, and what is the kernel's own is nobody else's. */
static bool wants_xattr(const struct walk *w, const char *name)
{
	if (str_starts(name, "user."))
		return !str_starts(name, "user.overlay.");
	if (str_starts(name, "system.posix_acl_"))
		return w->opts->acls;
	return str_eq(name, "security.capability");
}

/* By the fd alone: /proc is somebody else's here. What can't be read, or is too much, is not
 * copied. */
static const struct buf *read_xattrs(struct walk *w, int fd)
{
	char list[XATTR_LIST_MAX];
	ssize_t n = flistxattr(fd, list, sizeof(list));

	buf_reset(&w->xattrs);
	for (const char *p = list; n > 0 && p < list + n; p += strlen(p) + 1) {
		ssize_t len;
		uint32_t size;

		if (!wants_xattr(w, p))
			continue;
		buf_reset(&w->value);
		buf_reserve(&w->value, XATTR_SIZE_MAX);
		len = fgetxattr(fd, p, w->value.data, XATTR_SIZE_MAX);
		if (len < 0 || w->xattrs.len + strlen(p) + (size_t)len + 8 > CP_XATTRS_MAX)
			continue;
		size = (uint32_t)len;
		buf_add(&w->xattrs, p, strlen(p) + 1);
		buf_add(&w->xattrs, &size, sizeof(size));
		buf_add(&w->xattrs, w->value.data, size);
	}
	return &w->xattrs;
}

static const char *shown(const struct walk *w)
{
	return w->path.len ? buf_str(&w->path) : "it";
}

/* ---- files ---- */

static int end_of_data(struct walk *w, struct err *err)
{
	return cp_put_bytes(w->out, "", 0, 0, err);
}

/* The parts that are no holes. */
static int put_parts(struct walk *w, int fd, uint64_t size, struct err *err)
{
	uint64_t at = 0;
	int r = 0;

	while (r == 0 && at < size) {
		bool small = size <= HOLES_MIN;
		off_t data = small ? 0 : lseek(fd, (off_t)at, SEEK_DATA);
		off_t end = data < 0 || small ? -1 : lseek(fd, data, SEEK_HOLE);

		if (data < 0 && errno == ENXIO)
			break;
		/* It does not know, or says what can't be. */
		if (data < (off_t)at || end <= data) {
			data = (off_t)at;
			end = (off_t)size;
		}
		if ((uint64_t)end > size)
			end = (off_t)size;
		if ((uint64_t)data < size)
			r = cp_put_data(w->out, fd, (uint64_t)data, (uint64_t)(end - data), err);
		at = (uint64_t)end;
	}
	return r < 0 ? r : end_of_data(w, err);
}

/* Files of the kernel's say that they are empty. */
static int put_empty(struct walk *w, int fd, struct cp_head *head, const char *name,
		     struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r = io_read_all(fd, &text, SLURP_MAX);

	if (r < 0)
		return err_errno(err, -r, "reading %s", shown(w));
	head->size = text.len;
	r = cp_put(w->out, head, name, NULL, read_xattrs(w, fd), err);
	for (size_t at = 0; r == 0 && at < text.len;) {
		size_t n = text.len - at < (64u << 10) ? text.len - at : 64u << 10;

		r = cp_put_bytes(w->out, text.data + at, at, n, err);
		at += n;
	}
	return r < 0 ? r : end_of_data(w, err);
}

/* The fd is of a regular file, whatever has its name by now. */
static int put_file(struct walk *w, int path_fd, const struct stat *st, const char *name,
		    struct err *err)
{
	struct cp_head head = head_of(CP_FILE, st);
	const char *first = first_path(w, st);
	char number[16];
	int r;

	if (first) {
		head.kind = CP_HARDLINK;
		return cp_put(w->out, &head, name, first, NULL, err);
	}
	snprintf(number, sizeof(number), "%d", path_fd);
	cleanup_fd int fd =
	    openat(w->opts->fds_dir, number, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "opening %s", shown(w));
	if (st->st_size == 0)
		return put_empty(w, fd, &head, name, err);
	head.size = (uint64_t)st->st_size;
	r = cp_put(w->out, &head, name, NULL, read_xattrs(w, fd), err);
	if (r == 0)
		r = put_parts(w, fd, head.size, err);
	return r < 0 && r != -EPIPE ? err_wrap(err, r, "copying %s", shown(w)) : r;
}

static int put_symlink(struct walk *w, int fd, const struct stat *st, const char *name,
		       struct err *err)
{
	const struct cp_head head = head_of(CP_SYMLINK, st);
	char target[CP_NAME_MAX + 1];
	ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);

	if (n < 0)
		return err_errno(err, errno, "reading link %s", shown(w));
	target[n] = '\0';
	return cp_put(w->out, &head, name, target, NULL, err);
}

/* ---- directories ---- */

static bool is_kernels(int fd)
{
	static const uint32_t magics[] = {
		PROC_SUPER_MAGIC,        SYSFS_MAGIC,        CGROUP_SUPER_MAGIC,
		CGROUP2_SUPER_MAGIC,     DEVPTS_SUPER_MAGIC, DEBUGFS_MAGIC,
		TRACEFS_MAGIC,           SECURITYFS_MAGIC,   BPF_FS_MAGIC,
		0x19800202 /* mqueue */,
	};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		if ((uint32_t)fs.f_type == magics[i])
			return true;
	return false;
}

static int put_object(struct walk *w, int fd, const struct stat *above, const char *name,
		      struct err *err);

static int put_member(struct walk *w, int dir, const struct stat *above, const char *name,
		      struct err *err)
{
	cleanup_fd int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	size_t len = w->path.len;
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0;
	buf_addf(&w->path, "%s%s", len ? "/" : "", name);
	r = fd < 0 ? err_errno(err, errno, "opening %s", shown(w))
		   : put_object(w, fd, above, name, err);
	w->path.len = len;
	if (w->path.data)
		w->path.data[len] = '\0';
	return r;
}

static int put_members(struct walk *w, int fd, const struct stat *st, struct err *err)
{
	int own = fd_dup(fd, 3), r = 0;
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	const struct dirent *de;

	if (!dir) {
		fd_close(own);
		return err_errno(err, errno, "reading directory %s", shown(w));
	}
	while (r == 0 && (errno = 0, de = readdir(dir)))
		if (!str_eq(de->d_name, ".") && !str_eq(de->d_name, ".."))
			r = put_member(w, fd, st, de->d_name, err);
	if (r == 0 && errno)
		r = err_errno(err, errno, "reading directory %s", shown(w));
	closedir(dir);
	return r;
}

static int put_dir(struct walk *w, int path_fd, const struct stat *st, const struct stat *above,
		   const char *name, struct err *err)
{
	struct cp_head head = head_of(CP_DIR, st);
	const struct cp_head leave = { .kind = CP_LEAVE };
	bool kernels = above && above->st_dev != st->st_dev && is_kernels(path_fd);
	cleanup_fd int fd = -EBADF;
	int r;

	if (!kernels) {
		fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return err_errno(err, errno, "opening directory %s", shown(w));
	}
	r = cp_put(w->out, &head, name, NULL, kernels ? NULL : read_xattrs(w, fd), err);
	if (r == 0 && !kernels && w->depth == DEPTH_MAX)
		r = err_fail(err, ERR_LIMIT, "more than %d levels of directories", DEPTH_MAX);
	w->depth++;
	if (r == 0 && !kernels)
		r = put_members(w, fd, st, err);
	w->depth--;
	return r < 0 ? r : cp_put(w->out, &leave, NULL, NULL, NULL, err);
}

static int put_special(struct walk *w, const struct stat *st, const char *name, struct err *err)
{
	struct cp_head head = head_of(S_ISFIFO(st->st_mode) ? CP_FIFO : CP_DEVICE, st);

	/* A socket is nothing without the process that listens. */
	if (S_ISSOCK(st->st_mode))
		return 0;
	head.major = major(st->st_rdev);
	head.minor = minor(st->st_rdev);
	return cp_put(w->out, &head, name, NULL, NULL, err);
}

static int put_object(struct walk *w, int fd, const struct stat *above, const char *name,
		      struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(err, errno, "looking at %s", shown(w));
	switch (st.st_mode & S_IFMT) {
	case S_IFDIR:
		return put_dir(w, fd, &st, above, name, err);
	case S_IFREG:
		return put_file(w, fd, &st, name, err);
	case S_IFLNK:
		return put_symlink(w, fd, &st, name, err);
	default:
		return put_special(w, &st, name, err);
	}
}

int cp_walk(int fd, const char *name, const struct cp_walk_options *opts, struct cp_out *out,
	    struct err *err)
{
	struct walk w = { .opts = opts, .out = out };
	struct cp_head head = { .kind = CP_BEGIN };
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return err_errno(err, errno, "looking at %s", name);
	head.mode = st.st_mode;
	r = cp_put(out, &head, name, NULL, NULL, err);
	if (r == 0)
		r = put_object(&w, fd, NULL, name, err);
	head = (struct cp_head){ .kind = CP_END };
	if (r == 0)
		r = cp_put(out, &head, NULL, NULL, NULL, err);
	if (r == 0)
		r = cp_flush(out, err);
	links_done(&w.links);
	buf_done(&w.path);
	buf_done(&w.xattrs);
	buf_done(&w.value);
	return r;
}

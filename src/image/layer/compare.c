/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/compare.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/layer/pack_entry.h"

#define OUT_MAX (8u << 20) /* bytes of differences: more say nothing more */
#define CHUNK   (128u << 10)

struct compare {
	struct pack_options opts;
	struct buf *out;
	char *chunks[2];
	int roots[2];
};

static void tell(struct compare *co, char what, const char *path)
{
	if (co->out->len > OUT_MAX)
		return;
	buf_addc(co->out, what);
	buf_add(co->out, path, strlen(path) + 1);
}

/* ---- one entry ---- */

static bool same_xattrs(const struct pack_entry *a, const struct pack_entry *b)
{
	if (a->n_xattrs != b->n_xattrs)
		return false;
	for (size_t i = 0; i < a->n_xattrs; i++)
		if (!str_eq(a->xattrs[i].name, b->xattrs[i].name) ||
		    a->xattrs[i].len != b->xattrs[i].len ||
		    memcmp(a->xattrs[i].value, b->xattrs[i].value, a->xattrs[i].len) != 0)
			return false;
	return true;
}

static bool same_attributes(const struct pack_entry *a, const struct pack_entry *b)
{
	const struct stat *x = &a->st, *y = &b->st;

	if (a->whiteout || b->whiteout)
		return a->whiteout == b->whiteout;
	return x->st_mode == y->st_mode && x->st_uid == y->st_uid && x->st_gid == y->st_gid &&
	       x->st_rdev == y->st_rdev && (S_ISDIR(x->st_mode) || x->st_nlink == y->st_nlink) &&
	       a->opaque == b->opaque && same_xattrs(a, b);
}

static bool same_time(const struct pack_entry *a, const struct pack_entry *b)
{
	const struct timespec *x = &a->st.st_mtim, *y = &b->st.st_mtim;

	return (a->whiteout && b->whiteout) || (x->tv_sec == y->tv_sec && x->tv_nsec == y->tv_nsec);
}

static void compare_attributes(struct compare *co, const struct pack_entry e[2], const char *path)
{
	if (!same_attributes(&e[0], &e[1]))
		tell(co, 'a', path);
	else if (!same_time(&e[0], &e[1]))
		tell(co, 'm', path);
}

/* Where data begins at or behind offset; size: nowhere. */
static off_t data_at(int fd, off_t offset, off_t size)
{
	off_t at = lseek(fd, offset, SEEK_DATA);

	if (at < 0)
		return errno == ENXIO ? size : offset;
	return at;
}

static ssize_t read_at(int fd, char *to, off_t offset, size_t len)
{
	return lseek(fd, offset, SEEK_SET) < 0 ? -errno : io_read(fd, to, len);
}

/* What can't be read is not the same. */
static bool same_data(struct compare *co, const int fds[2], off_t size)
{
	off_t at = 0;

	while (at < size) {
		off_t a = data_at(fds[0], at, size), b = data_at(fds[1], at, size);
		at = a < b ? a : b;
		if (at >= size)
			return true;
		ssize_t n = read_at(fds[0], co->chunks[0], at, CHUNK);
		if (n <= 0 || read_at(fds[1], co->chunks[1], at, (size_t)n) != n ||
		    memcmp(co->chunks[0], co->chunks[1], (size_t)n) != 0)
			return false;
		at += n;
	}
	return true;
}

static bool same_file(struct compare *co, const int dirs[2], const char *name, off_t size)
{
	cleanup_fd int a = openat(dirs[0], name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup_fd int b = openat(dirs[1], name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return a >= 0 && b >= 0 && same_data(co, (const int[]){ a, b }, size);
}

static bool same_link(const int dirs[2], const char *name)
{
	char a[PATH_MAX], b[PATH_MAX];
	ssize_t n = readlinkat(dirs[0], name, a, sizeof(a));

	return n >= 0 && readlinkat(dirs[1], name, b, sizeof(b)) == n &&
	       memcmp(a, b, (size_t)n) == 0;
}

/* ---- trees ---- */

/* Trees may be deeper than there are fds: from the top, name by name. */
static int dir_open(int root, const char *path, struct err *err)
{
	cleanup_fd int dir = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (const char *p = path; dir >= 0 && *p; p += *p == '/') {
		size_t len = strcspn(p, "/");
		cleanup_free char *name = xstrndup(p, len);
		int next = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		fd_close(dir);
		dir = next;
		p += len;
	}
	int fd = dir < 0 ? -1 : openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_errno(err, errno, "opening directory /%s", path) : fd;
}

/* 1: directories, in both of them. */
static int compare_entries(struct compare *co, const int dirs[2], const char *name,
			   const char *path, const struct pack_entry e[2])
{
	mode_t type = e[0].st.st_mode & S_IFMT;

	if (type != (e[1].st.st_mode & S_IFMT) || e[0].whiteout != e[1].whiteout) {
		tell(co, 't', path);
		return 0;
	}
	compare_attributes(co, e, path);
	if (type == S_IFDIR)
		return 1;
	if ((type == S_IFREG &&
	     (e[0].st.st_size != e[1].st.st_size || !same_file(co, dirs, name, e[0].st.st_size))) ||
	    (type == S_IFLNK && !same_link(dirs, name)))
		tell(co, 'c', path);
	return 0;
}

static int compare_name(struct compare *co, const int dirs[2], const char *name, const char *path,
			struct err *err)
{
	struct pack_entry e[2] = { { .n_xattrs = 0 } };

	int r = pack_entry_read(dirs[0], name, path, &co->opts, &e[0], err);
	if (r == 0)
		r = pack_entry_read(dirs[1], name, path, &co->opts, &e[1], err);
	if (r == 0)
		r = compare_entries(co, dirs, name, path, e);
	pack_entry_done(&e[0]);
	pack_entry_done(&e[1]);
	return r;
}

/* *ret_subdirs: paths of directories that are in both. */
static int compare_names(struct compare *co, const int dirs[2], const char *path,
			 char ***ret_subdirs, struct err *err)
{
	cleanup_strv char **a = NULL, **b = NULL;
	size_t i = 0, k = 0, n = 0;

	int r = pack_names(dirs[0], &a, err);
	if (r == 0)
		r = pack_names(dirs[1], &b, err);
	*ret_subdirs = xcalloc(strv_len(a) + 1, sizeof(**ret_subdirs));
	while (r >= 0 && ((a && a[i]) || (b && b[k]))) {
		int order = !a || !a[i] ? 1 : !b || !b[k] ? -1 : strcmp(a[i], b[k]);
		const char *name = order > 0 ? b[k] : a[i];
		cleanup_free char *below = xasprintf("%s%s%s", path, *path ? "/" : "", name);

		if (order != 0)
			tell(co, order > 0 ? '+' : '-', below);
		r = order != 0 ? 0 : compare_name(co, dirs, name, below, err);
		if (r > 0)
			(*ret_subdirs)[n++] = take_ptr(below);
		i += order <= 0;
		k += order >= 0;
	}
	return r < 0 ? r : 0;
}

static int compare_dirs(struct compare *co, const char *path, struct err *err)
{
	cleanup_strv char **subdirs = NULL;
	cleanup_fd int a = dir_open(co->roots[0], path, err);
	cleanup_fd int b = a < 0 ? a : dir_open(co->roots[1], path, err);

	if (b < 0)
		return b;
	int r = compare_names(co, (const int[]){ a, b }, path, &subdirs, err);
	a = fd_close(a);
	b = fd_close(b);
	for (size_t i = 0; r == 0 && subdirs && subdirs[i]; i++)
		r = compare_dirs(co, subdirs[i], err);
	return r;
}

int compare_trees(int dir_fd, int other_fd, bool userns, struct buf *out, struct err *err)
{
	struct compare co = {
		.opts = { .userns = userns, .layer = true, .timestamp = -1, .newest = -1 },
		.out = out,
		.chunks = { xmalloc(CHUNK), xmalloc(CHUNK) },
		.roots = { dir_fd, other_fd },
	};
	struct pack_entry e[2] = { { .n_xattrs = 0 } };

	int r = pack_entry_read(dir_fd, ".", "", &co.opts, &e[0], err);
	if (r == 0)
		r = pack_entry_read(other_fd, ".", "", &co.opts, &e[1], err);
	if (r == 0)
		compare_attributes(&co, e, ".");
	pack_entry_done(&e[0]);
	pack_entry_done(&e[1]);
	if (r == 0)
		r = compare_dirs(&co, "", err);
	free(co.chunks[0]);
	free(co.chunks[1]);
	return r;
}

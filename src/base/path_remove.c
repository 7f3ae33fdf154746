/* SPDX-License-Identifier: Apache-2.0 */
/* Removing trees whose names, depth and permissions someone else chose. */
#include "base/path.h"

#include <dirent.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/path_walk.h"
#include "base/str.h"

/*
 * Recursion and open fds stay below this: a directory deeper down is first moved up, next to the
 * entries of the tree's own top directory.
 */
#define DEPTH_MAX  64
#define PASSES_MAX 64

struct remover {
	int top; /* the tree's top directory, borrowed */
	unsigned int moved;
	unsigned int part, parts; /* of the processes that share the work */
	struct err *err;
};

/* A directory of ours may lack the bits that we need. */
static int open_closed_dir(int dirfd, const char *name)
{
	cleanup_fd int fd = path_resolve(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, true);
	char proc[FD_PATH_MAX];

	if (fd < 0)
		return fd;
	/* fchmod(2) refuses O_PATH; this magic link leads to the inode that the fd holds */
	if (chmod(fd_proc_path(fd, proc), 0700) < 0)
		return -EACCES;
	return path_resolve(fd, ".", O_RDONLY | O_DIRECTORY, 0, true);
}

static int open_dir(int dirfd, const char *name)
{
	int fd = path_resolve(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, true);
	struct stat st;

	if (fd == -EACCES)
		fd = open_closed_dir(dirfd, name);
	/* for root the bits do not matter, and another owner's can't be changed */
	if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 0700) != 0700 &&
	    st.st_uid == geteuid() && fchmod(fd, 0700) < 0)
		return -EACCES;
	return fd;
}

static int remove_entry(struct remover *rm, int dirfd, const char *name, int depth);

/* Each process begins with other directories, and helps with what is left of the others' then. */
static bool is_my_part(const struct remover *rm, const struct dirent *e)
{
	unsigned int sum = 0;

	for (const char *c = e->d_name; *c; c++)
		sum = sum * 31 + (unsigned char)*c;
	return e->d_type == DT_DIR && sum % rm->parts == rm->part;
}

static int read_entries(struct remover *rm, DIR *d, int fd, int depth, bool mine)
{
	struct dirent *e;
	int r = 0;

	rewinddir(d);
	while (r == 0 && (errno = 0, e = readdir(d)))
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, "..") &&
		    (!mine || is_my_part(rm, e)))
			r = remove_entry(rm, fd, e->d_name, depth + 1);
	if (r == 0 && errno)
		r = err_errno(rm->err, errno, "reading a directory");
	return r;
}

static int remove_entries(struct remover *rm, int fd, int depth)
{
	int dup = fd_dup(fd, 0), r = 0;
	DIR *d;

	if (dup < 0)
		return err_errno(rm->err, -dup, "reading a directory");
	d = fdopendir(dup);
	if (!d) {
		r = -errno;
		fd_close(dup);
		return err_errno(rm->err, -r, "reading a directory");
	}
	if (rm->parts > 1)
		r = read_entries(rm, d, fd, depth, true);
	if (r == 0)
		r = read_entries(rm, d, fd, depth, false);
	closedir(d);
	return r;
}

static int move_up(struct remover *rm, int dirfd, const char *name)
{
	/* a directory must be writable to get another parent */
	cleanup_fd int fd = open_dir(dirfd, name);
	char to[64];

	if (fd < 0 && fd != -ENOENT)
		return err_errno(rm->err, -fd, "opening %s to remove it", name);
	for (;;) {
		snprintf(to, sizeof(to), ".removing.%d.%u", (int)getpid(), rm->moved++);
		if (renameat(dirfd, name, rm->top, to) == 0)
			return 0;
		if (errno == ENOENT)
			return 0;
		if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
			return err_errno(rm->err, errno, "moving %s up to remove it", name);
	}
}

/* Empties and removes the directory; who adds to it meanwhile only makes us look again. */
static int remove_dir(struct remover *rm, int dirfd, const char *name, int depth)
{
	cleanup_fd int fd = open_dir(dirfd, name);
	struct remover top = *rm;
	int r, passes = 0;

	if (fd == -ENOENT)
		return 0;
	if (fd == -EXDEV)
		return err_errno(rm->err, EBUSY, "removing %s: something is mounted there", name);
	if (fd < 0)
		return err_errno(rm->err, -fd, "opening %s to remove it", name);
	if (rm->top < 0) {
		top.top = fd;
		rm = &top;
	}
	while (passes < PASSES_MAX) {
		unsigned int moved = rm->moved;

		r = remove_entries(rm, fd, depth);
		if (r < 0)
			return r;
		if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != ENOTEMPTY && errno != EEXIST)
			break;
		passes += rm->moved == moved;
	}
	return err_errno(rm->err, errno, "removing directory %s", name);
}

static int remove_entry(struct remover *rm, int dirfd, const char *name, int depth)
{
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return err_errno(rm->err, errno, "removing %s", name);
	if (depth >= DEPTH_MAX)
		return move_up(rm, dirfd, name);
	return remove_dir(rm, dirfd, name, depth);
}

int path_remove_part(int dirfd, const char *name, unsigned int part, unsigned int parts,
		     struct err *err)
{
	struct remover rm = { .top = -EBADF, .part = part, .parts = parts, .err = err };

	if (!*name || strchr(name, '/') || str_eq(name, ".") || str_eq(name, ".."))
		return err_fail(err, ERR_INVALID, "removing \"%s\": not a plain name", name);
	return remove_entry(&rm, dirfd, name, 0);
}

int path_remove_tree(int dirfd, const char *name, struct err *err)
{
	return path_remove_part(dirfd, name, 0, 1, err);
}

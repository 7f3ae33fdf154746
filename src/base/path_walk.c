/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path_walk.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"

#define LINKS_MAX   40  /* as the kernel's MAXSYMLINKS */
#define RETRIES_MAX 128 /* lost races against someone who renames under us */

/* Since 5.8; libc headers may lack it. */
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U
#endif

struct walk {
	const struct path_walk_how *how;
	int rootfd; /* borrowed */
	int *fds;   /* a stack: the directories from below the root to the current one */
	size_t depth, cap;
	char *rest; /* what is still to be walked, from pos on */
	const char *pos;
	unsigned int links, retries;
	uint64_t mnt_id;
};

static int current(const struct walk *w)
{
	return w->depth ? w->fds[w->depth - 1] : w->rootfd;
}

static void pop_to(struct walk *w, size_t depth)
{
	while (w->depth > depth)
		fd_close(w->fds[--w->depth]);
}

/* From /proc, for kernels before 5.8. */
static int mount_id_from_fdinfo(int fd, uint64_t *ret)
{
	cleanup_buf struct buf b = BUF_INIT;
	char name[64];
	const char *p;
	int r;

	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
	r = io_read_file(AT_FDCWD, name, &b, 4096, NULL);
	if (r < 0)
		return r;
	p = strstr(buf_str(&b), "mnt_id:\t");
	if (!p)
		return -EOPNOTSUPP;
	*ret = strtoull(p + strlen("mnt_id:\t"), NULL, 10);
	return 0;
}

static int mount_id(int fd, uint64_t *ret)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) == 0 &&
	    (stx.stx_mask & STATX_MNT_ID)) {
		*ret = stx.stx_mnt_id;
		return 0;
	}
	return mount_id_from_fdinfo(fd, ret);
}

static int check_mount(const struct walk *w, int fd)
{
	uint64_t id;
	int r;

	if (!w->how->no_xdev)
		return 0;
	r = mount_id(fd, &id);
	if (r < 0)
		return r;
	return id == w->mnt_id ? 0 : -EXDEV;
}

/* Takes fd, the directory to go on from. */
static int enter(struct walk *w, int fd)
{
	int r = check_mount(w, fd);

	if (r < 0) {
		fd_close(fd);
		return r;
	}
	if (w->depth == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 16;
		w->fds = xrealloc(w->fds, w->cap * sizeof(*w->fds));
	}
	w->fds[w->depth++] = fd;
	return 0;
}

/*
 * Links of procfs that jump to a file whatever their text says (fd/N, cwd, root, exe, ns/N) all
 * lie in process directories. Those in procfs's own root directory (self, thread-self, mounts, net)
 * are plain text.
 */
static bool is_magic(int link_fd, int dir_fd)
{
	struct statfs fs;
	struct stat st;

	if (fstatfs(link_fd, &fs) < 0)
		return true;
	if (fs.f_type != PROC_SUPER_MAGIC)
		return false;
	return fstatfs(dir_fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC ||
	       fstat(dir_fd, &st) < 0 || st.st_ino != 1 /* PROC_ROOT_INO */;
}

/* Puts the target of the link in front of what is left to walk. */
static int follow(struct walk *w, int link_fd)
{
	char target[PATH_MAX];
	char *rest;
	ssize_t n;

	if (++w->links > LINKS_MAX || is_magic(link_fd, current(w)))
		return -ELOOP;
	n = readlinkat(link_fd, "", target, sizeof(target));
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ENOENT;
	if ((size_t)n == sizeof(target))
		return -ENAMETOOLONG;
	if (target[0] == '/')
		pop_to(w, 0);
	rest = xasprintf("%.*s%s", (int)n, target, w->pos);
	free(w->rest);
	w->pos = w->rest = rest;
	return 0;
}

static int retry(struct walk *w)
{
	return ++w->retries > RETRIES_MAX ? -EAGAIN : 0;
}

static int open_entry(const struct walk *w, const char *name)
{
	int fd = NO_EINTR(openat(current(w), name, O_PATH | O_NOFOLLOW | O_CLOEXEC));

	return fd < 0 ? -errno : fd;
}

/* The S_IFMT bits, or -errno. */
static int kind_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? -errno : (int)(st.st_mode & S_IFMT);
}

/* One component that must lead to a directory. */
static int step(struct walk *w, const char *name)
{
	cleanup_fd int fd = -EBADF;
	int r, kind;

	while ((fd = open_entry(w, name)) == -ENOENT && w->how->make != PATH_MAKE_NOTHING) {
		/* whatever is found there at the next look is resolved like anything else */
		if (mkdirat(current(w), name, w->how->dir_mode) < 0 && errno != EEXIST)
			return -errno;
		r = retry(w);
		if (r < 0)
			return r;
	}
	if (fd < 0)
		return fd;
	kind = kind_of(fd);
	if (kind < 0)
		return kind;
	if (kind == S_IFDIR)
		return enter(w, take_fd(fd));
	return kind == S_IFLNK ? follow(w, fd) : -ENOTDIR;
}

/* The last component of a file to make. Returns 0 to go on along a link, or sets *ret_fd. */
static int make_file(struct walk *w, const char *name, int *ret_fd)
{
	cleanup_fd int fd = -EBADF;
	int r, kind;

	while ((fd = open_entry(w, name)) == -ENOENT) {
		int made =
		    openat(current(w), name, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			   w->how->mode);

		if (made < 0 && errno != EEXIST)
			return -errno;
		fd_close(made);
		r = retry(w);
		if (r < 0)
			return r;
	}
	if (fd < 0)
		return fd;
	kind = kind_of(fd);
	if (kind < 0)
		return kind;
	if (kind == S_IFLNK)
		return follow(w, fd);
	if (kind == S_IFDIR)
		return -EISDIR;
	r = check_mount(w, fd);
	if (r == 0)
		*ret_fd = take_fd(fd);
	return r;
}

/* The last component may turn out to be a link: goes on along it (0), or says errnum. */
static int final_link(struct walk *w, const char *name, int errnum)
{
	cleanup_fd int fd = open_entry(w, name);
	int r, kind;

	if (fd < 0)
		return fd == -ENOENT ? retry(w) : fd;
	kind = kind_of(fd);
	if (kind < 0)
		return kind;
	if (kind == S_IFLNK)
		return follow(w, fd);
	if (errnum == ENOTDIR)
		return -ENOTDIR;
	/* it was a link a moment ago */
	r = retry(w);
	if (r == 0) {
		char *rest = xasprintf("%s%s", name, w->pos);

		free(w->rest);
		w->pos = w->rest = rest;
	}
	return r;
}

/* The last component, opened as the caller wants it. */
static int final(struct walk *w, const char *name, int *ret_fd)
{
	const struct path_walk_how *how = w->how;
	bool nofollow = how->flags & O_NOFOLLOW;
	cleanup_fd int fd = -EBADF;
	int r, kind;

	fd = NO_EINTR(openat(current(w), name, how->flags | O_NOFOLLOW | O_CLOEXEC, how->mode));
	if (fd < 0) {
		int errnum = errno;

		/* O_DIRECTORY | O_NOFOLLOW says ENOTDIR of a link */
		if ((errnum == ELOOP || errnum == ENOTDIR) && !nofollow)
			return final_link(w, name, errnum);
		return -errnum;
	}
	r = check_mount(w, fd);
	if (r < 0)
		return r;
	if ((how->flags & O_PATH) && !nofollow) {
		kind = kind_of(fd);
		if (kind < 0)
			return kind;
		if (kind == S_IFLNK)
			return follow(w, fd);
	}
	*ret_fd = take_fd(fd);
	return 0;
}

/* Nothing is left to walk: the current directory is the result. */
static int open_current(const struct walk *w)
{
	int flags = w->how->flags & ~O_NOFOLLOW, fd;

	if (w->how->make == PATH_MAKE_FILE)
		return -EISDIR;
	if (w->how->make == PATH_MAKE_DIRS)
		flags = O_PATH | O_DIRECTORY;
	fd = NO_EINTR(openat(current(w), ".", flags | O_CLOEXEC, w->how->mode));
	return fd < 0 ? -errno : fd;
}

/* Takes the next component; *ret_last: none follows and no slash. 1, 0 at the end, or -errno. */
static int next_name(struct walk *w, char name[NAME_MAX + 1], bool *ret_last)
{
	size_t n;

	w->pos += strspn(w->pos, "/");
	n = strcspn(w->pos, "/");
	if (n == 0)
		return 0;
	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, w->pos, n);
	name[n] = '\0';
	w->pos += n;
	*ret_last = *w->pos == '\0';
	return 1;
}

static int walk_on(struct walk *w)
{
	char name[NAME_MAX + 1];
	int r, fd = -EBADF;
	bool last;

	while ((r = next_name(w, name, &last)) > 0) {
		if (str_eq(name, "."))
			continue;
		if (str_eq(name, "..")) {
			pop_to(w, w->depth ? w->depth - 1 : 0);
			continue;
		}
		if (!last || w->how->make == PATH_MAKE_DIRS)
			r = step(w, name);
		else if (w->how->make == PATH_MAKE_FILE)
			r = make_file(w, name, &fd);
		else
			r = final(w, name, &fd);
		if (r < 0)
			return r;
		if (fd >= 0)
			return fd;
	}
	return r < 0 ? r : open_current(w);
}

int path_walk(int rootfd, const char *path, const struct path_walk_how *how)
{
	struct walk w = { .how = how, .rootfd = rootfd };
	int r = 0;

	if (!*path)
		return -ENOENT;
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (how->no_xdev)
		r = mount_id(rootfd, &w.mnt_id);
	if (r == 0) {
		w.pos = w.rest = xstrdup(path);
		r = walk_on(&w);
	}
	pop_to(&w, 0);
	free(w.fds);
	free(w.rest);
	return r;
}

int path_resolve(int rootfd, const char *path, int flags, mode_t mode, bool no_xdev)
{
	struct open_how how = { .flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	const struct path_walk_how walk = { .flags = flags, .mode = mode, .no_xdev = no_xdev };

	if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE)
		how.mode = mode & 07777;
	if (no_xdev)
		how.resolve |= RESOLVE_NO_XDEV;
	for (int tries = 0; tries < RETRIES_MAX; tries++) {
		long fd = syscall(SYS_openat2, rootfd, path, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno == ENOSYS)
			return path_walk(rootfd, path, &walk);
		/* EAGAIN: a rename or mount somewhere made a ".." uncertain */
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

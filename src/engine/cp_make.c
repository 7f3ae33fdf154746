/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cp_make_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"

#define DEPTH_MAX  1000
#define TEMP_TRIES 1000

int make_wrong(struct err *err)
{
	return err_errno(err, EPROTO, "reading what is to be copied");
}

static int here(const struct make *m)
{
	return m->n ? m->levels[m->n - 1].fd : m->dir;
}

/* ---- attributes ---- */

/* A program that runs as its owner must not become one of another owner. */
static mode_t mode_of(const struct make *m, const struct cp_head *h)
{
	mode_t wanted = h->mode & 07777;

	if (m->opts->keep_owner)
		return wanted;
	if (m->opts->of_container)
		return wanted & (S_ISDIR(h->mode) ? 01777 : 0777);
	if (S_ISREG(h->mode) && h->uid != m->opts->uid)
		wanted &= ~(mode_t)S_ISUID;
	if (S_ISREG(h->mode) && h->gid != m->opts->gid)
		wanted &= ~(mode_t)S_ISGID;
	return wanted;
}

static uid_t uid_of(const struct make *m, const struct cp_head *h)
{
	return m->opts->keep_owner ? h->uid : m->opts->uid;
}

static gid_t gid_of(const struct make *m, const struct cp_head *h)
{
	return m->opts->keep_owner ? h->gid : m->opts->gid;
}

/* An unprivileged user owns what is made, whatever is asked for. */
static bool may_fail(int e)
{
	return e == EPERM && geteuid() != 0;
}

static void times_of(const struct cp_head *h, struct timespec ret[2])
{
	ret[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
	ret[1] = (struct timespec){ .tv_sec = h->mtime, .tv_nsec = (long)h->mtime_ns };
}

/* Who wrote the stream may have read a hostile archive. */
static bool may_set(const struct make *m, const char *attr)
{
	if (str_starts(attr, "user."))
		return !str_starts(attr, "user.overlay.");
	if (str_eq(attr, "security.capability"))
		return m->opts->keep_owner || !m->opts->of_container;
	return str_starts(attr, "system.posix_acl_");
}

static int set_xattrs(const struct make *m, int fd, const struct buf *xattrs, const char *name,
		      struct err *err)
{
	const char *attr, *value;
	size_t pos = 0, len;
	int r;

	while ((r = cp_next_xattr(xattrs, &pos, &attr, &value, &len)) > 0) {
		if (!may_set(m, attr))
			continue;
		/* A file system or a user namespace may not have it; bytes and mode are there. */
		if (fsetxattr(fd, attr, value, len, 0) < 0 && errno != EOPNOTSUPP &&
		    errno != EPERM && errno != EINVAL)
			return err_errno(err, errno, "setting attribute %s of %s", attr, name);
	}
	return r < 0 ? err_errno(err, -r, "reading what is to be copied") : 0;
}

/* Of a file or directory; a change of the owner takes rights away, so they come after it. */
static int set_attributes(const struct make *m, int fd, const struct cp_head *h,
			  const struct buf *xattrs, const char *name, struct err *err)
{
	struct timespec times[2];
	struct stat st;
	bool given = false;
	int r;

	/* What is as it shall be costs the file system no transaction. */
	if (fstat(fd, &st) < 0)
		return err_errno(err, errno, "looking at %s", name);
	if (st.st_uid != uid_of(m, h) || st.st_gid != gid_of(m, h)) {
		if (fchown(fd, uid_of(m, h), gid_of(m, h)) < 0 && !may_fail(errno))
			return err_errno(err, errno, "changing the owner of %s", name);
		given = true;
	}
	if ((given || (st.st_mode & 07777) != mode_of(m, h)) && fchmod(fd, mode_of(m, h)) < 0)
		return err_errno(err, errno, "changing the mode of %s", name);
	r = set_xattrs(m, fd, xattrs, name, err);
	times_of(h, times);
	if (r == 0 && futimens(fd, times) < 0)
		r = err_errno(err, errno, "setting times of %s", name);
	return r;
}

/* Of what can't be opened for more than a look at it, made a moment ago. Who exchanges it for a
 * file must not have that given away. */
static int set_special(const struct make *m, int dir, const struct cp_head *h, const char *name,
		       struct err *err)
{
	cleanup_fd int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct timespec times[2];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "looking at %s", name);
	if ((st.st_mode & S_IFMT) != (h->mode & S_IFMT) || st.st_nlink > 1)
		return err_fail(err, ERR_CONFLICT, "%s is something else by now", name);
	if (fchownat(fd, "", uid_of(m, h), gid_of(m, h), AT_EMPTY_PATH) < 0 && !may_fail(errno))
		return err_errno(err, errno, "changing the owner of %s", name);
	times_of(h, times);
	if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, errno, "setting times of %s", name);
	return 0;
}

/* ---- in the place of what is there ---- */

static int clear_dir(const struct make *m, int dir, const char *name, struct err *err)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	if (!m->opts->overwrite)
		return err_fail(err, ERR_CONFLICT,
				"cannot overwrite directory \"%s\" with non-directory \"%s\"", name,
				name);
	return path_remove_tree(dir, name, err);
}

/* A name that nothing has, beside the one that is wanted; short, whatever that is. */
static void temp_name(struct make *m, char ret[32])
{
	snprintf(ret, 32, ".inro-cp-%d-%u", (int)getpid(), m->temps++);
}

/* What was made under the temporary name gets its own. */
static int put_in_place(int dir, const char *temp, const char *name, struct err *err)
{
	int e;

	if (renameat(dir, temp, dir, name) == 0)
		return 0;
	e = errno;
	unlinkat(dir, temp, 0);
	return err_errno(err, e, "replacing %s", name);
}

/* ---- files ---- */

static int write_data(struct make *m, int fd, const char *name, uint64_t size, struct err *err)
{
	struct cp_entry part = { .xattrs = BUF_INIT };
	uint64_t end = 0;
	int r;

	do {
		r = cp_get(m->in, &part, err);
		if (r == 0 && part.head.kind != CP_DATA)
			r = make_wrong(err);
		if (r == 0)
			r = cp_get_data(m->in, &part.head, fd, name, err);
		m->made->bytes += r == 0 ? part.head.size : 0;
		if (part.head.offset + part.head.size > end)
			end = part.head.offset + part.head.size;
	} while (r == 0 && part.head.size > 0);
	cp_entry_done(&part);
	/* A hole at its end. */
	if (r == 0 && end != size && ftruncate(fd, (off_t)size) < 0)
		r = err_errno(err, errno, "writing %s", name);
	return r;
}

static int fill_file(struct make *m, int fd, const char *name, struct err *err)
{
	const struct cp_head *h = &m->e.head;
	int r = write_data(m, fd, name, h->size, err);

	return r < 0 ? r : set_attributes(m, fd, h, &m->e.xattrs, name, err);
}

/* A file that is mounted, /etc/hosts say, can't be replaced: it gets the bytes. */
static int open_mounted(const struct make *m, int dir, const char *name, struct err *err)
{
	cleanup_fd int there = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char number[16];
	struct statx stx;
	int fd;

	if (there < 0 || statx(there, "", AT_EMPTY_PATH, STATX_TYPE, &stx) < 0 ||
	    !(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) || !S_ISREG(stx.stx_mode))
		return -ENOENT;
	snprintf(number, sizeof(number), "%d", there);
	fd = openat(m->opts->fds_dir, number, O_WRONLY | O_TRUNC | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? err_errno(err, errno, "opening %s, which is mounted", name) : fd;
}

/* Nobody may look into one that will be somebody else's. */
static mode_t first_mode(const struct make *m)
{
	return m->opts->keep_owner ? 0600 : mode_of(m, &m->e.head) & 0777;
}

static int replace_file(struct make *m, int dir, const char *name, struct err *err)
{
	cleanup_fd int mounted = open_mounted(m, dir, name, err);
	cleanup_fd int fd = -EBADF;
	char temp[32];
	int r;

	if (mounted != -ENOENT)
		return mounted < 0 ? mounted : write_data(m, mounted, name, m->e.head.size, err);
	for (int i = 0; fd < 0 && i < TEMP_TRIES; i++) {
		temp_name(m, temp);
		fd = openat(dir, temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    first_mode(m));
		if (fd < 0 && errno != EEXIST)
			break;
	}
	if (fd < 0)
		return err_errno(err, errno, "creating file %s", name);
	r = fill_file(m, fd, name, err);
	if (r < 0) {
		unlinkat(dir, temp, 0);
		return r;
	}
	return put_in_place(dir, temp, name, err);
}

static int make_file(struct make *m, int dir, const char *name, struct err *err)
{
	cleanup_fd int fd =
	    openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, first_mode(m));
	int r;

	if (fd < 0 && (errno == EEXIST || errno == EROFS)) {
		r = clear_dir(m, dir, name, err);
		return r < 0 ? r : replace_file(m, dir, name, err);
	}
	if (fd < 0)
		return err_errno(err, errno, "creating file %s", name);
	r = fill_file(m, fd, name, err);
	if (r < 0)
		unlinkat(dir, name, 0);
	return r;
}

/* ---- links and special files ---- */

/* Where the first name of a file is by now, below the top directory. */
static int link_at(const struct make *m, int dir, const char *name, struct err *err)
{
	cleanup_free char *first = NULL;
	cleanup_fd int from = -EBADF;

	if (m->n == 0 && !m->paths)
		return make_wrong(err);
	from = m->paths ? unpack_parent(m, m->e.link, false, &first, err)
			: path_parent_in(m->levels[0].fd, m->e.link, false, &first, err);
	if (from < 0)
		return from;
	return linkat(from, first, dir, name, 0) < 0 ? -errno : 0;
}

static int make_node(const struct make *m, int dir, const char *name, struct err *err)
{
	const struct cp_head *h = &m->e.head;

	switch (h->kind) {
	case CP_SYMLINK:
		return symlinkat(m->e.link, dir, name) < 0 ? -errno : 0;
	case CP_HARDLINK:
		return link_at(m, dir, name, err);
	case CP_FIFO:
		return mknodat(dir, name, S_IFIFO | mode_of(m, h), 0) < 0 ? -errno : 0;
	default:
		return mknodat(dir, name, (h->mode & S_IFMT) | mode_of(m, h),
			       makedev(h->major, h->minor)) < 0
			   ? -errno
			   : 0;
	}
}

static int node_failed(struct make *m, int r, const char *name, struct err *err)
{
	/* Nobody but the machine's root makes one. */
	if (r == -EPERM && m->e.head.kind == CP_DEVICE) {
		m->made->left_out++;
		return 0;
	}
	return err_errno(err, -r, "creating %s", name);
}

static int make_other(struct make *m, int dir, const char *name, struct err *err)
{
	const struct cp_head *h = &m->e.head;
	char temp[32];
	int r;

	if (h->kind == CP_DEVICE && m->opts->on_host) {
		m->made->left_out++;
		return 0;
	}
	r = make_node(m, dir, name, err);
	if (r == 0)
		return h->kind == CP_HARDLINK ? 0 : set_special(m, dir, h, name, err);
	if (r != -EEXIST)
		return node_failed(m, r, name, err);
	r = clear_dir(m, dir, name, err);
	if (r < 0)
		return r;
	do {
		temp_name(m, temp);
		r = make_node(m, dir, temp, err);
	} while (r == -EEXIST && m->temps < TEMP_TRIES);
	if (r < 0)
		return node_failed(m, r, name, err);
	r = h->kind == CP_HARDLINK ? 0 : set_special(m, dir, h, temp, err);
	if (r < 0) {
		unlinkat(dir, temp, 0);
		return r;
	}
	r = put_in_place(dir, temp, name, err);
	/* Two names of one file: rename(2) does nothing. */
	if (h->kind == CP_HARDLINK)
		unlinkat(dir, temp, 0);
	return r;
}

/* ---- directories ---- */

static int push(struct make *m, int fd, bool given, bool made, const char *name, struct err *err)
{
	struct level *l;

	if (m->n == DEPTH_MAX) {
		fd_close(fd);
		return err_fail(err, ERR_LIMIT, "more than %d levels of directories", DEPTH_MAX);
	}
	if (m->n == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 16;
		m->levels = xrealloc(m->levels, m->cap * sizeof(*m->levels));
	}
	l = &m->levels[m->n++];
	*l = (struct level){ .fd = fd,
			     .given = given,
			     .made = made,
			     .head = m->e.head,
			     .xattrs = m->e.xattrs,
			     .name = xstrdup(name) };
	m->e.xattrs = (struct buf)BUF_INIT;
	return 0;
}

static void pop(struct make *m)
{
	struct level *l = &m->levels[--m->n];

	fd_close(l->fd);
	buf_done(&l->xattrs);
	free(l->name);
}

static int make_dir(struct make *m, int dir, const char *name, struct err *err)
{
	bool made = mkdirat(dir, name, 0700) == 0;
	struct stat st;
	int fd;

	if (!made && errno == EEXIST && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !S_ISDIR(st.st_mode)) {
		if (!m->opts->overwrite)
			return err_fail(err, ERR_CONFLICT,
					"cannot overwrite non-directory \"%s\" with directory "
					"\"%s\"",
					name, name);
		made = unlinkat(dir, name, 0) == 0 && mkdirat(dir, name, 0700) == 0;
	}
	if (!made && errno != EEXIST)
		return err_errno(err, errno, "creating directory %s", name);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "opening directory %s", name);
	return push(m, fd, false, made, name, err);
}

/* Now that all is in it: its times would change, and it may be one that nobody may write to. */
int make_leave(struct make *m, struct err *err)
{
	struct level *l;
	int r = 0;

	if (m->n == 0)
		return make_wrong(err);
	l = &m->levels[m->n - 1];
	if (!l->given) {
		struct cp_head h = l->head;
		struct stat st;

		/* What was there keeps its owner, as long as nobody asks for another one. */
		if (!l->made && !m->opts->keep_owner && fstat(l->fd, &st) == 0) {
			struct cp_make_options keep = *m->opts;
			struct make own = { .opts = &keep };

			keep.uid = st.st_uid;
			keep.gid = st.st_gid;
			r = set_attributes(&own, l->fd, &h, &l->xattrs, l->name, NULL);
			r = r == -EPERM ? 0 : r;
			if (r < 0)
				err_errno(err, -r, "changing directory %s", l->name);
		} else {
			r = set_attributes(m, l->fd, &h, &l->xattrs, l->name, err);
		}
	}
	pop(m);
	return r;
}

int make_object(struct make *m, int dir, const char *name, struct err *err)
{
	if (m->e.head.kind == CP_DIR)
		return make_dir(m, dir, name, err);
	return m->e.head.kind == CP_FILE ? make_file(m, dir, name, err)
					 : make_other(m, dir, name, err);
}

/* ---- the stream ---- */

static const char *name_of(struct make *m, struct err *err)
{
	const char *name = m->n ? m->e.name : m->top;

	if (name && *name && !strchr(name, '/') && !str_eq(name, ".") && !str_eq(name, ".."))
		return name;
	make_wrong(err);
	return NULL;
}

static int object(struct make *m, struct err *err)
{
	enum cp_kind kind = m->e.head.kind;
	const char *name;
	int dir = here(m);

	if (m->n == 0 && m->has_top)
		return make_wrong(err);
	if (m->n == 0)
		m->has_top = true;
	if (kind == CP_DIR && m->n == 0 && !m->top)
		return push(m, take_fd(m->dir), true, false, ".", err);
	name = name_of(m, err);
	if (!name)
		return -EPROTO;
	return make_object(m, dir, name, err);
}

static int follow(struct make *m, struct err *err)
{
	for (;;) {
		int r = cp_get(m->in, &m->e, err);

		if (r < 0)
			return r;
		switch (m->e.head.kind) {
		case CP_END:
			return m->n ? make_wrong(err) : 0;
		case CP_LEAVE:
			r = make_leave(m, err);
			break;
		case CP_BEGIN:
		case CP_DATA:
			return make_wrong(err);
		default:
			r = object(m, err);
		}
		if (r < 0)
			return r;
	}
}

void make_done(struct make *m)
{
	while (m->n > 0)
		pop(m);
	fd_close(m->dir);
	free(m->top);
	free(m->levels);
	cp_entry_done(&m->e);
}

int cp_make(const struct cp_place *to, const struct cp_make_options *opts, struct cp_in *in,
	    struct cp_made *ret, struct err *err)
{
	struct make m = { .opts = opts, .in = in, .made = ret, .dir = -EBADF };
	int r = cp_get(in, &m.e, err);

	if (r == 0 && m.e.head.kind != CP_BEGIN)
		r = make_wrong(err);
	if (r == 0)
		r = m.dir = cp_place_destination(to, m.e.head.mode & S_IFMT, m.e.name,
						 opts->overwrite, &m.top, err);
	if (r >= 0 && opts->source)
		r = cp_place_outside(m.dir, m.top, opts->source, to->path, err);
	if (r >= 0)
		r = follow(&m, err);
	make_done(&m);
	return r < 0 ? r : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Members of a layer's tar as objects in the layer's directory. */
#include "image/layer/member.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "image/layer/meta.h"
#include "image/layer/tar.h"

/* ---- what is in the way ---- */

/* Removes what has the member's name. */
static int place_clear(const struct member *m, struct err *err)
{
	struct stat st;

	if (fstatat(m->dir, m->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "examining %s", m->path);
	if (S_ISDIR(st.st_mode))
		return path_remove_tree(m->dir, m->base, err);
	if (unlinkat(m->dir, m->base, 0) < 0)
		return err_errno(err, errno, "replacing %s", m->path);
	return 0;
}

/* Runs make(); when the name is taken, clears the place and runs it again. */
static int place_make(const struct member *m, int (*make)(const struct member *m), struct err *err)
{
	int r = make(m);

	if (r == -EEXIST) {
		r = place_clear(m, err);
		if (r < 0)
			return r;
		r = make(m);
	}
	return r < 0 ? err_errno(err, -r, "creating %s", m->path) : r;
}

/* ---- each type of member ---- */

static int file_create(const struct member *m)
{
	int fd =
	    openat(m->dir, m->base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static int file_write(int fd, const char *data, size_t len, int64_t offset)
{
	while (len > 0) {
		ssize_t n = NO_EINTR(pwrite(fd, data, len, offset));
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
		offset += n;
	}
	return 0;
}

/* Holes of sparse files stay holes. */
static int file_fill(struct apply *ap, int fd, int64_t size, struct err *err)
{
	const void *data;
	size_t len;
	int64_t offset, end = 0;
	int r;

	while ((r = tar_data(ap->tar, ap->src, &data, &len, &offset, err)) > 0) {
		if (len == 0)
			continue;
		r = file_write(fd, data, len, offset);
		if (r < 0)
			return err_errno(err, -r, "writing");
		end = offset + (int64_t)len;
		ap->size += len;
	}
	if (r == 0 && end < size && ftruncate(fd, size) < 0)
		return err_errno(err, errno, "extending to %" PRId64 " bytes", size);
	return r;
}

static int make_file(struct apply *ap, const struct member *m, struct err *err)
{
	cleanup_fd int fd = place_make(m, file_create, err);
	int64_t size = archive_entry_size(m->entry);

	if (fd < 0)
		return fd;
	int r = file_fill(ap, fd, size, err);
	if (r < 0)
		return err_wrap(err, r, "%s", m->path);
	struct meta_target t = { .fd = fd, .path = m->path, .userns = ap->opts->userns };
	return meta_apply(&t, m->entry, err);
}

/* 1: it is there already. */
static int dir_create(struct apply *ap, const struct member *m, bool *ret_opaque, struct err *err)
{
	struct stat st;

	if (mkdirat(m->dir, m->base, 0700) == 0)
		return 0;
	if (errno != EEXIST)
		return err_errno(err, errno, "creating directory %s", m->path);
	if (fstatat(m->dir, m->base, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		return 1;
	/* A whiteout, or an earlier member that was no directory, hid what lies below. */
	*ret_opaque = true;
	int r = place_clear(m, err);
	if (r < 0)
		return r;
	if (mkdirat(m->dir, m->base, 0700) < 0)
		return err_errno(err, errno, "creating directory %s", m->path);
	return 0;
}

static int dir_open(int dir, const char *name, const char *path, struct err *err)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_errno(err, errno, "opening directory %s", path) : fd;
}

static int make_dir(struct apply *ap, const struct member *m, struct err *err)
{
	bool opaque = false;

	int r = dir_create(ap, m, &opaque, err);
	if (r < 0)
		return r;
	cleanup_fd int fd = dir_open(m->dir, m->base, m->path, err);
	if (fd < 0)
		return fd;
	struct meta_target t = { .fd = fd, .path = m->path, .userns = ap->opts->userns };
	r = r > 0 ? meta_clear_xattrs(fd, m->path, err) : 0;
	if (r == 0)
		r = meta_apply(&t, m->entry, err);
	if (r == 0 && opaque && !ap->opts->tree)
		r = meta_set_opaque(fd, ap->opts->userns, m->path, err);
	if (r == 0)
		r = apply_remember_dir(ap, m->path, m->entry, err);
	if (r < 0)
		return r;
	/* Its members most likely come next. */
	fd_close(ap->parent_fd);
	ap->parent_fd = take_fd(fd);
	free(ap->parent_path);
	ap->parent_path = xstrdup(m->path);
	ap->parent_linked = LINKED_UNKNOWN;
	ap->parent_hiding = HIDING_UNKNOWN;
	return 0;
}

static int named_meta(struct apply *ap, const struct member *m, struct err *err)
{
	struct meta_target t = { .fd = -EBADF,
				 .dirfd = m->dir,
				 .name = m->base,
				 .path = m->path,
				 .userns = ap->opts->userns };
	return meta_apply(&t, m->entry, err);
}

static int symlink_create(const struct member *m)
{
	const char *target = archive_entry_symlink(m->entry);

	if (!target)
		return -EINVAL;
	return symlinkat(target, m->dir, m->base) < 0 ? -errno : 0;
}

static int make_symlink(struct apply *ap, const struct member *m, struct err *err)
{
	int r = place_make(m, symlink_create, err);
	return r < 0 ? r : named_meta(ap, m, err);
}

static int node_create(const struct member *m)
{
	mode_t type = archive_entry_filetype(m->entry);
	dev_t dev = type == AE_IFIFO ? 0 : archive_entry_rdev(m->entry);

	return mknodat(m->dir, m->base, type | 0600, dev) < 0 ? -errno : 0;
}

static int make_fifo(struct apply *ap, const struct member *m, struct err *err)
{
	int r = place_make(m, node_create, err);
	return r < 0 ? r : named_meta(ap, m, err);
}

static int make_device(struct apply *ap, const struct member *m, struct err *err)
{
	/* A user namespace cannot make them, and its /dev comes from the runtime anyway. */
	if (ap->opts->userns) {
		ap->devices_left_out++;
		return 0;
	}
	return make_fifo(ap, m, err);
}

static int link_create(int from_dir, const char *from, const struct member *m)
{
	return linkat(from_dir, from, m->dir, m->base, 0) < 0 ? -errno : 0;
}

static int make_hardlink(struct apply *ap, const struct member *m, struct err *err)
{
	cleanup_free char *target = tar_clean(archive_entry_hardlink(m->entry), "link target", err);
	cleanup_free char *from = NULL;
	struct stat a, b;

	if (!target || !*target)
		return target ? err_fail(err, ERR_INVALID, "%s: hard link to nothing", m->path)
			      : -EINVAL;
	cleanup_fd int dir = path_parent_in(ap->root, target, false, &from, err);
	int r = dir < 0 ? dir : link_create(dir, from, m);
	if (r == -EEXIST) {
		/* A link to itself is there already. */
		if (fstatat(dir, from, &a, AT_SYMLINK_NOFOLLOW) == 0 &&
		    fstatat(m->dir, m->base, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_ino == b.st_ino)
			return 0;
		r = place_clear(m, err);
		if (r == 0)
			r = link_create(dir, from, m);
	}
	if (r == -ENOENT)
		return err_fail(err, ERR_INVALID, "%s: hard link to %s, which is not in this layer",
				m->path, target);
	return r < 0 ? err_errno(err, -r, "linking %s to %s", m->path, target) : 0;
}

static const struct {
	mode_t type;
	int (*make)(struct apply *ap, const struct member *m, struct err *err);
} makers[] = {
	{ AE_IFREG, make_file },   { AE_IFDIR, make_dir },    { AE_IFLNK, make_symlink },
	{ AE_IFCHR, make_device }, { AE_IFBLK, make_device }, { AE_IFIFO, make_fifo },
};

int member_make(struct apply *ap, const struct member *m, struct err *err)
{
	if (archive_entry_hardlink(m->entry))
		return make_hardlink(ap, m, err);
	for (size_t i = 0; i < ARRAY_SIZE(makers); i++)
		if (makers[i].type == archive_entry_filetype(m->entry))
			return makers[i].make(ap, m, err);
	cleanup_free char *shown = str_escape(m->path);
	log_warn("%s: member of an unknown type left out", shown);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* In the container's namespaces: names are the container's. */
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "runtime/live_internal.h"
#include "sys/dev.h"

/* Of the tmpfs that covers masked directories: protect.c. */
#define MASK_INODES 2

static bool is_device(const struct live *l, const struct stat *st)
{
	const struct spec_device *d = l->device;
	mode_t type = d->type[0] == 'b' ? S_IFBLK : S_IFCHR;

	return (st->st_mode & S_IFMT) == type && (int64_t)major(st->st_rdev) == d->major.value &&
	       (int64_t)minor(st->st_rdev) == d->minor.value;
}

/* Where an fd is, seen from the container's root. */
static int path_of(const struct live *l, int fd, char *out, size_t size)
{
	char name[16];
	ssize_t n;

	snprintf(name, sizeof(name), "%d", fd);
	n = readlinkat(l->fds_dir, name, out, size - 1);
	if (n < 0)
		return -errno;
	out[n] = '\0';
	return 0;
}

/* Is the path at the place, or below it? Then that would cover it. */
static const char *first_below(char *const *paths, const char *place)
{
	for (; paths && *paths; paths++) {
		cleanup_free char *clean = path_clean(*paths);

		if (path_below(clean, place))
			return *paths;
	}
	return NULL;
}

static int check_place(const struct live *l, const char *place, struct err *err)
{
	const struct spec_linux *linux_ = l->spec->linux_;
	const char *path = first_below(linux_->masked_paths, place);

	if (!path)
		path = first_below(linux_->readonly_paths, place);
	if (path)
		return err_fail(err, ERR_DENIED, "it would cover %s, which is protected", path);
	for (size_t i = 0; i < l->spec->mounts.n; i++) {
		cleanup_free char *clean = path_clean(l->spec->mounts.items[i].destination);

		if (path_below(clean, place))
			return err_fail(err, ERR_EXISTS, "it would cover the mount at %s",
					l->spec->mounts.items[i].destination);
	}
	return 0;
}

/* The place that was found, which a link may have led to: as it is called, and as it is. */
int live_admit(struct init *in, const struct spec_mount *m, int target, struct err *err)
{
	const struct live *l = in->admit_data;
	cleanup_free char *clean = path_clean(m->destination);
	char place[PATH_MAX];
	int r = path_of(l, target, place, sizeof(place));

	if (r < 0)
		return err_errno(err, -r, "finding %s in the container", m->destination);
	r = check_place(l, clean, err);
	return r < 0 ? r : check_place(l, place, err);
}

/* What is there already? */
static bool has_device(const struct live *l)
{
	cleanup_fd int fd = path_open_in(l->in.root, l->device->path, O_PATH, 0, NULL);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && is_device(l, &st);
}

int live_add(struct live *l, struct err *err)
{
	struct stat st;
	int r;

	if (l->device && has_device(l))
		return 0;
	if (l->device && (fstat(l->im.fd, &st) < 0 || !is_device(l, &st)))
		return err_fail(err, ERR_INVALID, "the host's node of this path is another device");
	r = mount_make(&l->in, l->m, &l->im, err);
	if (r >= 0 && l->im.late_fd >= 0)
		r = mount_set(l->im.late_fd, "", false, MOUNT_ATTR_RDONLY, 0, 0, -EBADF, err);
	return r < 0 ? r : 0;
}

/* 1: the root of a mount. */
static int is_mount(int fd, struct err *err)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) < 0)
		return err_errno(err, errno, "looking at it");
	return (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/* What covers masked paths looks like this. */
static bool is_mask(const struct stat *st, const struct statfs *fs)
{
	if (S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3))
		return true;
	return fs->f_type == TMPFS_MAGIC && fs->f_files == MASK_INODES;
}

static bool is_kernels(const struct statfs *fs)
{
	return fs->f_type == PROC_SUPER_MAGIC || fs->f_type == SYSFS_MAGIC ||
	       fs->f_type == CGROUP_SUPER_MAGIC || fs->f_type == CGROUP2_SUPER_MAGIC;
}

static bool is_source(const struct live *l, const struct stat *st)
{
	return l->source.st_ino == st->st_ino && l->source.st_dev == st->st_dev;
}

static long magic_of(const char *type)
{
	return str_eq(type, "overlay") ? OVERLAYFS_SUPER_MAGIC
	       : str_eq(type, "ramfs") ? RAMFS_MAGIC
				       : TMPFS_MAGIC;
}

/* Where directories were renamed, the name may lead to what protects the container by now, or to
 * its root. A file that was bound may have been replaced on the host, so that it is not known any
 * more. */
static int check_mount(const struct live *l, int fd, struct err *err)
{
	char place[PATH_MAX];
	struct statfs fs;
	struct stat st;
	int r = path_of(l, fd, place, sizeof(place));

	if (r < 0)
		return err_errno(err, -r, "looking at it");
	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return err_errno(err, errno, "looking at it");
	if (!str_eq(place, "/") && !is_mask(&st, &fs) && (!is_kernels(&fs) || is_source(l, &st)) &&
	    (live_is_bind(l) || fs.f_type == magic_of(l->m->type)))
		return 0;
	return err_fail(err, ERR_CONFLICT, "what is mounted there by now is something else");
}

static int open_mount(const struct live *l, struct err *err)
{
	const char *path = l->device ? l->device->path : l->m->destination;
	int fd = path_open_in(l->in.root, path, O_PATH, 0, err);
	int r = fd < 0 ? fd : is_mount(fd, err);

	if (r == 0 || r == -ENOENT || r == -ENOTDIR)
		r = err_fail(err, ERR_NOT_FOUND, "nothing is mounted there");
	if (r < 0)
		fd_close(fd);
	return r < 0 ? r : fd;
}

int live_take_away(struct live *l, struct err *err)
{
	cleanup_fd int fd = open_mount(l, err);
	int r = fd < 0 ? fd : check_mount(l, fd, err);

	/* By the fd, through the host's procfs: no name of the container's is resolved again. */
	return r < 0 ? r : mount_detach_by(l->fds_dir, fd, err);
}

static int mount_id(int fd, uint64_t *ret)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		return -errno;
	*ret = st.stx_mnt_id;
	return st.stx_mask & STATX_MNT_ID ? 0 : -EOPNOTSUPP;
}

/* The container's root, or the /dev that was made for it. What is renamed stays in its mount. */
static int is_own_directory(const struct live *l, int dir)
{
	cleanup_fd int dev = path_open_in(l->in.root, "/dev", O_PATH | O_DIRECTORY, 0, NULL);
	const struct spec_mount *m = NULL;
	uint64_t here = 0, own = 0;
	struct statfs fs;
	int r = mount_id(dir, &here);

	if (r == 0)
		r = mount_id(l->in.root, &own);
	if (r < 0 || here == own)
		return r < 0 ? r : 1;
	for (size_t i = 0; i < l->spec->mounts.n; i++) {
		cleanup_free char *clean = path_clean(l->spec->mounts.items[i].destination);

		if (str_eq(clean, "/dev"))
			m = &l->spec->mounts.items[i];
	}
	if (!m || !str_eq(m->type, "tmpfs") || dev < 0)
		return 0;
	r = mount_id(dev, &own);
	return r < 0 ? r : here == own && fstatfs(dev, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

/* Where the node is, or is to be. In a volume it would be the host's, too. */
static int open_node_dir(const struct live *l, bool make, char **ret_name, struct err *err)
{
	cleanup_fd int dir = path_parent_in(l->in.root, l->device->path, make, ret_name, err);
	int r = dir < 0 ? dir : is_own_directory(l, dir);

	if (dir >= 0 && r < 0)
		return err_errno(err, -r, "looking at its directory");
	if (r == 0)
		return err_fail(err, ERR_DENIED, "its directory is in a mount, perhaps the host's");
	return r < 0 ? r : take_fd(dir);
}

int live_make_node(struct live *l, struct err *err)
{
	const struct spec_device *d = l->device;
	mode_t mode = (d->type[0] == 'b' ? S_IFBLK : S_IFCHR) |
		      (d->file_mode.set ? d->file_mode.value & 07777 : 0666);
	cleanup_free char *name = NULL;
	cleanup_fd int dir = open_node_dir(l, true, &name, err);
	int r;

	if (dir < 0)
		return dir;
	r = dev_make(dir, name, mode,
		     makedev((unsigned int)d->major.value, (unsigned int)d->minor.value),
		     d->uid.set ? d->uid.value : 0, d->gid.set ? d->gid.value : 0, err);
	fd_close(r);
	return r < 0 ? r : 0;
}

/* One that was bound has an empty file below it. */
static int remove_bound(struct live *l, int dir, const char *name, struct err *err)
{
	cleanup_fd int fd = open_mount(l, err);
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !is_device(l, &st))
		return err_fail(err, ERR_CONFLICT,
				"what is mounted there by now is something else");
	r = mount_detach_by(l->fds_dir, fd, err);
	if (r >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	    !st.st_size)
		unlinkat(dir, name, 0);
	return r;
}

int live_remove_node(struct live *l, struct err *err)
{
	cleanup_free char *name = NULL;
	cleanup_fd int dir = open_node_dir(l, false, &name, err);
	struct stat st;

	if (dir < 0)
		return dir;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !is_device(l, &st))
		return err_fail(err, ERR_NOT_FOUND, "no such device is there");
	if (unlinkat(dir, name, 0) == 0)
		return 0;
	return errno == EBUSY ? remove_bound(l, dir, name, err)
			      : err_errno(err, errno, "removing it");
}

int live_clone(struct live *l, struct err *err)
{
	cleanup_fd int dir =
	    path_open_in(l->in.root, l->m->destination, O_PATH | O_DIRECTORY, 0, err);

	if (dir < 0)
		return dir;
	l->out_fd = mount_clone(dir, "", false, err);
	return l->out_fd < 0 ? l->out_fd : 0;
}

int live_look(struct live *l, struct err *err)
{
	struct err own = ERR_INIT;
	cleanup_fd int fd = open_mount(l, &own);
	struct stat st;

	if (fd < 0 && own.kind == ERR_NOT_FOUND)
		return 0;
	if (fd < 0 && err)
		*err = own;
	if (fd < 0)
		return fd;
	if (live_is_bind(l))
		return fstat(fd, &st) == 0 && is_source(l, &st);
	return check_mount(l, fd, NULL) == 0;
}

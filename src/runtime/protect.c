/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/path.h"
#include "runtime/init.h"
#include "sys/mount.h"

static bool is_null(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/* The device that covers files: the container's, or the host's where it has none. What is not
 * the null device is never used as one (CVE-2025-31133). */
static int open_null(const struct init *in, struct err *err)
{
	cleanup_fd int fd = path_open_in(in->root, "/dev/null", O_PATH, 0, NULL);

	if (is_null(fd))
		return take_fd(fd);
	fd_close(fd);
	fd = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (is_null(fd))
		return take_fd(fd);
	return err_fail(err, ERR_INVALID, "/dev/null is not the null device");
}

struct covers {
	int null_fd; /* O_PATH */
	int dir_fd;  /* mounted empty tmpfs */
};

/* Read-only, so that changing the mode of a covered file changes no device node. */
static int cover_file(const struct init *in, struct covers *c, int target, struct err *err)
{
	cleanup_fd int fd = -EBADF;
	int r;

	if (c->null_fd < 0)
		c->null_fd = open_null(in, err);
	if (c->null_fd < 0)
		return c->null_fd;
	fd = mount_clone(c->null_fd, "", false, err);
	if (fd < 0)
		return fd;
	r = mount_set(fd, "", false, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0,
		      0, -EBADF, err);
	return r < 0 ? r : mount_attach(fd, target, err);
}

static int cover_dir(const struct init *in, struct covers *c, int target, struct err *err)
{
	const char *label = in->spec->linux_->mount_label;
	const struct mount_option options[] = { { "nr_inodes", "2" },
						{ "mode", "755" },
						{ "context", label } };
	size_t n = ARRAY_SIZE(options) - (label && label[0] ? 0 : 1);
	const unsigned int attrs =
	    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	bool first = c->dir_fd < 0;
	cleanup_fd int fd = -EBADF;
	int r;

	/* One filesystem for all: the first is attached, which kernels before 6.15 want, and the
	 * others are clones of it. */
	fd = first ? mount_new("tmpfs", "tmpfs", options, n, attrs, err)
		   : mount_clone(c->dir_fd, "", false, err);
	if (fd < 0)
		return fd;
	r = mount_attach(fd, target, err);
	if (r >= 0 && first)
		c->dir_fd = take_fd(fd);
	return r;
}

static int mask_path(const struct init *in, struct covers *c, const char *path, struct err *err)
{
	cleanup_fd int target = -EBADF;
	struct stat st;
	int r;

	r = mount_open_path(in, path, &target, err);
	if (r < 0 || target < 0)
		return r;
	if (fstat(target, &st) < 0)
		return err_errno(err, errno, "reading %s", path);
	return S_ISDIR(st.st_mode) ? cover_dir(in, c, target, err) : cover_file(in, c, target, err);
}

static int readonly_path(const struct init *in, const char *path, struct err *err)
{
	cleanup_fd int target = -EBADF;
	cleanup_fd int fd = -EBADF;
	int r;

	r = mount_open_path(in, path, &target, err);
	if (r < 0 || target < 0)
		return r;
	fd = mount_clone(target, "", true, err);
	if (fd < 0)
		return fd;
	r = mount_set(fd, "", true, MOUNT_ATTR_RDONLY, 0, 0, -EBADF, err);
	return r < 0 ? r : mount_attach(fd, target, err);
}

int protect_paths(struct init *in, struct err *err)
{
	const struct spec_linux *l = in->spec->linux_;
	struct covers c = { .null_fd = -EBADF, .dir_fd = -EBADF };
	int r = 0;

	for (size_t i = 0; l->readonly_paths && l->readonly_paths[i] && r >= 0; i++) {
		r = readonly_path(in, l->readonly_paths[i], err);
		if (r < 0)
			err_wrap(err, r, "making %s read-only", l->readonly_paths[i]);
	}
	for (size_t i = 0; l->masked_paths && l->masked_paths[i] && r >= 0; i++) {
		r = mask_path(in, &c, l->masked_paths[i], err);
		if (r < 0)
			err_wrap(err, r, "masking %s", l->masked_paths[i]);
	}
	fd_close(c.null_fd);
	fd_close(c.dir_fd);
	return r;
}

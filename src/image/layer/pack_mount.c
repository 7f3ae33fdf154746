/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/pack_mount.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

#include "base/fd.h"
#include "image/layer/result.h"
#include "sys/mount.h"

/* An unprivileged user's overlay takes directories of a mount namespace of the user namespace only
 * (kernel >= 5.14). */
static int enter_namespace(struct err *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_errno(err, errno, "making a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_errno(err, errno, "making mounts private");
	return 0;
}

static int mount_layers(const int *fds, size_t n, bool attach, bool userns, struct err *err)
{
	const struct mount_layers layers = { .lower_fds = fds,
					     .n_lower = n,
					     .upper_fd = -EBADF,
					     .work_fd = -EBADF,
					     .userxattr = userns };
	cleanup_fd int root = -EBADF;

	/* A single layer is the tree itself; overlayfs wants two. */
	if (n == 1) {
		int fd = openat(fds[0], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return fd < 0 ? err_errno(err, errno, "opening a layer") : fd;
	}
	cleanup_fd int fd =
	    mount_overlay(&layers, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID, err);
	if (fd < 0)
		return fd;
	if (!attach)
		return take_fd(fd);
	/* What is attached nowhere can't be cloned before 6.15. */
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_errno(err, errno, "opening /");
	int r = mount_attach(fd, root, err);
	return r < 0 ? r : take_fd(fd);
}

int pack_mount(int *dir_fd, size_t n_layers, bool with_dir, bool userns, struct err *err)
{
	size_t n = 0, total = n_layers + with_dir;
	cleanup_free int *fds = xcalloc(total + 1, sizeof(*fds));

	int r = enter_namespace(err);
	if (r == 0) {
		r = mount_reopen(*dir_fd, err);
		if (r >= 0) {
			fd_close(*dir_fd);
			*dir_fd = r;
		}
	}
	if (r >= 0 && with_dir)
		fds[n++] = *dir_fd;
	for (size_t i = 0; r >= 0 && i < n_layers; i++) {
		r = mount_reopen(LAYER_FD_LOWER + (int)i, err);
		fd_close(LAYER_FD_LOWER + (int)i);
		if (r >= 0)
			fds[n++] = r;
	}
	if (r >= 0)
		r = mount_layers(fds, n, with_dir, userns, err);
	for (size_t i = with_dir; i < n; i++)
		fd_close(fds[i]);
	return r < 0 ? err_wrap(err, r, "mounting the container's layers") : r;
}

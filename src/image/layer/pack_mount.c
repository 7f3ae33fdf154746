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

/* The directory in this namespace, and as a mount of its own where its ids are to be mapped. */
static int reopen_dir(int *dir_fd, int idmap_fd, struct err *err)
{
	cleanup_fd int here = mount_reopen(*dir_fd, err);
	int r = here < 0 ? here : 0;

	if (r == 0 && idmap_fd >= 0) {
		cleanup_fd int mapped = mount_clone(here, "", false, err);
		r = mapped < 0 ? mapped : mount_set(mapped, "", false, 0, 0, 0, idmap_fd, err);
		if (r == 0) {
			fd_close(here);
			here = take_fd(mapped);
		}
	}
	if (r == 0) {
		fd_close(*dir_fd);
		*dir_fd = take_fd(here);
	}
	return r;
}

int pack_mount(int *dir_fd, const struct pack_layers *layers, struct err *err)
{
	size_t n = 0, first = layers->with_dir ? 1 : 0;
	cleanup_free int *fds = xcalloc(layers->n + first + 1, sizeof(*fds));

	int r = enter_namespace(err);
	if (r == 0)
		r = reopen_dir(dir_fd, layers->with_dir ? layers->idmap_fd : -EBADF, err);
	if (r >= 0 && layers->with_dir)
		fds[n++] = *dir_fd;
	for (size_t i = 0; r >= 0 && i < layers->n; i++) {
		r = mount_reopen(LAYER_FD_LOWER + (int)i, err);
		fd_close(LAYER_FD_LOWER + (int)i);
		if (r >= 0)
			fds[n++] = r;
	}
	if (r >= 0)
		r = mount_layers(fds, n, layers->with_dir, layers->userns, err);
	for (size_t i = first; i < n; i++)
		fd_close(fds[i]);
	return r < 0 ? err_wrap(err, r, "mounting the container's layers") : r;
}

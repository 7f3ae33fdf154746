/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/init.h"
#include "sys/mount.h"
#include "sys/ns.h"
#include "sys/uapi.h"

static bool joined_mount_ns(const struct init *in)
{
	return (in->joined_ns & CLONE_NEWNS) != 0;
}

static uint64_t wanted_propagation(const struct init *in, bool *ret_recursive)
{
	const char *word = in->spec->linux_->rootfs_propagation;
	uint64_t flag = 0;

	*ret_recursive = true;
	if (word && word[0] && mount_propagation_parse(word, &flag, ret_recursive))
		return flag;
	return 0;
}

/*
 * Before anything is mounted: nothing done here may reach the host. Slave is the default, so that
 * what the host mounts later below a bind's source can arrive; with "shared" the binds stay in the
 * host's peer groups and pass mounts both ways, which is what was asked for.
 */
int rootfs_isolate(struct init *in, struct err *err)
{
	bool recursive;
	uint64_t flag = wanted_propagation(in, &recursive);
	int r;

	if (joined_mount_ns(in))
		return 0;
	if (flag == 0 || flag == MS_UNBINDABLE) {
		flag = MS_SLAVE;
		recursive = true;
	}
	r = mount_set(AT_FDCWD, "/", recursive, 0, 0, flag, -EBADF, err);
	if (r < 0 || flag != MS_SHARED)
		return r;
	/* The root filesystem is attached here: that must stay in this namespace. */
	return mount_set(AT_FDCWD, "/", false, 0, 0, MS_PRIVATE, -EBADF, err);
}

/* An unprivileged user's overlay can be mounted inside the user namespace only, and takes
 * directories of the mount namespace there only (kernel >= 5.14). */
int rootfs_reopen(struct init *in, struct err *err)
{
	const struct mount_layers *o = in->args->overlay;
	struct mount_layers *here;
	int *lower, r = 0;

	if (!o || in->rootfs_fd >= 0 || in->reopened)
		return 0;
	lower = xcalloc(o->n_lower + 1, sizeof(*lower));
	here = in->reopened = xcalloc(1, sizeof(*here));
	*here = *o;
	here->lower_fds = lower;
	here->n_lower = 0;
	here->upper_fd = o->upper_fd < 0 ? -EBADF : (r = mount_reopen(o->upper_fd, err));
	here->work_fd = o->work_fd < 0 || r < 0 ? -EBADF : (r = mount_reopen(o->work_fd, err));
	for (; here->n_lower < o->n_lower && r >= 0; here->n_lower++)
		r = lower[here->n_lower] = mount_reopen(o->lower_fds[here->n_lower], err);
	return r < 0 ? r : 0;
}

/* The init ends, or closes them before its program runs. */
static int overlay_here(struct init *in, struct err *err)
{
	struct mount_layers *here;
	int r = rootfs_reopen(in, err);

	if (r < 0)
		return r;
	here = in->reopened;
	r = mount_overlay(here, 0, err);
	fd_close(here->upper_fd);
	fd_close(here->work_fd);
	for (size_t i = 0; i < here->n_lower; i++)
		fd_close(here->lower_fds[i]);
	free((int *)here->lower_fds);
	free(take_ptr(in->reopened));
	return r;
}

const char *const container_given[] = {
	"upper",     "hostname",         "hosts",           "resolv.conf", "localtime",
	"users/etc", "users/etc/passwd", "users/etc/group", NULL,
};

/* Only root of the user namespace can do so, and the first time it is us. */
static int give_files(int dir, struct err *err)
{
	for (const char *const *name = container_given; *name; name++)
		if (fchownat(dir, *name, 0, 0, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
			return err_errno(err, errno, "giving %s to the container's root", *name);
	return 0;
}

static int open_rootfs(struct init *in, int *ret_place, struct err *err)
{
	const struct mount_layers *o = in->args->overlay;
	int fd;

	if (in->args->give_fd > 0) {
		int r = give_files(in->args->give_fd, err);
		if (r < 0)
			return r;
	}
	if (o && in->rootfs_fd < 0)
		return overlay_here(in, err);
	if (in->rootfs_fd >= 0)
		fd = take_fd(in->rootfs_fd);
	else
		fd = -EBADF;
	if (o)
		return fd;
	*ret_place = open(in->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*ret_place < 0 && fd < 0)
		return err_errno(err, errno, "opening %s", in->rootfs);
	return fd >= 0 ? fd : mount_clone(*ret_place, "", true, err);
}

/*
 * The new root goes on top of its own directory, where hooks look for it. On top of "/" when it has
 * no directory (overlay), when its directory may be on a shared mount, or when there will be no
 * pivot_root(2) and the old tree must be covered.
 */
int rootfs_mount(struct init *in, struct err *err)
{
	cleanup_fd int place = -EBADF;
	cleanup_fd int fd = -EBADF;
	bool recursive;
	int r;

	fd = open_rootfs(in, &place, err);
	if (fd < 0)
		return fd;
	if (place < 0 || in->args->no_pivot || wanted_propagation(in, &recursive) == MS_SHARED) {
		fd_close(place);
		place = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (place < 0)
			return err_errno(err, errno, "opening /");
		/* pivot_root(2) takes no shared mount, which the clone of one is. */
		r = mount_set(fd, "", false, 0, 0, MS_PRIVATE, -EBADF, err);
		if (r < 0)
			return r;
	}
	r = mount_attach(fd, place, err);
	if (r < 0)
		return r;
	in->root = take_fd(fd);
	return 0;
}

static int late_readonly(struct init *in, struct err *err)
{
	for (size_t i = 0; i < in->spec->mounts.n; i++) {
		int *fd = &in->mounts[i].late_fd;
		int r;

		if (*fd < 0)
			continue;
		r = mount_set(*fd, "", false, MOUNT_ATTR_RDONLY, 0, 0, -EBADF, err);
		*fd = fd_close(*fd);
		if (r < 0)
			return err_wrap(err, r, "making %s read-only",
					in->spec->mounts.items[i].destination);
	}
	return 0;
}

int rootfs_finish_mounts(struct init *in, struct err *err)
{
	const char *cwd = in->spec->process->cwd;
	int r;

	/* A working directory that the image lacks is made; where that can't be, changing to it
	 * says why. */
	if (cwd && !str_eq(cwd, "/"))
		fd_close(path_mkdirs_in(in->root, cwd, 0755, NULL));
	r = late_readonly(in, err);
	if (r < 0 || !in->spec->root || !in->spec->root->readonly)
		return r;
	r = mount_set(in->root, "", false, MOUNT_ATTR_RDONLY, 0, 0, -EBADF, err);
	return r < 0 ? err_wrap(err, r, "making the root filesystem read-only") : 0;
}

bool rootfs_is_chroot(const struct init *in)
{
	return in->args->no_pivot || joined_mount_ns(in) || in->host_mnt_fd >= 0;
}

/*
 * The container shares the runtime's mount namespace, where nothing may be mounted. So its tree was
 * made in a namespace that only this process has; a copy of it that is attached nowhere goes along
 * to the shared one as the root directory, with no way up from it. Propagation means nothing there,
 * and what is unbindable could not be copied.
 */
static int enter_shared(struct init *in, struct err *err)
{
	cleanup_fd int tree = -EBADF;
	int r = mount_set(in->root, "", true, 0, 0, MS_PRIVATE, -EBADF, err);

	if (r < 0)
		return r;
	tree = mount_clone(in->root, "", true, err);
	if (tree < 0)
		return tree;
	r = ns_join(in->host_mnt_fd, CLONE_NEWNS, err);
	in->host_mnt_fd = fd_close(in->host_mnt_fd);
	if (r < 0)
		return r;
	if (fchdir(tree) < 0 || chroot(".") < 0)
		return err_errno(err, errno, "changing root (chroot)");
	return 0;
}

int rootfs_enter(struct init *in, struct err *err)
{
	bool recursive;
	uint64_t flag = wanted_propagation(in, &recursive);
	int r;

	if (in->host_mnt_fd >= 0) {
		flag = 0;
		r = enter_shared(in, err);
		if (r < 0)
			return r;
	} else if (rootfs_is_chroot(in)) {
		if (fchdir(in->root) < 0 || chroot(".") < 0)
			return err_errno(err, errno, "changing root (chroot)");
	} else {
		r = mount_pivot(in->root, err);
		if (r < 0)
			return r;
	}
	if (flag && flag != MS_PRIVATE) {
		r = mount_set(in->root, "", recursive, 0, 0, flag, -EBADF, err);
		if (r < 0)
			return err_wrap(err, r, "setting linux.rootfsPropagation");
	}
	in->root = fd_close(in->root);
	umask(in->spec->process->user.umask.set ? (mode_t)in->spec->process->user.umask.value
						: 0022);
	return 0;
}

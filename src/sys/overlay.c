/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overlays that fsconfig(2) can't make: mount(2) takes a page of options, but mounts at a place,
 * and overlayfs takes directories of its own mount namespace only (kernel >= 5.14). So a child that
 * shares memory and fds with us enters a copy of our mount namespace, attaches the layers to a
 * tmpfs there under short names, mounts the overlay beside them and takes a detached clone of it.
 * All the rest goes away with the child.
 */
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/util.h"
#include "sys/mount.h"

#define STACK_SIZE (64UL * 1024)
#define DATA_MAX   4095 /* of mount(2) */
#define NAME_SIZE  24

struct apart {
	const struct mount_layers *layers;
	int *detached; /* the lower layers as mounts that can be moved */
	unsigned int attrs;
	int result;
	struct err *err;
};

int mount_reopen(int fd, struct err *err)
{
	char target[PATH_MAX], link[FD_PATH_MAX];
	cleanup_fd int here = -EBADF;
	struct stat a, b;
	ssize_t n;

	n = readlinkat(AT_FDCWD, fd_proc_path(fd, link), target, sizeof(target) - 1);
	if (n < 0)
		return err_errno(err, errno, "finding the path of a layer");
	target[n] = '\0';
	here = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (here < 0 || fstat(here, &a) < 0 || fstat(fd, &b) < 0)
		return err_errno(err, errno, "opening layer %s", target);
	if (a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return err_fail(err, ERR_CONFLICT, "opening layer %s: it was replaced", target);
	return take_fd(here);
}

/* A tmpfs as working directory that nobody else will ever see. */
static int enter_scratch(struct err *err)
{
	static const struct mount_option mode = { "mode", "0700" };
	cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int tmpfs = -EBADF;
	int r;

	if (root < 0)
		return err_errno(err, errno, "opening /");
	/* What is mounted on "/" must not propagate to where the namespace was copied from. */
	r = mount_set(root, "", false, 0, 0, MS_PRIVATE, -EBADF, err);
	if (r < 0)
		return r;
	tmpfs = mount_new("tmpfs", "tmpfs", &mode, 1, 0, err);
	if (tmpfs < 0)
		return tmpfs;
	r = mount_attach(tmpfs, root, err);
	if (r >= 0 && fchdir(tmpfs) < 0)
		r = err_errno(err, errno, "entering a tmpfs");
	return r;
}

static int make_dir(const char *name, struct err *err)
{
	int fd = -1;

	if (mkdirat(AT_FDCWD, name, 0700) == 0)
		fd = openat(AT_FDCWD, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_errno(err, errno, "making a directory for an overlay") : fd;
}

static int attach_lowers(const struct apart *a, struct err *err)
{
	char name[NAME_SIZE];
	int r = 0;

	for (size_t i = 0; i < a->layers->n_lower && r >= 0; i++) {
		int given = a->layers->lower_fds[i];
		cleanup_fd int dir = -EBADF;

		snprintf(name, sizeof(name), "%zu", i);
		dir = make_dir(name, err);
		if (dir < 0)
			return dir;
		r = mount_attach(a->detached[i] < 0 ? given : a->detached[i], dir, err);
	}
	return r;
}

/* "lowerdir=0:1:2,upperdir=...". The layers' limit keeps it well below DATA_MAX. */
static void write_data(char data[DATA_MAX + 1], const struct mount_layers *l, int upper, int work)
{
	char path[FD_PATH_MAX];
	size_t len = (size_t)snprintf(data, DATA_MAX, "lowerdir=");

	for (size_t i = 0; i < l->n_lower; i++)
		len += (size_t)snprintf(data + len, DATA_MAX - len, "%s%zu", i ? ":" : "", i);
	if (upper >= 0) {
		len += (size_t)snprintf(data + len, DATA_MAX - len, ",upperdir=%s",
					fd_proc_path(upper, path));
		len += (size_t)snprintf(data + len, DATA_MAX - len, ",workdir=%s",
					fd_proc_path(work, path));
	}
	for (size_t i = 0; i < MOUNT_OVERLAY_FIXED; i++)
		len += (size_t)snprintf(data + len, DATA_MAX - len, ",%s=%s",
					mount_overlay_fixed[i].key, mount_overlay_fixed[i].value);
	snprintf(data + len, DATA_MAX - len, "%s%s", l->userxattr ? ",userxattr" : "",
		 l->throw_away && l->upper_fd >= 0 ? ",volatile" : "");
}

static int mount_here(const struct apart *a, struct err *err)
{
	const struct mount_layers *l = a->layers;
	char data[DATA_MAX + 1];
	cleanup_fd int upper = -EBADF;
	cleanup_fd int work = -EBADF;
	cleanup_fd int place = make_dir("overlay", err);
	cleanup_fd int fd = -EBADF;

	if (place < 0)
		return place;
	if (l->upper_fd >= 0) {
		upper = mount_reopen(l->upper_fd, err);
		work = upper < 0 ? upper : mount_reopen(l->work_fd, err);
		if (work < 0)
			return work;
	}
	write_data(data, l, upper, work);
	if (mount("overlay", "overlay", "overlay", 0, data) < 0)
		return err_errno(err, errno, "mounting overlay of %zu layers", l->n_lower);
	if (l->part) {
		cleanup_fd int top = open("overlay", O_PATH | O_CLOEXEC);

		fd = top < 0 ? err_errno(err, errno, "opening an overlay")
			     : mount_overlay_part(top, l, err);
	} else {
		fd = mount_clone(AT_FDCWD, "overlay", false, err);
	}
	if (fd < 0 || !a->attrs)
		return take_fd(fd);
	int r = mount_set(fd, "", false, a->attrs, 0, 0, -EBADF, err);
	return r < 0 ? r : take_fd(fd);
}

static int child_main(void *arg)
{
	struct apart *a = arg;
	int r = enter_scratch(a->err);

	if (r >= 0)
		r = attach_lowers(a, a->err);
	a->result = r < 0 ? r : mount_here(a, a->err);
	syscall(SYS_exit_group, 0); /* no exit handlers, which are the parent's */
	return 0;
}

/* Like vfork(2), but on a stack of its own. No SIGCHLD at its end: the caller may count those. */
static int run_child(struct apart *a)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = STACK_SIZE + page; /* the lowest page stays unusable */
	char *stack = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	sigset_t all, old;
	pid_t pid = -1;

	if (stack == MAP_FAILED)
		return err_errno(a->err, errno, "allocating a stack");
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	if (mprotect(stack + page, STACK_SIZE, PROT_READ | PROT_WRITE) == 0)
		pid = clone(child_main, stack + size,
			    CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_NEWNS, a);
	if (pid < 0)
		a->result = err_errno(a->err, errno, "making a mount namespace for an overlay");
	else
		NO_EINTR(waitpid(pid, NULL, __WALL));
	sigprocmask(SIG_SETMASK, &old, NULL);
	munmap(stack, size);
	return a->result;
}

int mount_overlay_apart(const struct mount_layers *layers, unsigned int attrs, struct err *err)
{
	struct apart a = {
		.layers = layers,
		.detached = xcalloc(layers->n_lower + 1, sizeof(int)),
		.attrs = attrs,
		.result = -EIO,
		.err = err,
	};
	size_t n = 0;
	int r = 0;

	/* Only from here: before 6.15 a mount is cloned in its own namespace only. Those that are
	 * detached already are refused (EINVAL) and moved themselves. */
	for (; n < layers->n_lower && (r >= 0 || r == -EINVAL); n++)
		r = a.detached[n] = mount_clone(layers->lower_fds[n], "", false, err);
	if (r >= 0 || r == -EINVAL)
		r = run_child(&a);
	while (n > 0)
		fd_close(a.detached[--n]);
	free(a.detached);
	return r;
}

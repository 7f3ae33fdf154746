/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that becomes criu. It has a mount namespace of its own, in which the root filesystem
 * is mounted where criu wants it: on a directory that nothing else is mounted on. It is in the
 * container's cgroups, as what it makes is to be.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/checkpoint.h"
#include "runtime/mount_opts.h"
#include "runtime/sync.h"
#include "sys/mount.h"

#define FDS_ABOVE 64 /* out of the way of the numbers that criu gets */

static bool is_bind(const struct spec_mount *m)
{
	CLEANUP(mount_opts_done) struct mount_opts opts = { 0 };

	return str_eq(m->type, "bind") ||
	       (mount_opts_parse(m->options, &opts, NULL) >= 0 && opts.bind);
}

static bool is_below(const char *path, const char *dir)
{
	const char *rest = str_after(path, dir);

	return rest && (rest[0] == '/' || (rest[0] && dir[0] == '/' && !dir[1]));
}

/* What is inside a filesystem that criu makes comes with its contents. */
static bool is_made_by_criu(const struct spec *spec, size_t i)
{
	const struct spec_mount *m = &spec->mounts.items[i];

	if (str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2"))
		return true;
	for (size_t k = 0; k < i; k++) {
		const struct spec_mount *above = &spec->mounts.items[k];

		if (!is_bind(above) && is_below(m->destination, above->destination))
			return true;
	}
	return false;
}

static int make_mountpoint(const struct restore_child *c, int root, const struct spec_mount *m,
			   struct err *err)
{
	cleanup_free char *path = NULL;
	cleanup_fd int target = -EBADF;
	cleanup_fd int fd = -EBADF;
	struct stat st;

	if (!is_bind(m)) {
		target = path_mkdirs_in(root, m->destination, 0755, err);
		return target < 0 ? target : 0;
	}
	if (!m->source)
		return err_fail(err, ERR_INVALID, "a bind mount needs a source");
	path = m->source[0] == '/' ? xstrdup(m->source) : path_join(c->bundle, m->source);
	fd = mount_clone(AT_FDCWD, path, true, err);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return err_errno(err, errno, "reading %s", path);
	target = S_ISDIR(st.st_mode) ? path_mkdirs_in(root, m->destination, 0755, err)
				     : path_mkfile_in(root, m->destination, 0755, err);
	return target < 0 ? target : mount_attach(fd, target, err);
}

/* criu mounts on what is there: places that this root filesystem lacks are made as create makes
 * them, for mounts inside of bind mounts too. */
static int make_mountpoints(const struct restore_child *c, int root, struct err *err)
{
	for (size_t i = 0; i < c->spec->mounts.n; i++) {
		const struct spec_mount *m = &c->spec->mounts.items[i];
		int r;

		if (is_made_by_criu(c->spec, i))
			continue;
		r = make_mountpoint(c, root, m, err);
		if (r < 0)
			return err_wrap(err, r, "making the place for the mount at %s",
					m->destination);
	}
	return 0;
}

static int set_up_mounts(const struct restore_child *c, struct err *err)
{
	cleanup_fd int place = -EBADF;
	cleanup_fd int clean = -EBADF;
	cleanup_fd int root = -EBADF;
	int r;

	r = mount_set(AT_FDCWD, "/", true, 0, 0, MS_SLAVE, -EBADF, err);
	if (r < 0)
		return r;
	place = open(c->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (place < 0)
		return err_errno(err, errno, "opening %s", c->root);
	clean = mount_clone(AT_FDCWD, c->rootfs, true, err);
	root = clean < 0 ? clean : mount_clone(AT_FDCWD, c->rootfs, true, err);
	r = root < 0 ? root : mount_attach(root, place, err);
	if (r >= 0)
		r = make_mountpoints(c, root, err);
	if (r >= 0)
		r = mount_detach(root, err);
	return r < 0 ? r : mount_attach(clean, place, err);
}

static int join_cgroups(const struct restore_child *c, struct err *err)
{
	struct sync_msg msg;
	int r = sync_expect(c->sync, SYNC_CGROUP, &msg, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < msg.n_fds && r >= 0; i++)
		if (write(msg.fds[i], "0", 1) < 0)
			r = err_errno(err, errno, "joining the cgroup");
	sync_msg_done(&msg);
	return r;
}

/*
 * The processes read images themselves, some as root of their user namespace, to whom the directory
 * is closed. For them, and in this mount namespace only, it gets another mode: that of an overlay's
 * upper directory. What is made in it is lost.
 */
static int open_images(int dir, struct err *err)
{
	static const struct mount_option options[] = { { "mode", "755" } };
	struct mount_layers layers = { .lower_fds = &dir, .n_lower = 1 };
	cleanup_fd int tmpfs = mount_new("tmpfs", "tmpfs", options, ARRAY_SIZE(options), 0, err);
	cleanup_fd int upper = -EBADF;
	cleanup_fd int work = -EBADF;
	cleanup_fd int fd = -EBADF;
	int r = tmpfs < 0 ? tmpfs : mount_attach(tmpfs, dir, err);

	if (r < 0)
		return r;
	if (mkdirat(tmpfs, "upper", 0755) < 0 || mkdirat(tmpfs, "work", 0755) < 0)
		return err_errno(err, errno, "making directories in a tmpfs");
	upper = openat(tmpfs, "upper", O_PATH | O_DIRECTORY | O_CLOEXEC);
	work = openat(tmpfs, "work", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (upper < 0 || work < 0)
		return err_errno(err, errno, "opening directories in a tmpfs");
	layers.upper_fd = upper;
	layers.work_fd = work;
	fd = mount_overlay(&layers, 0, err);
	r = fd < 0 ? fd : mount_attach(fd, tmpfs, err);
	return r < 0 ? r : take_fd(fd);
}

/* criu mounts in its directories: they have to be those of its own mount namespace. */
static int place_fds(struct restore_child *c, struct err *err)
{
	int fds[RESTORE_NS_FD - CRIU_SOCKET + ARRAY_SIZE(c->ns_fds)];
	size_t n = 0;
	int pair[2], r;

	r = criu_connection(pair, err);
	if (r < 0)
		return r;
	r = sync_send(c->sync, SYNC_CRIU, 0, &pair[0], 1);
	if (r < 0)
		return err_errno(err, -r, "handing on the connection to criu");
	fds[n++] = pair[1];
	fds[n++] = mount_reopen(c->dirs.images, err);
	fds[n++] = mount_reopen(c->dirs.work, err);
	if (fds[1] < 0 || fds[2] < 0)
		return -EINVAL;
	if (spec_namespace_find(c->spec, NS_USER)) {
		fds[1] = open_images(fds[1], err);
		if (fds[1] < 0)
			return err_wrap(err, fds[1], "opening the images to a user namespace");
	}
	for (size_t i = 0; i < c->n_ns; i++)
		fds[n++] = c->ns_fds[i];
	c->sync = fd_dup(c->sync, FDS_ABOVE);
	for (size_t i = 0; i < n && c->sync >= 0; i++)
		fds[i] = fd_dup(fds[i], FDS_ABOVE);
	for (size_t i = 0; i < n; i++)
		if (c->sync < 0 || fds[i] < 0 || dup2(fds[i], CRIU_SOCKET + (int)i) < 0)
			return err_errno(err, errno, "placing file descriptors");
	fd_cloexec_from(CRIU_SOCKET + (unsigned int)n);
	return 0;
}

static int become_criu(struct restore_child *c, struct err *err)
{
	char name[] = "criu", verb[] = "swrk", number[] = "3";
	char *argv[] = { name, verb, number, NULL };
	sigset_t none;
	int r;

	fd_close(c->sync_parent);
	r = set_up_mounts(c, err);
	if (r >= 0)
		r = join_cgroups(c, err);
	if (r >= 0)
		r = place_fds(c, err);
	if (r < 0)
		return r;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(c->program, argv, environ);
	return err_errno(err, errno, "executing %s", c->program);
}

_Noreturn void restore_child_main(struct restore_child *c)
{
	struct err err = ERR_INIT;

	become_criu(c, &err);
	sync_send_error(c->sync, &err);
	_exit(1);
}

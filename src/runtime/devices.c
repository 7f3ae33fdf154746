/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/console.h"
#include "runtime/init.h"
#include "runtime/sync.h"
#include "sys/dev.h"
#include "sys/mount.h"
#include "sys/tty.h"

struct node {
	const char *path;
	mode_t type;
	dev_t rdev;
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

#define CHAR_DEV(path, major, minor)                                                               \
	{                                                                                          \
		path, S_IFCHR, (dev_t)((major) << 8 | (minor)), 0666, 0, 0                         \
	}
/* runtime-spec config-linux.md, "Default Devices". */
static const struct node default_nodes[] = {
	CHAR_DEV("/dev/null", 1, 3),   CHAR_DEV("/dev/zero", 1, 5),    CHAR_DEV("/dev/full", 1, 7),
	CHAR_DEV("/dev/random", 1, 8), CHAR_DEV("/dev/urandom", 1, 9), CHAR_DEV("/dev/tty", 5, 0),
};

static const struct {
	const char *name, *target;
} links[] = {
	{ "fd", "/proc/self/fd" },
	{ "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" },
	{ "stderr", "/proc/self/fd/2" },
};

/* A bind of the host's node of the same path, checked to be that device. */
static int bind_node(const struct init *in, const struct node *n, struct err *err)
{
	cleanup_fd int source = open(n->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	cleanup_fd int target = -EBADF;
	cleanup_fd int fd = -EBADF;
	struct stat st;

	if (source < 0 || fstat(source, &st) < 0)
		return err_errno(err, errno, "opening the host's device");
	if ((st.st_mode & S_IFMT) != n->type || st.st_rdev != n->rdev)
		return err_fail(err, ERR_INVALID, "the host's node of this path is another device");
	target = path_mkfile_in(in->root, n->path, 0644, err);
	if (target < 0)
		return target;
	if (fstat(target, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == n->rdev)
		return 0;
	fd = mount_clone(source, "", false, err);
	return fd < 0 ? fd : mount_place(n->path, fd, target, err);
}

static int make_node(const struct init *in, const struct node *n, struct err *err)
{
	cleanup_free char *name = NULL;
	cleanup_fd int dir = -EBADF;
	struct err first = ERR_INIT;
	int r;

	if (in->mapped && n->type != S_IFIFO)
		return bind_node(in, n, err);
	dir = path_parent_in(in->root, n->path, true, &name, err);
	if (dir < 0)
		return dir;
	r = dev_make(dir, name, n->type | n->mode, n->rdev, n->uid, n->gid, &first);
	if (r == -EPERM && n->type != S_IFIFO)
		return bind_node(in, n, err);
	if (r < 0 && err)
		*err = first;
	fd_close(r);
	return r < 0 ? r : 0;
}

static int node_of(const struct spec_device *d, struct node *ret, struct err *err)
{
	*ret = (struct node){
		.path = d->path,
		.type = d->type[0] == 'b'   ? S_IFBLK
			: d->type[0] == 'p' ? S_IFIFO
					    : S_IFCHR,
		.mode = d->file_mode.set ? d->file_mode.value & 07777 : 0666,
		.uid = d->uid.set ? d->uid.value : 0,
		.gid = d->gid.set ? d->gid.value : 0,
	};
	if (ret->type == S_IFIFO)
		return 0;
	if (!d->major.set || !d->minor.set || d->major.value < 0 || d->minor.value < 0)
		return err_fail(err, ERR_INVALID, "major and minor are needed");
	ret->rdev = makedev((unsigned int)d->major.value, (unsigned int)d->minor.value);
	return 0;
}

static int make_links(const struct init *in, struct err *err)
{
	cleanup_fd int dev = path_mkdirs_in(in->root, "/dev", 0755, err);
	struct stat st;

	if (dev < 0)
		return dev;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlinkat(links[i].target, dev, links[i].name) < 0 && errno != EEXIST)
			return err_errno(err, errno, "linking /dev/%s", links[i].name);
	if (symlinkat("pts/ptmx", dev, "ptmx") == 0)
		return 0;
	if (errno != EEXIST)
		return err_errno(err, errno, "linking /dev/ptmx");
	/* An image's own node would be a terminal of another devpts. */
	if (fstatat(dev, "ptmx", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
		return 0;
	if (unlinkat(dev, "ptmx", 0) < 0 && errno != EBUSY)
		return err_errno(err, errno, "replacing /dev/ptmx");
	if (symlinkat("pts/ptmx", dev, "ptmx") < 0 && errno != EEXIST)
		return err_errno(err, errno, "linking /dev/ptmx");
	return 0;
}

/* A bind of somebody's /dev is taken as it is. */
static bool dev_is_bound(const struct init *in)
{
	for (size_t i = 0; i < in->spec->mounts.n; i++) {
		const struct spec_mount *m = &in->spec->mounts.items[i];
		cleanup_free char *clean = path_clean(m->destination);

		if (str_eq(clean, "/dev") && (in->mounts[i].opts.bind || str_eq(m->type, "bind")))
			return true;
	}
	return false;
}

int devices_make(struct init *in, struct err *err)
{
	const struct spec_linux *l = in->spec->linux_;
	int r;

	if (dev_is_bound(in))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(default_nodes); i++) {
		bool configured = false;

		for (size_t k = 0; k < l->devices.n; k++)
			configured |= str_eq(l->devices.items[k].path, default_nodes[i].path);
		r = configured ? 0 : make_node(in, &default_nodes[i], err);
		if (r < 0)
			return err_wrap(err, r, "making device %s", default_nodes[i].path);
	}
	for (size_t i = 0; i < l->devices.n; i++) {
		struct node n;

		r = node_of(&l->devices.items[i], &n, err);
		if (r >= 0)
			r = make_node(in, &n, err);
		if (r < 0)
			return err_wrap(err, r, "making device %s", l->devices.items[i].path);
	}
	return make_links(in, err);
}

/* The pty comes from the container's own devpts; /dev/console is a bind of the slave, through its
 * fd (CVE-2025-52565). */
int devices_console(struct init *in, struct err *err)
{
	const struct spec_process *p = in->spec->process;
	cleanup_fd int pts = -EBADF;
	cleanup_fd int master = -EBADF;
	cleanup_fd int target = -EBADF;
	cleanup_fd int mount = -EBADF;
	int r;

	if (!p->terminal)
		return 0;
	pts = path_open_in(in->root, "/dev/pts", O_PATH | O_DIRECTORY, 0, err);
	if (pts < 0)
		return pts;
	r = tty_open_pair(pts, &master, &in->console, err);
	if (r < 0)
		return err_hint(err, r, "a terminal needs a devpts mount at /dev/pts");
	console_set_size(p, master);
	r = sync_send(in->sync, SYNC_CONSOLE, 0, &master, 1);
	if (r < 0)
		return err_errno(err, -r, "handing out the terminal");
	target = path_mkfile_in(in->root, "/dev/console", 0620, err);
	if (target < 0)
		return target;
	mount = mount_clone(in->console, "", false, err);
	return mount < 0 ? mount : mount_place("/dev/console", mount, target, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/copyup.h"
#include "runtime/init.h"
#include "sys/mount.h"
#include "sys/uapi.h"
#include "sys/xattr.h"

static int finish(struct init *in, const struct spec_mount *m, const struct mount_opts *o, int fd,
		  struct err *err)
{
	cleanup_fd int target = str_eq(m->type, "sysfs")
				    ? mount_target_plain(in, m->destination, err)
				    : mount_target(in, m->destination, true, err);
	int r;

	if (target < 0)
		return target;
	r = mount_apply_opts(fd, o, false, err);
	return r < 0 ? r : mount_place_spec(in, m, fd, target, err);
}

/* The host's own mount, where a user namespace may not make one: it shows nothing that the
 * container's processes, which share that namespace of the host, could not see anyway. */
static int bind_host(struct init *in, const struct spec_mount *m, const struct mount_opts *o,
		     const char *path, struct err *err)
{
	cleanup_fd int fd = mount_clone(AT_FDCWD, path, true, err);
	int r;

	if (fd < 0)
		return fd;
	if (o->set) {
		r = mount_set(fd, "", true, o->set & ~(uint64_t)MOUNT_ATTR__ATIME, 0, 0, -EBADF,
			      err);
		if (r < 0)
			return r;
	}
	return finish(in, m, o, fd, err);
}

/* SELinux refuses one label for all of an mqueue: as with runc and crun its directory gets it. */
static int label_root(const struct init *in, const struct spec_mount *m, int fd, struct err *err)
{
	const char *label = in->spec->linux_->mount_label;
	int r;

	if (!label || !label[0] || !str_eq(m->type, "mqueue"))
		return 0;
	r = xattr_set(fd, "security.selinux", label, strlen(label));
	if (r >= 0 || r == -EOPNOTSUPP) /* a policy without labels for it */
		return 0;
	return err_errno(err, -r, "applying SELinux label %s", label);
}

static int new_or_host(struct init *in, const struct spec_mount *m, struct mount_opts *o,
		       const char *host_path, struct err *err)
{
	struct err first = ERR_INIT;
	cleanup_fd int fd = mount_new(m->type, m->source ? m->source : m->type, o->data, o->n_data,
				      (unsigned int)o->set, &first);

	if (fd == -EPERM && in->mapped)
		return bind_host(in, m, o, host_path, err);
	if (fd < 0) {
		if (err)
			*err = first;
		return fd;
	}
	int r = label_root(in, m, fd, err);
	return r < 0 ? r : finish(in, m, o, fd, err);
}

int mount_sysfs(struct init *in, const struct spec_mount *m, struct mount_opts *o, struct err *err)
{
	int r = init_join_netns(in, err);

	/* It shows the network devices of the namespace that it is mounted in. */
	return r < 0 ? r : new_or_host(in, m, o, "/sys", err);
}

int mount_mqueue(struct init *in, const struct spec_mount *m, struct mount_opts *o, struct err *err)
{
	return new_or_host(in, m, o, "/dev/mqueue", err);
}

int mount_devpts(struct init *in, const struct spec_mount *m, struct mount_opts *o, struct err *err)
{
	struct err first = ERR_INIT;
	cleanup_fd int fd =
	    mount_new("devpts", "devpts", o->data, o->n_data, (unsigned int)o->set, &first);

	/* The usual gid=5 (tty) does not exist where only one group is mapped. */
	if (fd == -EINVAL && in->mapped && mount_opts_data(o, "gid")) {
		mount_opts_remove_data(o, "gid");
		fd =
		    mount_new("devpts", "devpts", o->data, o->n_data, (unsigned int)o->set, &first);
	}
	if (fd < 0) {
		if (err)
			*err = first;
		return fd;
	}
	return finish(in, m, o, fd, err);
}

/* An existing directory gives its mode to the tmpfs over it, unless the options name one. */
static int tmpfs_target(struct init *in, const struct spec_mount *m, struct mount_opts *o,
			struct err *err)
{
	int fd = path_open_in(in->root, m->destination, O_PATH | O_DIRECTORY, 0, NULL);
	struct stat st;
	char mode[8];

	if (fd < 0)
		return mount_target(in, m->destination, true, err);
	if (!mount_opts_data(o, "mode") && fstat(fd, &st) == 0) {
		snprintf(mode, sizeof(mode), "%04o", (unsigned int)st.st_mode & 07777);
		mount_opts_add_data(o, "mode", mode);
	}
	return fd;
}

int mount_tmpfs(struct init *in, const struct spec_mount *m, struct mount_opts *o, struct err *err)
{
	size_t i = (size_t)(m - in->spec->mounts.items);
	cleanup_fd int target = -EBADF;
	cleanup_fd int fd = -EBADF;
	int r;

	target = tmpfs_target(in, m, o, err);
	if (target < 0)
		return target;
	fd = mount_new("tmpfs", m->source ? m->source : "tmpfs", o->data, o->n_data,
		       (unsigned int)(o->set & ~(uint64_t)MOUNT_ATTR_RDONLY), err);
	if (fd < 0)
		return fd;
	if (o->tmpcopyup) {
		r = copyup(target, fd, err);
		if (r < 0)
			return r;
	}
	r = mount_apply_opts(fd, o, false, err);
	if (r >= 0)
		r = mount_place_spec(in, m, fd, target, err);
	/* Directories for what is mounted below it are still to be made. */
	if (r >= 0 && o->readonly)
		in->mounts[i].late_fd = take_fd(fd);
	return r;
}

int mount_plain(struct init *in, const struct spec_mount *m, struct mount_opts *o, struct err *err)
{
	cleanup_fd int fd = -EBADF;

	/* A filesystem on a device is not to be written at all (journal replay). */
	if (o->readonly)
		mount_opts_add_data(o, "ro", NULL);
	fd = mount_new(m->type, m->source, o->data, o->n_data, (unsigned int)o->set, err);
	return fd < 0 ? fd : finish(in, m, o, fd, err);
}

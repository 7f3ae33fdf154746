/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts of type cgroup: what the container sees is its own cgroup as the root, on every layout. */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/init.h"
#include "sys/cgroup.h"
#include "sys/mount.h"

/* The runtime has made the container's cgroup in all hierarchies that it has read. A unit's was not
 * there yet when the init was made. */
static bool place_known(const struct init *in)
{
	return in->cgroup && in->cgroup->pending && in->cgroup->rel_path && !in->rt->rootless;
}

/* A new mount shows the cgroup namespace's root. attrs are set in both cases. */
static int hierarchy_new(const struct cgroup_hierarchy *h, const struct mount_opts *o,
			 struct err *err)
{
	struct mount_option options[8];
	size_t n = 0;

	if (h->v2)
		return mount_new("cgroup2", "cgroup", NULL, 0, (unsigned int)o->set, err);
	for (size_t i = 0; h->controllers && h->controllers[i] && n + 1 < ARRAY_SIZE(options);
	     i++) {
		const char *name = str_after(h->controllers[i], "name=");

		if (name)
			options[n++] = (struct mount_option){ "none", NULL };
		options[n++] = (struct mount_option){ name ? "name" : h->controllers[i], name };
	}
	return mount_new("cgroup", "cgroup", options, n, (unsigned int)o->set, err);
}

/* Where this process is: for containers whose runtime could not make them a cgroup everywhere. */
static char *own_place(const struct cgroup_hierarchy *h)
{
	const char *below = h->own_path;

	/* The mount may show a part of the hierarchy only. */
	if (h->mount_root && !str_eq(h->mount_root, "/")) {
		const char *rest = str_after(h->own_path, h->mount_root);

		below = rest && (*rest == '/' || !*rest) ? rest : "";
	}
	return path_join(h->mount_point, below && *below ? below : "/");
}

/* A bind of the container's own directory, no peer of the host's mount (rootfsPropagation shared),
 * as a new one is not. */
static int hierarchy_bind(const struct init *in, const struct cgroup_hierarchy *h,
			  const struct mount_opts *o, struct err *err)
{
	cleanup_free char *path =
	    place_known(in) ? cgroup_path_in(h, in->cgroup->rel_path) : own_place(h);
	cleanup_fd int fd = mount_clone(AT_FDCWD, path, false, err);
	int r;

	if (fd < 0)
		return fd;
	r = mount_set(fd, "", false, o->set, o->clear, MS_PRIVATE, -EBADF, err);
	if (r >= 0)
		r = mount_apply_opts(fd, o, false, err);
	return r < 0 ? r : take_fd(fd);
}

static int hierarchy_mount(const struct init *in, const struct cgroup_hierarchy *h,
			   const struct mount_opts *o, struct err *err)
{
	int fd;

	/* On v1 both are mounts of one superblock, but for a new one the kernel visits all cgroups
	 * of cgroup2, each time: 1.2 ms of a start beside 1,000 containers. */
	if ((in->new_ns & CLONE_NEWCGROUP) && !h->v2 && place_known(in)) {
		fd = hierarchy_bind(in, h, o, err);
		if (fd != -ENOENT)
			return fd;
	}
	if (in->new_ns & CLONE_NEWCGROUP) {
		fd = hierarchy_new(h, o, in->mapped ? NULL : err);
		if (fd >= 0 || !in->mapped)
			return fd;
		/* Not permitted in this user namespace. */
	}
	return hierarchy_bind(in, h, o, err);
}

/* "cpu,cpuacct" is known by each of its names too. */
static int link_names(int dir, const char *name, const struct cgroup_hierarchy *h, struct err *err)
{
	for (size_t i = 0; h->controllers && h->controllers[i]; i++) {
		if (strchr(h->controllers[i], '=') || str_eq(h->controllers[i], name))
			continue;
		if (symlinkat(name, dir, h->controllers[i]) < 0 && errno != EEXIST)
			return err_errno(err, errno, "linking %s", h->controllers[i]);
	}
	return 0;
}

static int place_v1(const struct init *in, const struct cgroup_system *sys, int tmpfs,
		    const struct mount_opts *o, struct err *err)
{
	for (size_t i = 0; i < sys->n; i++) {
		const struct cgroup_hierarchy *h = &sys->h[i];
		const char *name = strrchr(h->mount_point, '/');
		cleanup_fd int target = -EBADF;
		cleanup_fd int fd = -EBADF;
		int r;

		if (h->v2 || !name || !name[1])
			continue;
		name++;
		fd = hierarchy_mount(in, h, o, err);
		if (fd == -ENOENT)
			continue; /* a hierarchy without a cgroup of the container */
		if (fd < 0)
			return err_wrap(err, fd, "%s", name);
		if (mkdirat(tmpfs, name, 0555) < 0 && errno != EEXIST)
			return err_errno(err, errno, "making %s", name);
		target = openat(tmpfs, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (target < 0)
			return err_errno(err, errno, "opening %s", name);
		r = mount_attach(fd, target, err);
		if (r >= 0)
			r = link_names(tmpfs, name, h, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int mount_v1(struct init *in, const struct spec_mount *m, struct mount_opts *o,
		    const struct cgroup_system *sys, struct err *err)
{
	static const struct mount_option mode = { "mode", "755" };
	size_t i = (size_t)(m - in->spec->mounts.items);
	uint64_t attrs = o->set & ~(uint64_t)MOUNT_ATTR_RDONLY;
	cleanup_fd int target = mount_target(in, m->destination, true, err);
	cleanup_fd int fd = -EBADF;
	int r;

	if (target < 0)
		return target;
	fd = mount_new("tmpfs", "tmpfs", &mode, 1, (unsigned int)attrs, err);
	if (fd < 0)
		return fd;
	r = mount_place_spec(in, m, fd, target, err);
	if (r >= 0)
		r = place_v1(in, sys, fd, o, err);
	if (r >= 0 && o->readonly)
		in->mounts[i].late_fd = take_fd(fd);
	return r;
}

int mount_cgroup(struct init *in, const struct spec_mount *m, struct mount_opts *o, struct err *err)
{
	CLEANUP(cgroup_system_done) struct cgroup_system own = { 0 };
	const struct cgroup_system *sys = in->cgroup ? in->cgroup->pending : NULL;
	cleanup_fd int target = -EBADF;
	cleanup_fd int fd = -EBADF;
	int r;

	/* The place in the hierarchy must be final before it is shown. */
	r = init_join_cgroup(in, err);
	if (r >= 0 && !place_known(in)) {
		r = cgroup_system_read(&own, err);
		sys = &own;
	}
	if (r < 0)
		return r;
	if (sys->layout == CGROUP_NONE)
		return err_fail(err, ERR_UNSUPPORTED, "no cgroup hierarchy is mounted here");
	if (sys->layout != CGROUP_V2)
		return mount_v1(in, m, o, sys, err);
	fd = hierarchy_mount(in, &sys->h[0], o, err);
	if (fd < 0)
		return fd;
	target = mount_target(in, m->destination, true, err);
	return target < 0 ? target : mount_place_spec(in, m, fd, target, err);
}

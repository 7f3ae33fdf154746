/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/notify.h"
#include "runtime/prepare.h"
#include "runtime/state.h"
#include "sys/idmap.h"
#include "sys/mount.h"

static int make_idmap(const spec_id_maps *maps, struct idmap *ret, struct err *err)
{
	for (size_t i = 0; i < maps->n; i++) {
		const struct spec_id_map *m = &maps->items[i];

		if (idmap_add(ret, m->container_id, m->host_id, m->size) < 0)
			return err_fail(err, ERR_INVALID, "the id mappings overlap or wrap");
	}
	return 0;
}

static int userns_of(const spec_id_maps *uids, const spec_id_maps *gids, struct err *err)
{
	CLEANUP(idmap_done) struct idmap u = { 0 };
	CLEANUP(idmap_done) struct idmap g = { 0 };
	int r = make_idmap(uids, &u, err);

	if (r >= 0)
		r = make_idmap(gids, &g, err);
	return r < 0 ? r : idmap_userns_fd(&u, &g, err);
}

int prepare_write_maps(const struct init *in, pid_t pid, struct err *err)
{
	CLEANUP(idmap_done) struct idmap u = { 0 };
	CLEANUP(idmap_done) struct idmap g = { 0 };
	int r = make_idmap(&in->spec->linux_->uid_mappings, &u, err);

	if (r >= 0)
		r = make_idmap(&in->spec->linux_->gid_mappings, &g, err);
	if (r >= 0 && in->args->userns_above > 0)
		r = idmap_write_below(in->args->userns_above, pid, &u, &g, err);
	else if (r >= 0)
		r = idmap_write(pid, &u, &g, err);
	return r < 0 ? err_wrap(err, r, "writing the id mappings") : 0;
}

/* An fd of the user namespace whose mappings the container's mounts get. */
static int container_userns(const struct init *in, struct err *err)
{
	const struct spec_linux *l = in->spec->linux_;

	if (in->ns_fds[NS_USER] >= 0)
		return fd_dup(in->ns_fds[NS_USER], 0);
	if (!(in->new_ns & CLONE_NEWUSER))
		return err_fail(err, ERR_INVALID,
				"the option idmap needs uidMappings and gidMappings here or a user "
				"namespace");
	return userns_of(&l->uid_mappings, &l->gid_mappings, err);
}

static bool wants_idmap(const struct spec_mount *m, const struct mount_opts *o)
{
	return o->idmap || m->uid_mappings.n || m->gid_mappings.n;
}

static int apply_idmap(const struct init *in, const struct spec_mount *m,
		       const struct mount_opts *o, int fd, struct err *err)
{
	cleanup_fd int userns = -EBADF;

	userns = m->uid_mappings.n ? userns_of(&m->uid_mappings, &m->gid_mappings, err)
				   : container_userns(in, err);
	if (userns < 0)
		return userns;
	int r = mount_set(fd, "", o->rec_idmap, 0, 0, 0, userns, err);
	if (r == -EINVAL)
		return err_fail(err, ERR_UNSUPPORTED,
				"this kernel can't do that on its filesystem");
	return r;
}

/* Clones made out here are peers of the host's mounts. They become slaves as the init's own do, so
 * that nothing mounted in the container arrives here; with "shared" that is what was asked for, but
 * a user namespace never gets it. */
static int leave_host(const struct init *in, int fd, struct err *err)
{
	const char *word = in->spec->linux_->rootfs_propagation;

	if (!in->userns && (str_eq(word, "shared") || str_eq(word, "rshared")))
		return 0;
	return mount_set(fd, "", true, 0, 0, MS_SLAVE, -EBADF, err);
}

int prepare_bind(const struct init *in, const struct spec_mount *m, struct init_mount *im,
		 struct err *err)
{
	cleanup_fd int source = mount_open_source(in, m, &im->opts, err);
	int r;

	if (source < 0)
		return source;
	im->fd = mount_clone(source, "", im->opts.rec_bind, err);
	if (im->fd < 0)
		return im->fd;
	r = leave_host(in, im->fd, err);
	if (r < 0 || !wants_idmap(m, &im->opts))
		return r;
	r = apply_idmap(in, m, &im->opts, im->fd, err);
	return r < 0 ? err_wrap(err, r, "mapping the ids") : 0;
}

/*
 * An overlay for a user namespace: layers belong to the host's root, so they are id-mapped to the
 * container's; the writable layer keeps the container's ids as they are out here.
 */
static int prepare_overlay(struct init *in, struct err *err)
{
	const struct mount_layers *o = in->args->overlay;
	struct mount_layers mapped = *o;
	cleanup_fd int userns = container_userns(in, err);
	int *lower;
	size_t n = 0;
	int r = 0;

	if (userns < 0)
		return userns;
	lower = xcalloc(o->n_lower + 1, sizeof(*lower));
	for (; n < o->n_lower && r >= 0; n++) {
		lower[n] = mount_clone(o->lower_fds[n], "", false, err);
		r = lower[n] < 0 ? lower[n] : mount_set(lower[n], "", false, 0, 0, 0, userns, err);
	}
	mapped.lower_fds = lower;
	if (r >= 0)
		in->rootfs_fd = mount_overlay(&mapped, 0, err);
	while (n > 0)
		fd_close(lower[--n]);
	free(lower);
	return r < 0 ? r : in->rootfs_fd < 0 ? in->rootfs_fd : 0;
}

/*
 * Overlayfs takes directories of the mount namespace that it is mounted in only (kernel >= 5.14),
 * so ours has to be made here, before the init has a namespace of its own.
 */
static int prepare_plain_overlay(struct init *in, struct err *err)
{
	in->rootfs_fd = mount_overlay(in->args->overlay, 0, err);
	return in->rootfs_fd < 0 ? in->rootfs_fd : 0;
}

static int prepare_rootfs(struct init *in, struct err *err)
{
	cleanup_fd int userns = -EBADF;
	cleanup_fd int fd = -EBADF;
	int r;

	if (in->args->overlay)
		return in->userns ? prepare_overlay(in, err) : prepare_plain_overlay(in, err);
	fd = open(in->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "opening %s", in->rootfs);
	in->rootfs_fd = mount_clone(fd, "", true, err);
	if (in->rootfs_fd < 0)
		return in->rootfs_fd;
	r = leave_host(in, in->rootfs_fd, err);
	if (r < 0 || !in->args->rootfs_idmap)
		return r;
	userns = container_userns(in, err);
	return userns < 0 ? userns : mount_set(in->rootfs_fd, "", false, 0, 0, 0, userns, err);
}

/* Root in a user namespace may not pass directories that are root's out here. */
static bool prepares_all(const struct init *in)
{
	return in->userns && !in->rt->rootless;
}

/* The other container's /dev/shm was cloned in its mount namespace: nobody can do so out here. */
static int take_shm(const struct init *in, const struct spec_mount *m, struct init_mount *im,
		    struct err *err)
{
	if (in->args->shm_fd <= 0 || !str_eq(m->source, CONTAINER_SHM_OF_OTHER))
		return 0;
	im->fd = fd_dup(in->args->shm_fd, 3);
	return im->fd < 0 ? err_errno(err, -im->fd, "keeping the mount") : 1;
}

int prepare_notify(struct init *in, int state_dir, struct err *err)
{
	static char destination[] = NOTIFY_DIR, bind[] = "bind", ro[] = "ro", nosuid[] = "nosuid",
		    noexec[] = "noexec", nodev[] = "nodev";
	static char *const options[] = { bind, ro, nosuid, noexec, nodev, NULL };
	struct init_notify *n = &in->notify;
	cleanup_free char *dir = NULL;
	char path[FD_PATH_MAX];
	int r;

	dir = path_join(fd_proc_path(state_dir, path), STATE_NOTIFY);
	r = prepare_directory(NULL, dir, &n->mount.source, err);
	if (r >= 0)
		r = mount_opts_parse(options, &n->made.opts, err);
	n->mount.destination = destination;
	if (r < 0 || !prepares_all(in))
		return r;
	r = prepare_bind(in, &n->mount, &n->made, err);
	return r < 0 ? err_wrap(err, r, "mounting %s in container", destination) : 0;
}

int prepare_overlay_mount(const struct init *in, const struct spec_mount *m, struct init_mount *im,
			  struct err *err)
{
	cleanup_fd int userns = -EBADF;

	if (wants_idmap(m, &im->opts)) {
		userns = container_userns(in, err);
		if (userns < 0)
			return userns;
	}
	im->fd = mount_overlay_open(in, &im->opts, userns, err);
	return im->fd < 0 ? im->fd : 0;
}

static int prepare_one(struct init *in, const struct spec_mount *m, struct init_mount *im,
		       struct err *err)
{
	bool bind = (im->opts.bind || str_eq(m->type, "bind")) && !im->opts.remount;
	bool overlay = mount_is_overlay(m, &im->opts);
	int r;

	if (wants_idmap(m, &im->opts) && !bind && !overlay)
		return err_fail(err, ERR_UNSUPPORTED, "ids can be mapped for bind mounts only");
	r = bind ? take_shm(in, m, im, err) : 0;
	if (r != 0)
		return r;
	if (overlay && !in->rt->rootless)
		return prepare_overlay_mount(in, m, im, err);
	if (!bind || (!prepares_all(in) && !wants_idmap(m, &im->opts)))
		return 0;
	return prepare_bind(in, m, im, err);
}

int prepare_inside(struct init *in, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < in->spec->mounts.n; i++) {
		const struct spec_mount *m = &in->spec->mounts.items[i];
		struct init_mount *im = &in->mounts[i];

		if (im->fd >= 0 || im->opts.remount)
			continue;
		if (im->opts.bind || str_eq(m->type, "bind"))
			r = prepare_bind(in, m, im, err);
		else if (mount_is_overlay(m, &im->opts))
			r = prepare_overlay_mount(in, m, im, err);
		if (r < 0)
			return err_wrap(err, r, "mounting %s in container", m->destination);
	}
	if (!in->notify.mount.source || in->notify.made.fd >= 0)
		return 0;
	r = prepare_bind(in, &in->notify.mount, &in->notify.made, err);
	return r < 0 ? err_wrap(err, r, "mounting %s in container", NOTIFY_DIR) : 0;
}

int prepare_mounts(struct init *in, struct err *err)
{
	bool all = prepares_all(in);
	int r;

	r = all || (in->args->overlay && !in->rt->rootless) ? prepare_rootfs(in, err) : 0;
	if (r < 0)
		return err_wrap(err, r, "preparing the root filesystem");
	for (size_t i = 0; i < in->spec->mounts.n; i++) {
		const struct spec_mount *m = &in->spec->mounts.items[i];

		r = prepare_one(in, m, &in->mounts[i], err);
		if (r < 0)
			return err_wrap(err, r, "mounting %s in container", m->destination);
	}
	return 0;
}

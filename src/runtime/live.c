/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/live.h"

#include <sched.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "runtime/cgroup.h"
#include "runtime/live_internal.h"
#include "runtime/prepare.h"
#include "sys/ns.h"

int live_not_running(struct err *err)
{
	err_fail(err, ERR_CONFLICT, "container not running");
	return -ESRCH;
}

static int find_namespaces(struct live *l, struct err *err)
{
	cleanup_fd int fd = -EBADF;

	if (!spec_namespace_find(l->spec, NS_MOUNT) || l->st.chrooted)
		return err_fail(err, ERR_UNSUPPORTED,
				"the container has no mount namespace of its own");
	l->ns_flags = CLONE_NEWNS;
	if (!spec_namespace_find(l->spec, NS_USER))
		return 0;
	fd = ns_open_of(l->st.pub.pid, CLONE_NEWUSER, err);
	/* Its first process is still the runtime, which shows itself to root only; or it has gone.
	 */
	if (fd == -EACCES || fd == -ENOENT || fd == -ESRCH)
		return live_not_running(err);
	if (fd < 0)
		return fd;
	/* The kernel refuses to join the own one. */
	if (ns_is_own(fd, CLONE_NEWUSER) != 1)
		l->ns_flags |= CLONE_NEWUSER;
	l->in.new_ns = CLONE_NEWUSER; /* whose mappings "idmap" means */
	return 0;
}

int live_open(struct live *l, const char *id, struct err *err)
{
	cleanup_fd int dir = state_open(l->in.rt, id, 0, &l->st, err);

	if (dir < 0)
		return dir;
	if (l->st.pub.status == CONTAINER_STOPPED || l->st.pub.status == CONTAINER_CREATING)
		return live_not_running(err);
	l->pidfd = state_pidfd(&l->st);
	if (l->pidfd == -ESRCH)
		return live_not_running(err);
	if (l->pidfd < 0)
		return err_errno(err, -l->pidfd, "opening the container's process");
	l->in.bundle = xstrdup(l->st.pub.bundle);
	return find_namespaces(l, err);
}

static void note_source(struct live *l)
{
	cleanup_fd int fd = mount_open_source(&l->in, l->m, &l->im.opts, NULL);

	if (fd < 0 || fstat(fd, &l->source) < 0)
		l->source = (struct stat){ 0 };
}

static int prepare(struct live *l, struct err *err)
{
	int r = l->m ? mount_opts_parse(l->m->options, &l->im.opts, err) : 0;

	l->in.userns = l->ns_flags & CLONE_NEWUSER;
	l->in.mapped = l->in.userns || l->in.rt->rootless;
	if (r < 0 || !l->m)
		return r;
	mount_opts_add_label(&l->im.opts, l->m->type, l->spec->linux_->mount_label);
	if (live_is_overlay(l))
		return l->verb->adds && !l->in.rt->rootless
			   ? prepare_overlay_mount(&l->in, l->m, &l->im, err)
			   : 0;
	if (!live_is_bind(l))
		return str_eq(l->m->type, "tmpfs") || str_eq(l->m->type, "ramfs")
			   ? 0
			   : err_fail(err, ERR_UNSUPPORTED,
				      "it is no bind mount, overlay, tmpfs or ramfs");
	note_source(l);
	return l->verb->adds && !l->in.rt->rootless ? prepare_bind(&l->in, l->m, &l->im, err) : 0;
}

void live_done(struct live *l)
{
	state_done(&l->st);
	mount_opts_done(&l->im.opts);
	free(l->in.bundle);
	fd_close(l->im.fd);
	fd_close(l->out_fd);
	fd_close(l->pidfd);
}

static const struct live_verb mount_add = { "mounting", live_add, true };
static const struct live_verb mount_remove = { "unmounting", live_take_away, false };
static const struct live_verb mount_has = { "looking for", live_look, false };
static const struct live_verb mount_share = { "sharing", live_clone, false };
static const struct live_verb device_make = { "making device", live_make_node, false };
static const struct live_verb device_bind = { "making device", live_add, true };
static const struct live_verb device_remove = { "removing device", live_remove_node, false };

static int live_do(const struct live_verb *verb, const struct runtime *rt, const char *id,
		   const struct spec *spec, const struct spec_mount *m,
		   const struct spec_device *device, int *ret_fd, struct err *err)
{
	struct live l = {
		.verb = verb,
		.one = *spec,
		.spec = spec,
		.device = device,
		.im = { .fd = -EBADF, .late_fd = -EBADF },
		.pidfd = -EBADF,
		.out_fd = -EBADF,
		.fds_dir = -EBADF,
	};
	struct spec_mount copy = { 0 };
	int r;

	if (m) {
		copy = *m;
		l.m = &copy;
	}
	l.one.mounts.items = &copy;
	l.one.mounts.n = m ? 1 : 0;
	l.args = (struct create_args){ .id = id, .spec = &l.one };
	init_blank(&l.in, rt, &l.args);
	l.in.mounts = &l.im;
	l.in.admit = live_admit;
	l.in.admit_data = &l;
	r = live_open(&l, id, err);
	if (r >= 0)
		r = prepare(&l, err);
	if (r >= 0)
		r = live_in_child(&l, err);
	if (r >= 0 && ret_fd)
		*ret_fd = take_fd(l.out_fd);
	live_done(&l);
	return r < 0 ? err_wrap(err, r, "%s %s in container", verb->what,
				m ? m->destination : device->path)
		     : r;
}

int container_mount_add(const struct runtime *rt, const char *id, const struct spec *spec,
			const struct spec_mount *m, struct err *err)
{
	return live_do(&mount_add, rt, id, spec, m, NULL, NULL, err);
}

int container_mount_remove(const struct runtime *rt, const char *id, const struct spec *spec,
			   const struct spec_mount *m, struct err *err)
{
	return live_do(&mount_remove, rt, id, spec, m, NULL, NULL, err);
}

int container_mount_has(const struct runtime *rt, const char *id, const struct spec *spec,
			const struct spec_mount *m, struct err *err)
{
	return live_do(&mount_has, rt, id, spec, m, NULL, NULL, err);
}

int container_shm(const struct runtime *rt, const char *id, const struct spec *spec,
		  struct err *err)
{
	static char path[] = "/dev/shm", type[] = "tmpfs";
	const struct spec_mount m = { .destination = path, .type = type };
	int fd = -EBADF, r = live_do(&mount_share, rt, id, spec, &m, NULL, &fd, err);

	return r < 0 ? r : fd;
}

/* ---- devices ---- */

/* In a user namespace nobody makes one: the host's is bound, whose path it has. */
static int put_device(const struct runtime *rt, const char *id, const struct spec *spec,
		      const struct spec_device *d, struct err *err)
{
	static char type[] = "bind", bind[] = "bind", private[] = "rprivate";
	static char *options[] = { bind, private, NULL };
	const struct spec_mount m = {
		.destination = d->path,
		.type = type,
		.source = d->path,
		.options = options,
	};

	if (!spec_namespace_find(spec, NS_USER))
		return live_do(&device_make, rt, id, spec, NULL, d, NULL, err);
	return live_do(&device_bind, rt, id, spec, &m, d, NULL, err);
}

static int change_rule(const struct runtime *rt, const char *id, const struct spec *spec,
		       const struct spec_device_rule *rule, bool allow, struct err *err)
{
	const struct spec_resources *res = spec->linux_->resources;
	cleanup_state struct state st = { 0 };
	CLEANUP(cgroup_done) struct cgroup cg = { 0 };
	cleanup_fd int dir = -EBADF;
	int r;

	if (!res || !res->devices.n)
		return 0;
	dir = state_open(rt, id, 0, &st, err);
	r = dir < 0 ? dir : cgroup_open(st.pub.cgroup_paths, &cg, err);
	if (r < 0)
		return r;
	cg.rootless = rt->rootless;
	return cgroup_devices_change(&cg, res, rule, allow, err);
}

int container_device_add(const struct runtime *rt, const char *id, const struct spec *spec,
			 const struct spec_device *d, const struct spec_device_rule *rule,
			 struct err *err)
{
	int r = rule ? change_rule(rt, id, spec, rule, true, err) : 0;

	if (r < 0)
		return err_wrap(err, r, "making device %s in container", d->path);
	r = put_device(rt, id, spec, d, err);
	if (r < 0 && rule)
		change_rule(rt, id, spec, rule, false, NULL);
	return r < 0 ? r : 0;
}

int container_device_remove(const struct runtime *rt, const char *id, const struct spec *spec,
			    const struct spec_device *d, const struct spec_device_rule *rule,
			    struct err *err)
{
	int r = live_do(&device_remove, rt, id, spec, NULL, d, NULL, err);

	if (r < 0 || !rule)
		return r < 0 ? r : 0;
	r = change_rule(rt, id, spec, rule, false, err);
	return r < 0 ? err_wrap(err, r, "removing device %s from container", d->path) : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/prepare.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/seccomp_policy.h"
#include "sys/lsm.h"
#include "sys/ns.h"
#include "sys/uapi.h"

/* The kernel would call it a bad option of the filesystem. */
static int check_mount_label(const struct spec *s, struct err *err)
{
	const char *label = s->linux_->mount_label;

	if (!label || !label[0] || lsm_selinux_enabled())
		return 0;
	return err_fail(err, ERR_UNSUPPORTED,
			"linux.mountLabel: SELinux is not enabled on this machine");
}

static int check_namespaces(const struct init *in, struct err *err)
{
	uint64_t all = in->new_ns | in->joined_ns;
	const struct spec *s = in->spec;

	if (s->hostname && s->hostname[0] && !(all & CLONE_NEWUTS))
		return err_fail(err, ERR_INVALID,
				"hostname: can't be set without a uts namespace in "
				"linux.namespaces");
	if (s->domainname && s->domainname[0] && !(all & CLONE_NEWUTS))
		return err_fail(err, ERR_INVALID,
				"domainname: can't be set without a uts namespace in "
				"linux.namespaces");
	if ((in->new_ns & CLONE_NEWUSER) &&
	    (!s->linux_->uid_mappings.n || !s->linux_->gid_mappings.n))
		return err_fail(err, ERR_INVALID,
				"linux.uidMappings, linux.gidMappings: needed for a new user "
				"namespace");
	if (!(all & CLONE_NEWUSER) && (s->linux_->uid_mappings.n || s->linux_->gid_mappings.n))
		return err_fail(err, ERR_INVALID,
				"linux.uidMappings: given without a user namespace in "
				"linux.namespaces");
	if (geteuid() != 0 && !(all & CLONE_NEWUSER))
		return err_fail(
		    err, ERR_INVALID,
		    "linux.namespaces: an unprivileged container needs a user namespace");
	return sysctl_check(in, err);
}

/* The container's processes end up in the runtime's mount namespace (rootfs.c), but its mounts are
 * made in one that is thrown away then. Another user namespace has no right to go back. */
static int share_mount_ns(struct init *in, struct err *err)
{
	if (in->mapped)
		return err_fail(err, ERR_UNSUPPORTED,
				"linux.namespaces: with a user namespace a mount namespace is "
				"needed, too");
	in->host_mnt_fd = ns_open("/proc/self/ns/mnt", CLONE_NEWNS, err);
	if (in->host_mnt_fd < 0)
		return in->host_mnt_fd;
	in->new_ns |= CLONE_NEWNS;
	return 0;
}

static bool is_mapped(const spec_id_maps *maps, uint32_t host_id)
{
	for (size_t i = 0; i < maps->n; i++) {
		const struct spec_id_map *m = &maps->items[i];

		if (host_id >= m->host_id && host_id - m->host_id < m->size)
			return true;
	}
	return false;
}

static int open_namespaces(struct init *in, struct err *err)
{
	const struct spec_linux *l = in->spec->linux_;

	for (size_t i = 0; i < l->namespaces.n; i++) {
		const struct spec_namespace *ns = &l->namespaces.items[i];
		const struct ns_type *type = ns_by_name(spec_ns_names[ns->type]);

		if (!ns->path || !ns->path[0]) {
			in->new_ns |= type->flag;
			continue;
		}
		in->ns_fds[ns->type] = ns_open(ns->path, type->flag, err);
		if (in->ns_fds[ns->type] < 0)
			return err_wrap(err, in->ns_fds[ns->type], "linux.namespaces: %s",
					spec_ns_names[ns->type]);
		in->joined_ns |= type->flag;
		in->outside |= type->flag == CLONE_NEWPID;
	}
	/* Joining the own user namespace is refused by the kernel and needless. */
	if (in->ns_fds[NS_USER] >= 0 && ns_is_own(in->ns_fds[NS_USER], CLONE_NEWUSER) == 1)
		in->ns_fds[NS_USER] = fd_close(in->ns_fds[NS_USER]);
	in->userns = in->ns_fds[NS_USER] >= 0 || (in->new_ns & CLONE_NEWUSER);
	/* As podman runs it: root of a user namespace that the container shares. */
	in->mapped = in->userns || in->rt->rootless;
	in->stranger = in->userns && in->rt->rootless && l->uid_mappings.n &&
		       !is_mapped(&l->uid_mappings, geteuid());
	if (!((in->new_ns | in->joined_ns) & CLONE_NEWNS)) {
		int r = share_mount_ns(in, err);

		if (r < 0)
			return r;
	}
	return check_namespaces(in, err);
}

int prepare_directory(const char *base, const char *path, char **ret, struct err *err)
{
	char target[PATH_MAX], link[FD_PATH_MAX];
	cleanup_free char *joined = NULL;
	cleanup_fd int fd = -EBADF;
	ssize_t n;

	joined = path[0] == '/' || !base ? xstrdup(path) : path_join(base, path);
	fd = open(joined, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "opening %s", joined);
	n = readlink(fd_proc_path(fd, link), target, sizeof(target) - 1);
	if (n < 0)
		return err_errno(err, errno, "finding the path of %s", joined);
	target[n] = '\0';
	*ret = xstrdup(target);
	return 0;
}

static int open_paths(struct init *in, struct err *err)
{
	int r = prepare_directory(NULL, in->args->bundle, &in->bundle, err);

	if (r < 0)
		return err_wrap(err, r, "bundle");
	if (in->args->overlay) {
		in->rootfs = xstrdup("");
		return 0;
	}
	if (!in->spec->root || !in->spec->root->path)
		return err_fail(err, ERR_INVALID, "root.path: needed");
	r = prepare_directory(in->bundle, in->spec->root->path, &in->rootfs, err);
	return r < 0 ? err_wrap(err, r, "root.path") : 0;
}

/* The kernel would not look at them, and "nosiud" would go unnoticed. What can only be a
 * filesystem's, "mode=0755", has no effect on a bind mount, as by mount(8). */
static int check_bind_options(const struct spec_mount *m, const struct mount_opts *o,
			      struct err *err)
{
	if (!o->bind && !str_eq(m->type, "bind"))
		return 0;
	for (size_t i = 0; i < o->n_data; i++) {
		cleanup_free char *shown = str_escape(o->data[i].key);

		if (o->data[i].value)
			log_warn("mounting %s: %s=... has no effect on a bind mount",
				 m->destination, shown);
		else if (!mount_opts_known(o->data[i].key))
			return err_fail(err, ERR_INVALID, "\"%s\" is no option of a bind mount",
					shown);
	}
	return 0;
}

static int parse_mounts(struct init *in, struct err *err)
{
	size_t n = in->spec->mounts.n;

	in->mounts = xcalloc(n + 1, sizeof(*in->mounts));
	for (size_t i = 0; i < n; i++)
		in->mounts[i].fd = in->mounts[i].late_fd = -EBADF;
	for (size_t i = 0; i < n; i++) {
		int r =
		    mount_opts_parse(in->spec->mounts.items[i].options, &in->mounts[i].opts, err);

		if (r < 0)
			return err_wrap(err, r, "mounts[%zu].options", i);
		r = check_bind_options(&in->spec->mounts.items[i], &in->mounts[i].opts, err);
		if (r < 0)
			return err_wrap(err, r, "mounts[%zu].options", i);
		mount_opts_add_label(&in->mounts[i].opts, in->spec->mounts.items[i].type,
				     in->spec->linux_->mount_label);
	}
	return 0;
}

int prepare_seccomp(struct init *in, struct buf *bpf, struct err *err)
{
	int r;

	if (!in->spec->linux_->seccomp)
		return 0;
	r = seccomp_prepare(in->spec->linux_->seccomp, bpf, &in->bpf_flags, err);
	if (r < 0)
		return r;
	in->bpf = bpf->data;
	in->bpf_len = bpf->len;
	return 0;
}

void init_blank(struct init *in, const struct runtime *rt, const struct create_args *args)
{
	*in = (struct init){
		.rt = rt,
		.args = args,
		.spec = args->spec,
		.rootfs_fd = -EBADF,
		.host_mnt_fd = -EBADF,
		.cgroup_fd = -EBADF,
		.sync = -EBADF,
		.sync_parent = -EBADF,
		.listen_fd = -EBADF,
		.dir_fd = -EBADF,
		.idle_close_fd = rt->idle_close_fd > 0 ? rt->idle_close_fd : -EBADF,
		.root = -EBADF,
		.procfs = -EBADF,
		.time_offsets = -EBADF,
		.console = -EBADF,
		.conn = -EBADF,
		.notify = { .made = { .fd = -EBADF, .late_fd = -EBADF } },
	};
	for (size_t i = 0; i < NS_COUNT; i++)
		in->ns_fds[i] = -EBADF;
}

int prepare_init(const struct runtime *rt, const struct create_args *args, struct init *in,
		 struct buf *bpf, struct err *err)
{
	int r;

	init_blank(in, rt, args);
	if (!args->spec->linux_)
		return err_fail(err, ERR_INVALID, "linux: needed");
	if (!args->spec->process || !strv_len(args->spec->process->args))
		return err_fail(err, ERR_INVALID, "process.args: needed");
	/* A mount namespace that is joined may have anything at /sys. */
	process_read_lsm(in);
	r = check_mount_label(args->spec, err);
	if (r >= 0)
		r = open_paths(in, err);
	if (r >= 0)
		r = open_namespaces(in, err);
	if (r >= 0)
		r = parse_mounts(in, err);
	if (r >= 0)
		r = prepare_seccomp(in, bpf, err);
	if (r < 0)
		return r;
	process_plan_caps(in);
	return prepare_mounts(in, err);
}

void prepare_done(struct init *in, struct buf *bpf)
{
	for (size_t i = 0; in->mounts && i < in->spec->mounts.n; i++) {
		mount_opts_done(&in->mounts[i].opts);
		fd_close(in->mounts[i].fd);
	}
	for (size_t i = 0; i < NS_COUNT; i++)
		fd_close(in->ns_fds[i]);
	fd_close(in->rootfs_fd);
	fd_close(in->host_mnt_fd);
	mount_opts_done(&in->notify.made.opts);
	fd_close(in->notify.made.fd);
	free(in->notify.mount.source);
	free(in->mounts);
	free(in->bundle);
	free(in->rootfs);
	in->mounts = NULL;
	in->bundle = in->rootfs = in->notify.mount.source = NULL;
	buf_done(bpf);
}

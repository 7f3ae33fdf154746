/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/init.h"
#include "sys/mount.h"
#include "sys/uapi.h"

int mount_target(const struct init *in, const char *destination, bool dir, struct err *err)
{
	if (dir)
		return path_mkdirs_in(in->root, destination, 0755, err);
	return path_mkfile_in(in->root, destination, 0644, err);
}

/* A symlink there would make a container whose /proc is somewhere else than programs, and the rest
 * of this runtime, believe. One open decides: what is checked first can be exchanged. */
int mount_target_plain(const struct init *in, const char *destination, struct err *err)
{
	const char *name = destination + strspn(destination, "/");
	int fd;

	if (!*name || strchr(name, '/'))
		return mount_target(in, destination, true, err);
	if (mkdirat(in->root, name, 0755) < 0 && errno != EEXIST)
		return err_errno(err, errno, "creating directory %s", destination);
	fd = openat(in->root, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return err_fail(err, ERR_INVALID, "it must be an ordinary directory");
	return fd < 0 ? err_errno(err, errno, "opening %s", destination) : fd;
}

int mount_apply_opts(int mount_fd, const struct mount_opts *o, bool with_attrs, struct err *err)
{
	int r = 0;

	if (with_attrs && (o->set || o->clear))
		r = mount_set(mount_fd, "", false, o->set, o->clear, 0, -EBADF, err);
	if (r >= 0 && (o->rec_set || o->rec_clear))
		r = mount_set(mount_fd, "", true, o->rec_set, o->rec_clear, 0, -EBADF, err);
	if (r >= 0 && o->propagation)
		r = mount_set(mount_fd, "", o->rec_propagation, 0, 0, o->propagation, -EBADF, err);
	return r;
}

/* /proc is what the runtime trusts for labels and sysctls, and what programs in the container
 * trust: only a procfs goes there, and below it only the files that lxcfs and the like provide. */
static int check_proc(const char *destination, int target, int source, struct err *err)
{
	static const char *const allowed[] = {
		"/proc/cpuinfo",
		"/proc/diskstats",
		"/proc/meminfo",
		"/proc/stat",
		"/proc/swaps",
		"/proc/uptime",
		"/proc/loadavg",
		"/proc/slabinfo",
		"/proc/sys/kernel/ns_last_pid",
		"/proc/sys/crypto/fips_enabled",
	};
	cleanup_free char *clean = path_clean(destination);
	bool below = str_starts(clean, "/proc/") || mount_is_proc(target);

	if (str_eq(clean, "/proc")) {
		if (mount_is_proc(source))
			return 0;
		return err_fail(err, ERR_INVALID, "it is not of type proc");
	}
	if (!below)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		if (str_eq(clean, allowed[i]))
			return 0;
	return err_fail(err, ERR_INVALID, "it is inside /proc");
}

int mount_place(const char *destination, int mount_fd, int target, struct err *err)
{
	int r = check_proc(destination, target, mount_fd, err);

	return r < 0 ? r : mount_attach(mount_fd, target, err);
}

/* Whether a masked or read-only path is the mount's root or below it. */
static bool leads_through(char *const *paths, const char *destination)
{
	for (; paths && *paths; paths++) {
		bool plain = !strstr(*paths, "/.") && !strstr(*paths, "//");
		cleanup_free char *clean = plain ? NULL : path_clean(*paths);

		if (path_below(plain ? *paths : clean, destination))
			return true;
	}
	return false;
}

/* What is mounted on "/" covers what was to be the root, so it is the root from here on. */
static int take_root(struct init *in, int mount_fd, struct err *err)
{
	int fd = fd_dup(mount_fd, 3);

	if (fd < 0)
		return err_errno(err, -fd, "keeping the mount");
	fd_close(in->root);
	in->root = fd;
	in->n_placed = 0; /* all that was placed before is below it, and seen by nobody */
	return 0;
}

int mount_place_spec(struct init *in, const struct spec_mount *m, int mount_fd, int target,
		     struct err *err)
{
	const struct spec_linux *l = in->spec->linux_;
	cleanup_free char *clean = path_clean(m->destination);
	int fd, r = in->admit ? in->admit(in, m, target, err) : 0;

	if (r >= 0)
		r = mount_place(m->destination, mount_fd, target, err);

	if (r >= 0 && str_eq(clean, "/"))
		return take_root(in, mount_fd, err);
	if (r < 0 ||
	    (!leads_through(l->masked_paths, clean) && !leads_through(l->readonly_paths, clean)))
		return r;
	fd = fd_dup(mount_fd, 3);
	if (fd < 0)
		return err_errno(err, -fd, "keeping the mount");
	in->placed = xrealloc(in->placed, (in->n_placed + 1) * sizeof(*in->placed));
	in->placed[in->n_placed++] =
	    (struct init_placed){ .destination = take_ptr(clean), .fd = fd };
	return 0;
}

/*
 * Who shares the root filesystem can rename the directory below a mount at any time: the mount goes
 * with it, and another /proc, whose files nobody has to fear, would be protected in its place
 * (CVE-2023-27561).
 */
int mount_open_path(const struct init *in, const char *path, int *ret_fd, struct err *err)
{
	cleanup_free char *clean = path_clean(path);
	const char *rest = path;
	int fd, root = in->root;

	for (size_t i = in->n_placed; i > 0 && root == in->root; i--) {
		const char *below = path_below(clean, in->placed[i - 1].destination);

		if (!below)
			continue;
		root = in->placed[i - 1].fd;
		rest = *below ? below : ".";
	}
	fd = path_open_in(root, rest, O_PATH, 0, err);
	*ret_fd = fd < 0 ? -EBADF : fd;
	return fd >= 0 || fd == -ENOENT || fd == -ENOTDIR ? 0 : fd;
}

static int open_below(const char *path, const char *top, struct err *err)
{
	cleanup_free char *clean = path_clean(path);
	cleanup_free char *clean_top = path_clean(top);
	const char *rest = path_below(clean, clean_top);
	cleanup_fd int dir = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_errno(err, errno, "opening %s", top);
	if (!rest)
		return err_fail(err, ERR_INVALID, "%s is not below %s", path, top);
	return *rest ? path_open_in(dir, rest, O_PATH, 0, err) : take_fd(dir);
}

int mount_open_source(const struct init *in, const struct spec_mount *m, const struct mount_opts *o,
		      struct err *err)
{
	cleanup_free char *path = NULL;
	int fd;

	if (!m->source)
		return err_fail(err, ERR_INVALID, "a bind mount needs a source");
	path = m->source[0] == '/' ? xstrdup(m->source) : path_join(in->bundle, m->source);
	if (o->below)
		return open_below(path, o->below, err);
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? err_errno(err, errno, "opening %s", path) : fd;
}

/* In the words that docker knows its advice by: "not a directory". */
static int bind_target(struct init *in, const struct spec_mount *m, bool dir, struct err *err)
{
	int fd = mount_target(in, m->destination, dir, err);

	if (fd == -EISDIR)
		fd = err_fail(err, ERR_INVALID,
			      "it is a directory, and its source %s is not a directory", m->source);
	else if (fd != -ENOTDIR)
		return fd;
	return err_hint(err, fd, "a directory is mounted on a directory, a file on a file");
}

static int mount_bind(struct init *in, const struct spec_mount *m, struct init_mount *im,
		      struct err *err)
{
	cleanup_fd int source = -EBADF;
	cleanup_fd int target = -EBADF;
	cleanup_fd int fd = take_fd(im->fd);
	struct stat st;
	int r;

	if (fd < 0) {
		source = mount_open_source(in, m, &im->opts, err);
		if (source < 0)
			return source;
		fd = mount_clone(source, "", im->opts.rec_bind, err);
		if (fd == -EINVAL && !im->opts.rec_bind)
			return err_hint(err, fd,
					"%s may have mounts below it, which a user namespace can't "
					"leave out: use rbind",
					m->source);
		if (fd < 0)
			return fd;
	}
	if (fstat(fd, &st) < 0)
		return err_errno(err, errno, "reading the source");
	target = bind_target(in, m, S_ISDIR(st.st_mode), err);
	if (target < 0)
		return target;
	/* Complete before it becomes visible. */
	r = mount_apply_opts(fd, &im->opts, true, err);
	return r < 0 ? r : mount_place_spec(in, m, fd, target, err);
}

static int mount_remount(struct init *in, const struct spec_mount *m, struct mount_opts *o,
			 struct err *err)
{
	cleanup_fd int target = path_open_in(in->root, m->destination, O_PATH, 0, err);

	if (target < 0)
		return target;
	if (o->n_data)
		return err_fail(err, ERR_UNSUPPORTED, "option %s can't be changed by a remount",
				o->data[0].key);
	return mount_apply_opts(target, o, true, err);
}

static int mount_proc(struct init *in, const struct spec_mount *m, struct mount_opts *o,
		      struct err *err)
{
	cleanup_fd int target = -EBADF;
	cleanup_fd int fd = -EBADF;
	struct err first = ERR_INIT;
	int r;

	fd = mount_new_proc(in, o, &first);
	/* Without a pid namespace of its own a user namespace may not mount procfs, but may see the
	 * one that is there. */
	if (fd == -EPERM && in->mapped && !(in->new_ns & CLONE_NEWPID))
		fd = mount_clone(AT_FDCWD, "/proc", true, &first);
	if (fd < 0) {
		if (err)
			*err = first;
		return fd;
	}
	target = mount_target_plain(in, m->destination, err);
	if (target < 0)
		return target;
	r = mount_apply_opts(fd, o, false, err);
	if (r >= 0)
		r = mount_place_spec(in, m, fd, target, err);
	/* There is no "self" in it for a process that is outside. */
	if (r >= 0 && in->procfs < 0 && !o->n_data && !in->outside)
		in->procfs = take_fd(fd);
	return r;
}

struct mount_type {
	const char *name;
	int (*fn)(struct init *in, const struct spec_mount *m, struct mount_opts *o,
		  struct err *err);
};

static const struct mount_type types[] = {
	{ "proc", mount_proc },      { "sysfs", mount_sysfs },   { "tmpfs", mount_tmpfs },
	{ "devpts", mount_devpts },  { "mqueue", mount_mqueue }, { "cgroup", mount_cgroup },
	{ "cgroup2", mount_cgroup },
};

int mount_make(struct init *in, const struct spec_mount *m, struct init_mount *im, struct err *err)
{
	if (im->opts.remount)
		return mount_remount(in, m, &im->opts, err);
	if (im->opts.bind || str_eq(m->type, "bind"))
		return mount_bind(in, m, im, err);
	if (mount_is_overlay(m, &im->opts))
		return mount_overlay_spec(in, m, im, err);
	if (!m->type || str_eq(m->type, "none"))
		return err_fail(err, ERR_INVALID, "it has neither a type nor the bind option");
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (str_eq(types[i].name, m->type))
			return types[i].fn(in, m, &im->opts, err);
	}
	return mount_plain(in, m, &im->opts, err);
}

int mounts_make(struct init *in, struct err *err)
{
	for (size_t i = 0; i < in->spec->mounts.n; i++) {
		const struct spec_mount *m = &in->spec->mounts.items[i];
		int r = mount_make(in, m, &in->mounts[i], err);

		if (r < 0)
			return err_wrap(err, r, "mounting %s in container", m->destination);
	}
	return 0;
}

/* After the configuration's, so that none of them covers it. */
int mounts_notify(struct init *in, struct err *err)
{
	if (!in->notify.mount.source)
		return 0;
	return mount_bind(in, &in->notify.mount, &in->notify.made, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts whose filesystems are outside of the container: criu saves their names only ("external"
 * mounts), and gets their sources by name when it restores. Names are those of runc: the place in
 * the container, /dev/null for masked files.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/cancel.h"
#include "runtime/cgroup.h"
#include "runtime/checkpoint.h"
#include "runtime/child_end.h"
#include "runtime/mount_opts.h"
#include "runtime/notify.h"
#include "sys/clone.h"
#include "sys/mount.h"
#include "sys/pidfd.h"
#include "sys/uapi.h"

#define MOUNTINFO_MAX    (16u << 20)
#define ANSWER_BYTES_MAX (64u << 20)

/* Bound from the host where the container may make no devices. */
static const char *const devices[] = { "/dev/null",   "/dev/zero",    "/dev/full",
				       "/dev/random", "/dev/urandom", "/dev/tty" };

struct walk {
	struct json_map *found;
	const struct criu_container *c;
	bool restore;
	int root; /* dump: of the container */
};

/* Dump: only what is a mount there now. The container may have changed links and mounts since. */
static int add_mount(struct walk *w, const char *path, const char *name, struct err *err)
{
	cleanup_fd int fd = path_open_in(w->root, path, O_PATH, 0, NULL);
	char link[FD_PATH_MAX], place[PATH_MAX];
	struct statx st;
	ssize_t n;

	if (fd < 0)
		return 0;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) < 0)
		return err_errno(err, errno, "reading %s of the container", path);
	if (!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return 0;
	n = readlink(fd_proc_path(fd, link), place, sizeof(place) - 1);
	if (n < 0)
		return err_errno(err, errno, "finding %s of the container", path);
	place[n] = '\0';
	json_map_set(w->found, place, name);
	return 0;
}

struct tree {
	struct walk *w;
	const char *name; /* of the bind mount */
	int fd;           /* its source */
	const char *path; /* of that, without links */
	struct err *err;
};

static bool same_file(int a, int b)
{
	struct stat st, other;

	return a >= 0 && b >= 0 && fstat(a, &st) == 0 && fstat(b, &other) == 0 &&
	       st.st_dev == other.st_dev && st.st_ino == other.st_ino;
}

/* One of the host's mounts. Dump: if the container has the same at its place, and nothing of its
 * own over it. */
static int add_below(const struct mountinfo *mi, void *data)
{
	struct tree *t = data;
	const char *below = path_below(mi->mount_point, t->path);

	if (!below || !*below)
		return 0;
	cleanup_free char *place = path_join(t->name, below);
	if (t->w->restore) {
		json_map_set(t->w->found, place, mi->mount_point);
		return 0;
	}
	cleanup_fd int host = path_open_in(t->fd, below, O_PATH, 0, NULL);
	cleanup_fd int own = path_open_in(t->w->root, place, O_PATH, 0, NULL);
	return same_file(host, own) ? add_mount(t->w, place, place, t->err) : 0;
}

/* A recursive bind mount has brought in what is mounted below its source: mounts from outside, too.
 */
static int add_tree(struct walk *w, const char *name, const char *source, struct err *err)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	cleanup_fd int fd = open(source, O_PATH | O_CLOEXEC);
	char link[FD_PATH_MAX], path[PATH_MAX];
	ssize_t n = fd < 0 ? -1 : readlink(fd_proc_path(fd, link), path, sizeof(path) - 1);

	if (n < 0)
		return 0; /* gone since: criu knows what it misses */
	path[n] = '\0';
	int r = io_read_file(AT_FDCWD, "/proc/self/mountinfo", &text, MOUNTINFO_MAX, err);
	if (r < 0)
		return r;
	struct tree t = { .w = w, .name = name, .fd = fd, .path = path, .err = err };
	return mountinfo_parse(text.data, text.len, add_below, &t, err);
}

static int add_bind(struct walk *w, const struct spec_mount *m, bool recursive, struct err *err)
{
	cleanup_free char *name = path_clean(m->destination);
	cleanup_free char *source = NULL;
	int r = w->restore ? 0 : add_mount(w, name, name, err);

	if (r < 0 || !m->source)
		return r;
	source = m->source[0] == '/' ? xstrdup(m->source) : path_join(w->c->bundle, m->source);
	if (w->restore)
		json_map_set(w->found, name, source);
	return recursive ? add_tree(w, name, source, err) : 0;
}

static int add_hierarchies(struct walk *w, const struct cgroup_system *sys,
			   const struct spec_mount *m, struct err *err)
{
	for (size_t i = 0; i < sys->n; i++) {
		const char *last = strrchr(sys->h[i].mount_point, '/');
		cleanup_free char *place = NULL;
		int r;

		if (sys->h[i].v2 || !last)
			continue;
		place = path_join(m->destination, last + 1);
		if (w->restore) {
			cleanup_free char *source = cgroup_path_in(&sys->h[i], w->c->cgroup);

			json_map_set(w->found, place, source);
			continue;
		}
		r = add_mount(w, place, place, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* With a cgroup namespace the mounts are of the container's own, and criu knows them. */
static int add_cgroup(struct walk *w, const struct spec_mount *m, struct err *err)
{
	CLEANUP(cgroup_system_done) struct cgroup_system sys = { 0 };
	int r;

	if (spec_namespace_find(w->c->spec, NS_CGROUP))
		return 0;
	r = cgroup_system_read(&sys, err);
	if (r < 0)
		return r;
	if (sys.layout != CGROUP_V2)
		return add_hierarchies(w, &sys, m, err);
	if (w->restore) {
		cleanup_free char *source = cgroup_path_in(&sys.h[0], w->c->cgroup);

		json_map_set(w->found, m->destination, source);
		return 0;
	}
	return add_mount(w, m->destination, m->destination, err);
}

static int add_configured(struct walk *w, const struct spec_mount *m, struct err *err)
{
	CLEANUP(mount_opts_done) struct mount_opts opts = { 0 };
	int r = mount_opts_parse(m->options, &opts, err);

	if (r < 0)
		return err_wrap(err, r, "mount at %s", m->destination);
	if (m->uid_mappings.n || opts.idmap || opts.rec_idmap)
		return err_fail(err, ERR_UNSUPPORTED,
				"the mount at %s is id-mapped, which criu can't restore",
				m->destination);
	if (opts.remount)
		return 0;
	if (opts.bind || str_eq(m->type, "bind"))
		return add_bind(w, m, opts.rec_bind, err);
	return str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2") ? add_cgroup(w, m, err) : 0;
}

static int add_device(struct walk *w, const char *path, struct err *err)
{
	if (!w->restore)
		return add_mount(w, path, path, err);
	json_map_set(w->found, path, path);
	return 0;
}

/* Files are covered by the container's /dev/null. Mostly that is a file of its own, else the
 * host's; directories by a filesystem of its own. */
static int add_masked(struct walk *w, const char *path, struct err *err)
{
	cleanup_fd int fd = -EBADF;
	cleanup_fd int dev = -EBADF;
	struct stat st, dev_st;

	if (w->restore) {
		json_map_set(w->found, path, "/dev/null");
		return 0;
	}
	fd = path_open_in(w->root, path, O_PATH, 0, NULL);
	dev = path_open_in(w->root, "/dev", O_PATH, 0, NULL);
	if (fd < 0 || fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))
		return 0;
	if (dev >= 0 && fstat(dev, &dev_st) == 0 && dev_st.st_dev == st.st_dev)
		return 0;
	return add_mount(w, path, path, err);
}

/* First: what the configuration has at its place is meant. */
static int add_notify(struct walk *w, struct err *err)
{
	if (w->restore)
		json_map_set(w->found, NOTIFY_DIR, w->c->notify);
	else if (w->c->notify)
		return add_mount(w, NOTIFY_DIR, NOTIFY_DIR, err);
	return 0;
}

static int add_all(struct walk *w, struct err *err)
{
	const struct spec_linux *l = w->c->spec->linux_;
	int r = add_notify(w, err);

	for (size_t i = 0; i < w->c->spec->mounts.n && r >= 0; i++)
		r = add_configured(w, &w->c->spec->mounts.items[i], err);
	for (size_t i = 0; l->masked_paths && l->masked_paths[i] && r >= 0; i++)
		r = add_masked(w, l->masked_paths[i], err);
	for (size_t i = 0; i < ARRAY_SIZE(devices) && r >= 0; i++)
		r = add_device(w, devices[i], err);
	for (size_t i = 0; i < l->devices.n && r >= 0; i++)
		r = add_device(w, l->devices.items[i].path, err);
	return r;
}

static int find_mounts(const struct criu_container *c, struct json_map *found, struct err *err)
{
	struct walk w = { .found = found, .c = c, .root = -EBADF };
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/root", c->pid);
	w.root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w.root < 0)
		return err_errno(err, errno, "opening the container's root");
	r = add_all(&w, err);
	fd_close(w.root);
	return r;
}

/* What is found, as strings with their NULs, or the error record. */
static int answer(const struct criu_container *c, int fd)
{
	struct json_map found = { 0 };
	struct err err = ERR_INIT;
	struct buf text = BUF_INIT;
	int r = find_mounts(c, &found, &err);

	for (size_t i = 0; i < found.n; i++) {
		buf_add(&text, found.items[i].key, strlen(found.items[i].key) + 1);
		buf_add(&text, found.items[i].value, strlen(found.items[i].value) + 1);
	}
	if (r < 0)
		io_write(fd, &err, sizeof(err));
	else
		r = io_write(fd, text.data, text.len);
	return r < 0 ? 1 : 0;
}

static void take_mounts(const struct buf *text, struct json_map *found)
{
	const char *end = text->data + text->len;

	for (const char *key = text->data; key && key < end;) {
		const char *value = key + strlen(key) + 1;

		json_map_set(found, key, value);
		key = value + strlen(value) + 1;
	}
}

static int take_answer(int fd, int status, struct json_map *found, struct err *err)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	struct err own;
	int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : io_read_all(fd, &text, ANSWER_BYTES_MAX);

	if (r < 0)
		return err_errno(err, -r, "reading the container's mounts");
	if (status == 0) {
		take_mounts(&text, found);
		return 0;
	}
	if (text.len != sizeof(own))
		return err_fail(err, ERR_SYSTEM, "looking for the container's mounts");
	memcpy(&own, text.data, sizeof(own));
	err_sanitize(&own);
	if (err)
		*err = own;
	return own.errnum > 0 ? -own.errnum : -EIO;
}

int criu_mounts_dump(const struct criu_container *c, int cancel_fd, struct json_map *found,
		     struct err *err)
{
	const struct clone_spec spec = { .flags = CLONE_CLEAR_SIGHAND, .cgroup_fd = -EBADF };
	const struct cgroup none = { 0 };
	struct container child = { .pidfd = -EBADF };
	cleanup_fd int fd = memfd_create("mounts", MFD_CLOEXEC);
	siginfo_t info = { 0 };
	int r;

	if (fd < 0)
		return err_errno(err, errno, "making a memory file");
	child.pid = clone_process(&spec, &child.pidfd);
	if (child.pid == 0)
		_exit(answer(c, fd));
	if (child.pid < 0)
		return err_errno(err, -child.pid, "making a process to look for mounts");
	r = cancel_wait(cancel_fd, child.pidfd, err);
	if (r < 0) {
		child_end(&child, &none, false);
		fd_close(child.pidfd);
		return err_wrap(err, r, "looking for the container's mounts");
	}
	pidfd_wait(child.pidfd, &info);
	fd_close(child.pidfd);
	return take_answer(fd, info.si_code == CLD_EXITED ? info.si_status : -1, found, err);
}

int criu_mounts_restore(struct criu_opts *o, const struct criu_container *c, struct err *err)
{
	struct walk w = { .found = &o->ext_mnt, .c = c, .restore = true, .root = -EBADF };

	return add_all(&w, err);
}

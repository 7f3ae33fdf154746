/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user_namespaces(7): a map is written once, by a process with CAP_SETUID/CAP_SETGID in the parent
 * user namespace, or without them as one line that maps the writer's own id. For groups the latter
 * needs setgroups(2) switched off first, as leaving a group could open what it is denied.
 */
#include "sys/idmap.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/proc.h"
#include "base/strv.h"
#include "sys/clone.h"
#include "sys/ns.h"
#include "sys/pidfd.h"

#define HELPER_TIMEOUT_MS 30000
#define OWN_MAP_MAX       65536 /* bytes: 340 lines */
#define SIGNALLED         128   /* proc_exit_code() */

struct map_kind {
	const char *file;         /* below /proc/PID */
	const char *what;         /* for messages */
	const char *helper;       /* program's name */
	const char *const *paths; /* where it may be: never searched by $PATH */
	const char *subid;        /* file that permits it */
};

static const char *const uid_helpers[] = { "/usr/bin/newuidmap", "/bin/newuidmap",
					   "/usr/local/bin/newuidmap", NULL };
static const char *const gid_helpers[] = { "/usr/bin/newgidmap", "/bin/newgidmap",
					   "/usr/local/bin/newgidmap", NULL };
static const struct map_kind uid_kind = { "uid_map", "user ids", "newuidmap", uid_helpers,
					  "/etc/subuid" };
static const struct map_kind gid_kind = { "gid_map", "group ids", "newgidmap", gid_helpers,
					  "/etc/subgid" };

static int write_proc(pid_t pid, const char *file, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return io_write(fd, text, strlen(text));
}

static int write_map(pid_t pid, const struct map_kind *kind, const struct idmap *m)
{
	cleanup_buf struct buf text = BUF_INIT;

	for (size_t i = 0; i < m->n; i++)
		buf_addf(&text, "%u %u %u\n", m->ranges[i].inside, m->ranges[i].outside,
			 m->ranges[i].count);
	return write_proc(pid, kind->file, buf_str(&text));
}

static const char *helper_path(const struct map_kind *kind)
{
	for (size_t i = 0; kind->paths[i]; i++)
		if (access(kind->paths[i], X_OK) == 0)
			return kind->paths[i];
	return NULL;
}

static int run_helper(pid_t pid, const struct map_kind *kind, const struct idmap *m,
		      struct err *err)
{
	static char *const envp[] = { NULL };
	const char *path = helper_path(kind);
	cleanup_strv char **argv = NULL;

	if (!path) {
		err_fail(err, ERR_UNSUPPORTED, "mapping %s: %s is not installed", kind->what,
			 kind->helper);
		return err_hint(err, -EPERM, "install the package uidmap");
	}
	strv_add(&argv, kind->helper);
	strv_addf(&argv, "%d", (int)pid);
	for (size_t i = 0; i < m->n; i++) {
		strv_addf(&argv, "%u", m->ranges[i].inside);
		strv_addf(&argv, "%u", m->ranges[i].outside);
		strv_addf(&argv, "%u", m->ranges[i].count);
	}
	struct proc_spawn spec = PROC_SPAWN_INIT;
	spec.path = path;
	spec.argv = argv;
	spec.envp = envp;
	int r = proc_run(&spec, NULL, NULL, 0, HELPER_TIMEOUT_MS, err);
	if (r < 0)
		return err_wrap(err, r, "mapping %s", kind->what);
	if (r == 0)
		return 0;
	/* The ranges are not to blame. */
	if (r > SIGNALLED)
		return err_fail(err, ERR_SYSTEM, "mapping %s: %s was killed by signal %d",
				kind->what, kind->helper, r - SIGNALLED);
	err_fail(err, ERR_DENIED, "mapping %s: %s refused it (exit status %d)", kind->what,
		 kind->helper, r);
	return err_hint(err, -EPERM,
			"give this user a range of ids by a line in %s, such as "
			"\"%u:100000:65536\"",
			kind->subid, (unsigned int)geteuid());
}

static bool is_single(const struct idmap *m, uint32_t own_id)
{
	return m->n == 1 && m->ranges[0].count == 1 && m->ranges[0].outside == own_id;
}

static int map_ids(pid_t pid, const struct map_kind *kind, const struct idmap *m, struct err *err)
{
	int r = write_map(pid, kind, m);

	if (r == -EPERM && kind == &gid_kind && is_single(m, getegid())) {
		r = write_proc(pid, "setgroups", "deny");
		if (r == 0)
			r = write_map(pid, kind, m);
	}
	if (r == -EPERM)
		return run_helper(pid, kind, m, err);
	if (r == -EINVAL)
		return err_fail(err, ERR_INVALID, "mapping %s: the kernel refuses these ranges",
				kind->what);
	return r < 0 ? err_errno(err, -r, "mapping %s of process %d", kind->what, (int)pid) : 0;
}

int idmap_write(pid_t pid, const struct idmap *uids, const struct idmap *gids, struct err *err)
{
	/* Groups first: with the uid map there the process is somebody else's already. */
	int r = map_ids(pid, &gid_kind, gids, err);

	return r < 0 ? r : map_ids(pid, &uid_kind, uids, err);
}

static int read_map(const char *file, struct idmap *ret, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r = io_read_file(AT_FDCWD, file, &text, OWN_MAP_MAX, err);

	return r < 0 ? r : idmap_parse_proc(buf_str(&text), text.len, ret, err);
}

static int own_ids(const char *file, struct idmap *ret, struct err *err)
{
	CLEANUP(idmap_done) struct idmap own = { 0 };

	int r = read_map(file, &own, err);
	for (size_t i = 0; r == 0 && i < own.n; i++) {
		r = idmap_add(ret, own.ranges[i].inside, own.ranges[i].inside, own.ranges[i].count);
		if (r < 0)
			return err_errno(err, -r, "reading %s", file);
	}
	return r;
}

int idmap_own(struct idmap *uids, struct idmap *gids, struct err *err)
{
	int r = own_ids("/proc/self/uid_map", uids, err);

	return r < 0 ? r : own_ids("/proc/self/gid_map", gids, err);
}

struct below {
	int userns;
	pid_t pid;
	const struct idmap *uids, *gids;
	struct err *err;
};

static int below_of(const struct idmap *m, const char *file, struct idmap *ret, struct err *err)
{
	CLEANUP(idmap_done) struct idmap above = { 0 };
	int r = read_map(file, &above, err);

	if (r == 0)
		r = idmap_below(m, &above, ret);
	return r == -ENOENT ? err_fail(err, ERR_INVALID,
				       "mapping ids: some are not in the user namespace of the "
				       "networks")
	       : r < 0      ? err_errno(err, -r, "mapping ids of %s", file)
			    : 0;
}

/* In a process that has joined it: what its maps say there is in the words of the one above. */
static int write_below(void *data)
{
	const struct below *b = data;
	CLEANUP(idmap_done) struct idmap uids = { 0 };
	CLEANUP(idmap_done) struct idmap gids = { 0 };
	int r = ns_join(b->userns, CLONE_NEWUSER, b->err);

	if (r == 0)
		r = below_of(b->uids, "/proc/self/uid_map", &uids, b->err);
	if (r == 0)
		r = below_of(b->gids, "/proc/self/gid_map", &gids, b->err);
	return r < 0 ? r : idmap_write(b->pid, &uids, &gids, b->err);
}

int idmap_write_below(int userns, pid_t pid, const struct idmap *uids, const struct idmap *gids,
		      struct err *err)
{
	struct below b = { userns, pid, uids, gids, err };
	int r = proc_call(write_below, &b);

	return r == -ECHILD ? err_errno(err, ECHILD, "mapping ids") : r;
}

/* The child that holds the new user namespace: it ends when the parent closes the pipe, or dies. */
static _Noreturn void hold_namespace(const int pipe_fds[2])
{
	char c;

	close(pipe_fds[1]);
	while (read(pipe_fds[0], &c, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

static int userns_of_child(pid_t pid, const struct idmap *uids, const struct idmap *gids,
			   struct err *err)
{
	char path[64];
	int r = idmap_write(pid, uids, gids, err);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_errno(err, errno, "opening user namespace for id mapping") : fd;
}

int idmap_userns_fd(const struct idmap *uids, const struct idmap *gids, struct err *err)
{
	struct clone_spec spec = { .flags = CLONE_NEWUSER, .cgroup_fd = -EBADF };
	cleanup_fd int pidfd = -EBADF;
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_errno(err, errno, "making pipe");
	pid_t pid = clone_process(&spec, &pidfd);
	if (pid == 0)
		hold_namespace(pipe_fds);
	close(pipe_fds[0]);
	int r = pid < 0 ? err_errno(err, -pid, "making user namespace for id mapping")
			: userns_of_child(pid, uids, gids, err);
	close(pipe_fds[1]);
	if (pid > 0)
		pidfd_wait(pidfd, NULL);
	return r;
}

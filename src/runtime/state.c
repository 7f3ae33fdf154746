/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "oci/user.h"
#include "runtime/cgroup.h"
#include "runtime/state.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"

#define STATE_BYTES_MAX (4u << 20)

const char *const container_status_names[] = { "creating", "created", "running",
					       "paused",   "stopped", NULL };

#define PUB(member, key, kind, ...)                                                                \
	JSON_FIELD(struct container_state, member, key, kind, ##__VA_ARGS__)

/* What `state` prints and hooks read. */
static const struct json_field public_fields[] = {
	PUB(oci_version, "ociVersion", JSON_STR),
	PUB(id, "id", JSON_STR),
	PUB(pid, "pid", JSON_I32, .flags = JSON_KEEP),
	PUB(status, "status", JSON_ENUM, .names = container_status_names),
	PUB(bundle, "bundle", JSON_STR),
	PUB(rootfs, "rootfs", JSON_STR),
	PUB(created, "created", JSON_STR),
	PUB(annotations, "annotations", JSON_MAP),
	PUB(owner, "owner", JSON_STR, .flags = JSON_KEEP),
};
static const struct json_desc public_desc = JSON_DESC(struct container_state, public_fields);

#define PRIV(member, key, kind, ...) JSON_FIELD(struct state, member, key, kind, ##__VA_ARGS__)

static const struct json_field state_fields[] = {
	PRIV(pub.oci_version, "ociVersion", JSON_STR, .flags = JSON_REQUIRED),
	PRIV(pub.id, "id", JSON_STR, .flags = JSON_REQUIRED),
	PRIV(pub.pid, "pid", JSON_I32),
	PRIV(pub.pid_start_time, "pidStartTime", JSON_U64),
	PRIV(pub.bundle, "bundle", JSON_STR),
	PRIV(pub.rootfs, "rootfs", JSON_STR),
	PRIV(pub.created, "created", JSON_STR),
	PRIV(pub.annotations, "annotations", JSON_MAP),
	PRIV(pub.cgroup_paths, "cgroupPaths", JSON_STRV),
	PRIV(cgroups_path, "cgroupsPath", JSON_STR),
	PRIV(cgroups_planned, "cgroupsPlanned", JSON_BOOL),
	PRIV(shares_pid_ns, "sharesPidNs", JSON_BOOL),
	PRIV(memory_swap, "memorySwap", JSON_I64),
	PRIV(rdt.group, "rdtGroup", JSON_STR),
	PRIV(rdt.mon, "rdtMonGroup", JSON_STR),
	PRIV(rdt.ours, "rdtGroupOurs", JSON_BOOL),
	PRIV(listener_path, "seccompListenerPath", JSON_STR),
	PRIV(listener_metadata, "seccompListenerMetadata", JSON_STR),
	PRIV(systemd_unit, "systemdUnit", JSON_STR),
	PRIV(systemd_user, "systemdUser", JSON_BOOL),
	PRIV(hooks, "hooks", JSON_RAW),
	PRIV(chrooted, "chrooted", JSON_BOOL),
	PRIV(streams, "externalDescriptors", JSON_STRV),
};
static const struct json_desc state_desc = JSON_DESC(struct state, state_fields);

bool container_id_valid(const char *id)
{
	size_t len = strlen(id);

	if (len == 0 || len > 255 || str_eq(id, ".") || str_eq(id, ".."))
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = id[i];
		bool alnum =
		    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!alnum && (i == 0 || !strchr("_.+-", c)))
			return false;
	}
	return true;
}

static int check_id(const char *id, struct err *err)
{
	cleanup_free char *shown = NULL;

	if (container_id_valid(id))
		return 0;
	shown = str_escape(id);
	return err_fail(err, ERR_INVALID, "invalid container ID format: \"%s\"", shown);
}

static int open_root(const struct runtime *rt, bool make, struct err *err)
{
	int fd = open(rt->root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno != ENOENT || !make)
		return err_errno(err, errno, "opening state directory %s", rt->root);
	return path_mkdirs(rt->root, 0700, err);
}

static int lock_dir(int fd, int lock, const char *id, struct err *err)
{
	if (lock && NO_EINTR(flock(fd, lock)) < 0)
		return err_errno(err, errno, "locking the state of container %s", id);
	return 0;
}

int state_dir_create(const struct runtime *rt, const char *id, struct err *err)
{
	cleanup_fd int root = -EBADF;
	cleanup_fd int fd = -EBADF;
	int r;

	r = check_id(id, err);
	if (r < 0)
		return r;
	root = open_root(rt, true, err);
	if (root < 0)
		return root;
	if (mkdirat(root, id, 0700) < 0) {
		if (errno == EEXIST)
			return err_fail(err, ERR_EXISTS, "container with given ID already exists");
		return err_errno(err, errno, "making %s/%s", rt->root, id);
	}
	fd = openat(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = fd < 0 ? err_errno(err, errno, "opening %s/%s", rt->root, id)
		   : lock_dir(fd, LOCK_EX, id, err);
	if (r < 0) {
		unlinkat(root, id, AT_REMOVEDIR);
		return r;
	}
	/* Somebody's delete --force was faster to lock it, and took it for a killed create's. */
	if (state_removed(fd))
		return err_fail(err, ERR_CONFLICT, "container %s was deleted while it was created",
				id);
	return take_fd(fd);
}

int state_dir_open(const struct runtime *rt, const char *id, int lock, struct err *err)
{
	cleanup_fd int root = -EBADF;
	cleanup_fd int fd = -EBADF;
	int r;

	r = check_id(id, err);
	if (r < 0)
		return r;
	root = open(rt->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = root < 0 ? -1 : openat(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return err_fail(err, ERR_NOT_FOUND, "container \"%s\" does not exist", id);
		return err_errno(err, errno, "opening %s/%s", rt->root, id);
	}
	r = lock_dir(fd, lock, id, err);
	if (r < 0)
		return r;
	/* Removed while this process waited for the lock. */
	if (lock && state_removed(fd))
		return err_fail(err, ERR_NOT_FOUND, "container \"%s\" does not exist", id);
	return take_fd(fd);
}

int state_dir_remove(const struct runtime *rt, const char *id, struct err *err)
{
	static const char *const files[] = { STATE_CREATING, STATE_CREATED, STATE_CONFIG,
					     STATE_FREEZER, STATE_FILE };
	cleanup_fd int root = -EBADF;
	cleanup_fd int dir = -EBADF;

	root = open_root(rt, false, err);
	if (root < 0)
		return root;
	dir = openat(root, id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "opening %s/%s", rt->root, id);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		unlinkat(dir, files[i], 0);
	if (unlinkat(root, id, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	/* Something of a killed runtime is left: a temporary file. */
	return path_remove_tree(root, id, err);
}

int state_write(int dirfd, const struct state *st, struct err *err)
{
	CLEANUP(buf_done) struct buf b = BUF_INIT;

	state_format(st, &b);
	return io_replace_file(dirfd, STATE_FILE, b.data, b.len, 0600, false, err);
}

static bool state_alive(const struct state *st)
{
	uint64_t start = 0;
	char status = 'X';

	if (st->pub.pid <= 0 || procfs_stat(st->pub.pid, &status, &start) < 0)
		return false;
	return start == st->pub.pid_start_time && status != 'Z' && status != 'X';
}

static void look_at_process(int dirfd, struct state *st)
{
	if (!state_alive(st)) {
		st->pub.status = CONTAINER_STOPPED;
		st->pub.pid = 0;
	} else if (faccessat(dirfd, STATE_CREATING, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		st->pub.status = CONTAINER_CREATING;
	} else if (cgroup_paths_frozen(st->pub.cgroup_paths)) {
		st->pub.status = CONTAINER_PAUSED;
	} else if (faccessat(dirfd, STATE_CREATED, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		st->pub.status = CONTAINER_CREATED;
	} else {
		st->pub.status = CONTAINER_RUNNING;
	}
}

/* The name of the directory's owner from the host's passwd, "#uid" when it is not there. */
static char *owner_name(int dirfd)
{
	CLEANUP(buf_done) struct buf passwd = BUF_INIT;
	cleanup_user struct user_result user = { 0 };
	struct user_files files = { 0 };
	char uid[16];
	struct stat st;

	if (fstat(dirfd, &st) < 0)
		return xstrdup("");
	if (st.st_uid == 0)
		return xstrdup("root");
	snprintf(uid, sizeof(uid), "%u", st.st_uid);
	if (io_read_file(AT_FDCWD, "/etc/passwd", &passwd, USER_FILE_MAX, NULL) >= 0) {
		files.passwd = buf_str(&passwd);
		files.passwd_len = passwd.len;
	}
	if (user_resolve(uid, &files, &user, NULL) == 0 && user.name)
		return take_ptr(user.name);
	return xasprintf("#%s", uid);
}

/* What the pid and the paths of a state are used for makes strange ones dangerous. */
static int check_state(const struct state *st, struct err *err)
{
	char *const *paths = st->pub.cgroup_paths;

	if (!container_id_valid(st->pub.id))
		return err_fail(err, ERR_CORRUPT, "%s: id is invalid", STATE_FILE);
	if (st->pub.pid < 0 || st->pub.pid == 1)
		return err_fail(err, ERR_CORRUPT, "%s: pid is invalid", STATE_FILE);
	for (size_t i = 0; paths && paths[i]; i++) {
		cleanup_free char *clean = path_clean(paths[i]);

		if (paths[i][0] != '/' || !str_eq(clean, paths[i]))
			return err_fail(err, ERR_CORRUPT, "%s: cgroupPaths[%zu] is invalid",
					STATE_FILE, i);
	}
	return 0;
}

int state_parse(const char *text, size_t len, struct state *ret, struct err *err)
{
	int r;

	*ret = (struct state){ 0 };
	r = json_parse(&state_desc, ret, text, len, STATE_FILE, err);
	if (r >= 0)
		r = check_state(ret, err);
	if (r < 0)
		state_done(ret);
	return r;
}

void state_format(const struct state *st, struct buf *out)
{
	json_write(&state_desc, st, JSON_NEWLINE, out);
}

int state_read(int dirfd, const char *id, struct state *ret, struct err *err)
{
	CLEANUP(buf_done) struct buf b = BUF_INIT;
	int r;

	*ret = (struct state){ 0 };
	r = io_read_file(dirfd, STATE_FILE, &b, STATE_BYTES_MAX, err);
	if (r == -ENOENT)
		return err_fail(err, ERR_NOT_FOUND, "container \"%s\" does not exist", id);
	if (r < 0)
		return err_wrap(err, r, "container %s", id);
	r = state_parse(buf_str(&b), b.len, ret, err);
	if (r < 0)
		return err_wrap(err, r, "container %s", id);
	ret->pub.owner = owner_name(dirfd);
	look_at_process(dirfd, ret);
	return 0;
}

int state_settle(int dirfd, struct state *st, struct err *err)
{
	cleanup_fd int freezer = -EBADF;
	int r;

	if (st->pub.status != CONTAINER_PAUSED)
		return 0;
	r = state_freezer_lock(dirfd, &freezer, err);
	if (r >= 0)
		look_at_process(dirfd, st);
	return r;
}

int state_open(const struct runtime *rt, const char *id, int lock, struct state *ret,
	       struct err *err)
{
	int dir = state_dir_open(rt, id, lock, err);
	int r;

	*ret = (struct state){ 0 };
	if (dir < 0)
		return dir;
	r = state_read(dir, id, ret, err);
	if (r < 0)
		fd_close(dir);
	return r < 0 ? r : dir;
}

void state_done(struct state *st)
{
	container_state_free(&st->pub);
	free(st->cgroups_path);
	rdt_done(&st->rdt);
	free(st->listener_path);
	free(st->listener_metadata);
	free(st->systemd_unit);
	free(st->hooks);
	strv_free(st->streams);
	*st = (struct state){ 0 };
}

int state_pidfd(const struct state *st)
{
	int fd;

	if (st->pub.pid <= 0)
		return -ESRCH;
	fd = pidfd_of(st->pub.pid);
	if (fd < 0)
		return fd;
	/* The pidfd is of the process that has the pid now: only after it was opened is the start
	 * time proof that it is ours. */
	if (!state_alive(st)) {
		fd_close(fd);
		return -ESRCH;
	}
	return fd;
}

int state_kill(const struct state *st, int signo)
{
	cleanup_fd int pidfd = state_pidfd(st);
	int r = pidfd < 0 ? pidfd : pidfd_kill(pidfd, signo);

	if (r != -ENOSYS)
		return r;
	if (!state_alive(st))
		return -ESRCH;
	return kill(st->pub.pid, signo) < 0 ? -errno : 0;
}

int state_wait_end(const struct state *st, int timeout_ms)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	cleanup_fd int pidfd = state_pidfd(st);

	if (pidfd >= 0)
		return pidfd_poll(pidfd, timeout_ms);
	if (pidfd != -ENOSYS)
		return pidfd == -ESRCH ? 1 : pidfd;
	for (int waited = 0; waited < timeout_ms && state_alive(st); waited += 10)
		nanosleep(&pause, NULL);
	return !state_alive(st);
}

/* It has no process yet, or the one that it had was only to make the next: who makes it has the
 * lock. */
static bool is_being_made(int dir)
{
	return faccessat(dir, STATE_CREATING, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
	       flock(dir, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

int container_state_read(const struct runtime *rt, const char *id, struct container_state *ret,
			 struct err *err)
{
	cleanup_state struct state st = { 0 };
	cleanup_fd int dir = state_open(rt, id, 0, &st, err);

	if (dir < 0)
		return dir;
	if (st.pub.status == CONTAINER_STOPPED && is_being_made(dir))
		st.pub.status = CONTAINER_CREATING;
	*ret = st.pub;
	st.pub = (struct container_state){ 0 };
	return 0;
}

void container_state_free(struct container_state *st)
{
	strv_free(st->cgroup_paths);
	free(st->owner);
	st->cgroup_paths = NULL;
	st->owner = NULL;
	free(st->oci_version);
	free(st->id);
	free(st->bundle);
	free(st->rootfs);
	free(st->created);
	for (size_t i = 0; i < st->annotations.n; i++) {
		free(st->annotations.items[i].key);
		free(st->annotations.items[i].value);
	}
	free(st->annotations.items);
	*st = (struct container_state){ 0 };
}

void container_state_write(const struct container_state *st, struct buf *out)
{
	json_write(&public_desc, st, JSON_PRETTY, out);
}

void container_state_write_line(const struct container_state *st, struct buf *out)
{
	json_write(&public_desc, st, 0, out);
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int container_list(const struct runtime *rt, char ***ret_ids, struct err *err)
{
	char **ids = NULL;
	struct dirent *e;
	DIR *d;

	*ret_ids = NULL;
	d = opendir(rt->root);
	if (!d)
		return errno == ENOENT ? 0 : err_errno(err, errno, "opening %s", rt->root);
	while ((e = readdir(d))) {
		/* Strangers' files are no containers. */
		if (container_id_valid(e->d_name) &&
		    (e->d_type == DT_DIR || e->d_type == DT_UNKNOWN))
			strv_add(&ids, e->d_name);
	}
	closedir(d);
	if (ids)
		qsort(ids, strv_len(ids), sizeof(*ids), compare_ids);
	*ret_ids = ids;
	return 0;
}

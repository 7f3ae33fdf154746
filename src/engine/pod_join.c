/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pod_join.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/infra.h"
#include "engine/life.h"
#include "engine/pod_options.h"
#include "runtime/cgroup.h"
#include "runtime/monitor_proto.h"
#include "sys/cgroup.h"

#define LOCK_TIMEOUT_MS 60000
#define LOCK_POLL_MS    2
#define CGROUPS_MAX     (256 * 1024) /* bytes */

/* ---- the lock ---- */

static char *lock_path(struct engine *eng, const char *id)
{
	return xasprintf("%s/pods/%s", eng->runroot, id);
}

static int lock_open(struct engine *eng, const char *id)
{
	cleanup_free char *path = lock_path(eng, id);
	cleanup_free char *dir = path_join(eng->runroot, "pods");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? -errno : fd;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}

static int lock_wait(int fd, int *left_ms)
{
	const struct timespec pause = { .tv_nsec = LOCK_POLL_MS * 1000000L };
	struct flock lk = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	while (fcntl(fd, F_OFD_SETLK, &lk) < 0) {
		if (errno != EAGAIN && errno != EACCES)
			return -errno;
		if (*left_ms <= 0)
			return -EBUSY;
		nanosleep(&pause, NULL);
		*left_ms -= LOCK_POLL_MS;
	}
	return 0;
}

static int lock_within(struct engine *eng, const char *id, int left_ms)
{
	for (;;) {
		cleanup_fd int fd = lock_open(eng, id);
		struct stat st = { 0 };
		int r = fd < 0 ? fd : lock_wait(fd, &left_ms);

		if (r == 0 && fstat(fd, &st) < 0)
			r = -errno;
		if (r < 0)
			return r;
		/* Else it was removed while we waited. */
		if (st.st_nlink)
			return take_fd(fd);
	}
}

int pod_lock(struct engine *eng, const char *id, struct err *err)
{
	int r = lock_within(eng, id, LOCK_TIMEOUT_MS);

	if (r == -EBUSY)
		return err_fail(err, ERR_CONFLICT, "pod %.12s is in use by another command", id);
	return r < 0 ? err_errno(err, -r, "locking pod %.12s", id) : r;
}

int pod_try_lock(struct engine *eng, const char *id)
{
	return lock_within(eng, id, 0);
}

/* ---- the cgroup ---- */

/* In each hierarchy, as this process sees them. */
static int cgroup_paths(const char *rel, char ***ret, struct err *err)
{
	struct cgroup_system sys;
	int r = cgroup_system_read(&sys, err);

	for (size_t i = 0; r == 0 && i < sys.n; i++)
		strv_take(ret, cgroup_path_in(&sys.h[i], rel));
	cgroup_system_done(&sys);
	return r;
}

/* Where it may be: the lines of the lock's file. Written before it is made. */
static int paths_note(int lock, char *const *paths, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_strv char **known = NULL;
	cleanup_buf struct buf more = BUF_INIT;
	int r = lseek(lock, 0, SEEK_SET) < 0 ? -errno : io_read_all(lock, &text, CGROUPS_MAX);

	if (r >= 0) {
		known = strv_split(buf_str(&text), '\n');
		for (size_t i = 0; paths && paths[i]; i++)
			if (!strv_has(known, paths[i]))
				buf_addf(&more, "%s\n", paths[i]);
		r = more.len ? io_write(lock, buf_str(&more), more.len) : 0;
	}
	return r < 0 ? err_errno(err, -r, "noting the cgroup of a pod") : 0;
}

static int cgroup_limit(struct engine *eng, const struct pod *pod, const char *rel,
			char *const *paths, struct err *err)
{
	const struct cgroup_request req = {
		.cgroups_path = rel, .id = pod->id, .rootless = eng->rootless, .take_over = true
	};
	struct spec_resources res = { 0 };
	struct err own = ERR_INIT;
	struct cgroup cg;
	int r = cgroup_create(&req, &cg, &own);

	/* Opened it keeps the device rules of the one above, members have their own; with what a
	 * member has left there, on its way out, v1 refuses to be told so. */
	if (r == 0)
		cgroup_done(&cg);
	if (r == 0 || own.kind == ERR_CONFLICT)
		r = cgroup_open(paths, &cg, &own);
	if (r < 0) {
		*err = own;
		return r;
	}
	cg.rootless = eng->rootless;
	r = pod_limits(&pod->options, &res, err);
	if (r == 0)
		r = cgroup_apply(&cg, &res, err);
	json_free(&spec_resources_desc, &res);
	cgroup_done(&cg);
	return r;
}

static int cgroup_make(struct engine *eng, const struct pod *pod, int lock, struct err *err)
{
	cleanup_free char *rel = pod_cgroup_path(eng, pod);
	cleanup_strv char **paths = NULL;
	int r;

	if (pod->options.no_parent)
		return 0;
	r = cgroup_paths(rel, &paths, err);
	if (r == 0)
		r = paths_note(lock, paths, err);
	/* Without limits it comes as a part of the member's path. */
	if (r == 0 && pod_is_limited(&pod->options))
		r = cgroup_limit(eng, pod, rel, paths, err);
	return r < 0 ? err_wrap(err, r, "making the cgroup of pod %s", pod->name) : 0;
}

/* As noted. A line that is cut off, say because of a full disk, names somebody else's. */
static int cgroup_find(const char *id, int lock, struct cgroup *ret, struct err *err)
{
	cleanup_free char *end = xasprintf("/%s", id);
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_strv char **lines = NULL, **paths = NULL;
	int r = lseek(lock, 0, SEEK_SET) < 0 ? -errno : io_read_all(lock, &text, CGROUPS_MAX);

	if (r < 0)
		return err_errno(err, -r, "reading where the cgroup of pod %.12s is", id);
	lines = strv_split(buf_str(&text), '\n');
	for (size_t i = 0; lines[i]; i++)
		if (str_ends(lines[i], end))
			strv_add(&paths, lines[i]);
	return cgroup_open(paths, ret, err);
}

int pod_is_used(const char *id, int lock, struct err *err)
{
	cleanup_free pid_t *pids = NULL;
	struct cgroup cg;
	size_t n = 0;
	int r = cgroup_find(id, lock, &cg, err);

	if (r < 0)
		return r;
	r = cgroup_pids(&cg, &pids, &n, err);
	cgroup_done(&cg);
	return r < 0 ? r : n > 0;
}

int pod_clear(struct engine *eng, const char *id, int lock, struct err *err)
{
	cleanup_free char *path = lock_path(eng, id);
	struct cgroup cg;
	int r = cgroup_find(id, lock, &cg, err);

	if (r == 0) {
		r = cgroup_delete(&cg, err);
		cgroup_done(&cg);
	}
	if (r < 0)
		return err_wrap(err, r, "removing the cgroup of pod %.12s", id);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_errno(err, errno, "removing %s", path);
	return 0;
}

/* ---- the namespaces ---- */

struct wanted {
	int type; /* as of struct join_fd */
	const char *name;
	bool always; /* whatever else is shared belongs to it: an unprivileged user's namespaces */
};

static size_t list_wanted(struct engine *eng, const struct record *rec, struct wanted *ret)
{
	size_t n = 0;

	if (!strv_len(rec->options.pod_share))
		return 0;
	if (eng->rootless)
		ret[n++] = (struct wanted){ NS_USER, spec_ns_names[NS_USER], true };
	for (int i = 0; i < NS_COUNT; i++)
		if (strv_has(rec->options.pod_share, spec_ns_names[i]) &&
		    !(i == NS_USER && eng->rootless) && !(rec->options.infra && infra_holds(i)))
			ret[n++] = (struct wanted){ i, spec_ns_names[i], false };
	if (strv_has(rec->options.pod_share, spec_ns_names[NS_IPC]))
		ret[n++] = (struct wanted){ MONITOR_JOIN_SHM, spec_ns_names[NS_IPC], false };
	return n;
}

static bool has(const struct record *member, const struct wanted *w)
{
	return strv_has(member->options.pod_share, w->name) ||
	       (w->always && strv_len(member->options.pod_share) > 0);
}

static bool is_open(const struct join_fd *fds, int n, int type)
{
	for (int i = 0; i < n; i++)
		if (fds[i].type == type)
			return true;
	return false;
}

static int open_wanted(struct engine *eng, const struct record *member, const struct wanted *w,
		       struct err *err)
{
	return w->type == MONITOR_JOIN_SHM ? joins_open_shm(eng, member, err)
					   : joins_open_one(eng, member, w->name, err);
}

/* What this one has of those that are still to be found, added to ret. 1: it runs, 0, or -errno. */
static int open_at(struct engine *eng, const struct record *member, const struct wanted *wanted,
		   size_t n_wanted, struct join_fd *ret, int *n, struct err *err)
{
	int r = joins_settled(eng, member);

	for (size_t i = 0; r >= 0 && i < n_wanted; i++) {
		if (!has(member, &wanted[i]) || is_open(ret, *n, wanted[i].type))
			continue;
		r = open_wanted(eng, member, &wanted[i], err);
		if (r >= 0)
			ret[(*n)++] = (struct join_fd){ wanted[i].type, r };
	}
	/* It has ended. */
	if (r == -ESRCH)
		return 0;
	return r < 0 ? r : 1;
}

static void close_all(struct join_fd *fds, int n)
{
	while (n > 0)
		fd_close(fds[--n].fd);
}

int pod_join(struct engine *eng, const struct record *rec, int lock, struct join_fd *ret,
	     size_t max, struct err *err)
{
	cleanup_record_list struct record_list all = { 0 };
	cleanup_pod struct pod pod = { 0 };
	struct wanted wanted[NS_COUNT + 2];
	size_t n_wanted = list_wanted(eng, rec, wanted);
	bool running = false;
	int n = 0, r;

	r = n_wanted > max ? err_fail(err, ERR_INVALID, "too many namespaces are joined") : 0;
	if (r == 0)
		r = pod_find(eng, rec->pod, &pod, err);
	if (r == 0 && !rec->options.infra && pod_has_infra(&pod))
		r = infra_start(eng, &pod, lock, err);
	if (r == 0)
		r = record_list_pod(eng, rec->pod, &all, err);
	for (size_t i = 0; r >= 0 && i < all.n; i++) {
		struct record *member = &all.items[i];

		/* One whose removal can't be finished holds up nobody. */
		if (str_eq(member->id, rec->id) || !member->running)
			continue;
		/* What has lost its monitor is ended first. */
		r = life_repair(eng, member, err);
		if (r != 0 || !member->running)
			continue;
		r = open_at(eng, member, wanted, n_wanted, ret, &n, err);
		running |= r > 0;
	}
	if (r >= 0 && !running)
		r = cgroup_make(eng, &pod, lock, err);
	/* It was ended in between. */
	if (r >= 0 && !rec->options.infra && pod_has_infra(&pod) && (size_t)n < n_wanted)
		r = err_fail(err, ERR_CONFLICT, "the infra container of pod %s does not run",
			     pod.name);
	if (r < 0)
		close_all(ret, n);
	return r < 0 ? r : n;
}

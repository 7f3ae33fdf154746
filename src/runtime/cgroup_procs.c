/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a cgroup: joining, signals, the freezer. */
#include <fcntl.h>
#include <signal.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/timeutil.h"
#include "runtime/cgroup_priv.h"

#define FREEZE_TIMEOUT_NS (10 * 1000 * 1000 * 1000LL)
/* While processes fork as fast as they are killed and nothing can stop them. */
#define KILL_ROUNDS_MAX 100

int cgroup_open_join(const struct cgroup *cg, int *fds, size_t n, struct err *err)
{
	size_t used = 0;

	for (size_t i = 0; i < cg->n; i++) {
		const struct cgroup_dir *dir = &cg->dirs[i];
		if (dir->v2)
			continue;
		int fd = used == n ? -EMFILE : cgroup_file_open(dir, "tasks", O_WRONLY);
		if (fd < 0) {
			while (used > 0)
				fd_close(fds[--used]);
			return err_errno(err, -fd, "opening tasks of cgroup %s", dir->path);
		}
		fds[used++] = fd;
	}
	return (int)used;
}

int cgroup_clone_fd(const struct cgroup *cg)
{
	const struct cgroup_dir *dir = cgroup_dir_find_const(cg, NULL);

	return dir ? dir->fd : -EBADF;
}

bool cgroup_clone_is_frozen(const struct cgroup *cg)
{
	const struct cgroup_dir *dir = cgroup_dir_find_const(cg, NULL);

	return dir && cgroup_is_frozen(dir);
}

int cgroup_join_pid(const struct cgroup *cg, pid_t pid, struct err *err)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	for (size_t i = 0; i < cg->n; i++) {
		int r = cgroup_file_write(&cg->dirs[i], "cgroup.procs", text, err);
		if ((r == -EACCES || r == -EPERM) && cg->unit && cg->dirs[i].v2)
			r = cgroup_unit_attach(cg, pid, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- the freezer --- */

/* v1's own controller, or the cgroup2 where it is part of the core (kernel >= 5.2). *ret_file is
 * its switch. cgroup_open does not know controllers: what matters is the file. */
static const struct cgroup_dir *freezer_find(const struct cgroup *cg, const char **ret_file)
{
	const struct cgroup_dir *v2 = NULL;

	for (size_t i = 0; i < cg->n; i++) {
		const struct cgroup_dir *dir = &cg->dirs[i];
		if (dir->v2) {
			v2 = dir;
		} else if (cgroup_file_exists(dir, "freezer.state")) {
			*ret_file = "freezer.state";
			return dir;
		}
	}
	if (!v2 || !cgroup_file_exists(v2, "cgroup.freeze"))
		return NULL;
	*ret_file = "cgroup.freeze";
	return v2;
}

bool cgroup_is_frozen(const struct cgroup_dir *dir)
{
	char text[256];

	if (dir->v2)
		return cgroup_file_read(dir, "cgroup.events", text, sizeof(text)) > 0 &&
		       strstr(text, "frozen 1");
	return cgroup_file_read(dir, "freezer.state", text, sizeof(text)) > 0 &&
	       str_eq(text, "FROZEN");
}

bool cgroup_is_held(const struct cgroup *cg)
{
	char text[32];

	for (size_t i = 0; i < cg->n; i++)
		if (!cg->dirs[i].v2 &&
		    cgroup_file_read(&cg->dirs[i], "freezer.state", text, sizeof(text)) > 0)
			return !str_eq(text, "THAWED");
	return false;
}

/* "0" or "1" of the file that says so of the cgroup alone; -ENOENT: no such file there. */
static int self_frozen(const char *path, const char *file)
{
	const struct cgroup_dir dir = { .fd = -EBADF, .path = (char *)(uintptr_t)path };
	char text[8];
	ssize_t n = cgroup_file_read(&dir, file, text, sizeof(text));

	return n < 0 ? (int)n : str_eq(text, "1");
}

bool cgroup_paths_frozen(char *const *paths)
{
	int r = -ENOENT;

	/* Mostly the first look hits; the others are for freezers mounted in unusual places. */
	for (size_t i = 0; paths && paths[i] && r == -ENOENT; i++)
		if (strstr(paths[i], "/freezer"))
			r = self_frozen(paths[i], "freezer.self_freezing");
	for (size_t i = 0; paths && paths[i] && r == -ENOENT; i++)
		r = self_frozen(paths[i], "freezer.self_freezing");
	for (size_t i = 0; paths && paths[i] && r == -ENOENT; i++)
		r = self_frozen(paths[i], "cgroup.freeze");
	return r > 0;
}

static int freeze(const struct cgroup_dir *dir, const char *file, struct err *err)
{
	int64_t deadline = time_monotonic_ns() + FREEZE_TIMEOUT_NS;
	unsigned int us = 50;

	do {
		/* v1 stays in FREEZING when processes appear meanwhile; writing again goes on. */
		int r = cgroup_file_write(dir, file, dir->v2 ? "1" : "FROZEN", err);
		if (r < 0)
			return r;
		if (cgroup_is_frozen(dir))
			return 0;
	} while (cgroup_backoff(deadline, &us));

	cgroup_file_write(dir, file, dir->v2 ? "0" : "THAWED", NULL);
	return err_errno(err, ETIMEDOUT, "freezing cgroup %s", dir->path);
}

int cgroup_freeze(const struct cgroup *cg, bool frozen, struct err *err)
{
	const char *file = NULL;
	const struct cgroup_dir *dir = freezer_find(cg, &file);

	if (!dir) {
		if (!frozen)
			return 0;
		return err_fail(err, ERR_UNSUPPORTED,
				"the container has no freezer cgroup: it can't be paused");
	}
	if (!frozen)
		return cgroup_file_write(dir, file, dir->v2 ? "0" : "THAWED", err);
	return freeze(dir, file, err);
}

/* --- signals --- */

/* Where all processes are listed: a v1 hierarchy when there is one, as joining starts there. */
static const struct cgroup_dir *procs_dir(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->n; i++)
		if (!cg->dirs[i].v2)
			return &cg->dirs[i];
	return cg->n ? &cg->dirs[0] : NULL;
}

int cgroup_pids(const struct cgroup *cg, pid_t **ret, size_t *ret_n, struct err *err)
{
	const struct cgroup_dir *dir = procs_dir(cg);
	int r;

	*ret = NULL;
	*ret_n = 0;
	if (!dir)
		return 0;
	r = cgroup_pids_read(dir, ret, ret_n);
	return r < 0 && r != -ENOENT && r != -ENODEV
		   ? err_errno(err, -r, "reading the processes of cgroup %s", dir->path)
		   : 0;
}

static int signal_all(const struct cgroup_dir *dir, int signo, size_t *ret_n, struct err *err)
{
	cleanup_free pid_t *pids = NULL;
	size_t n = 0;
	int r = cgroup_pids_read(dir, &pids, &n);

	*ret_n = 0;
	if (r == -ENOENT || r == -ENODEV)
		return 0;
	if (r < 0)
		return err_errno(err, -r, "reading the processes of cgroup %s", dir->path);
	for (size_t i = 0; i < n; i++) {
		if (pids[i] == getpid())
			continue;
		if (kill(pids[i], signo) < 0 && errno != ESRCH) {
			r = err_errno(err, errno, "sending signal %d to process %d", signo,
				      pids[i]);
			break;
		}
		(*ret_n)++;
	}
	return r;
}

static bool has_live(const struct cgroup_dir *dir)
{
	cleanup_free pid_t *pids = NULL;
	size_t n = 0;

	return cgroup_pids_read(dir, &pids, &n) == 0 && n > 0;
}

/* Without a freezer new processes may appear between reading the list and the signals. SIGKILL goes
 * on until the list is empty or its processes are only taking their time to die. */
static int signal_rounds(const struct cgroup_dir *dir, int signo, struct err *err)
{
	unsigned int us = 50;
	size_t n;

	for (int round = 0; round < KILL_ROUNDS_MAX; round++) {
		int r = signal_all(dir, signo, &n, err);
		if (r < 0 || signo != SIGKILL || n == 0)
			return r;
		cgroup_backoff(INT64_MAX, &us);
		if (!has_live(dir))
			return 0;
	}
	return 0;
}

/* One write for the whole tree, fork bombs included (kernel >= 5.14). */
static bool kill_by_kernel(const struct cgroup *cg)
{
	const struct cgroup_dir *v2 = cgroup_dir_find_const(cg, NULL);

	return v2 && cgroup_file_write(v2, "cgroup.kill", "1", NULL) == 0;
}

/* A v1 freezer holds back even SIGKILL; thawing what is not frozen costs nothing. Below it there
 * may be some that the container froze itself. */
void cgroup_thaw_to_die(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->n; i++) {
		const struct cgroup_dir *dir = &cg->dirs[i];

		if (dir->v2 || cgroup_file_write(dir, "freezer.state", "THAWED", NULL) < 0)
			continue;
		cgroup_children_thaw(dir);
		return;
	}
}

int cgroup_kill(const struct cgroup *cg, int signo, struct err *err)
{
	const struct cgroup_dir *procs = procs_dir(cg), *freezer;
	struct err ignored = ERR_INIT;
	const char *file = NULL;
	size_t n;

	if (signo == SIGKILL && kill_by_kernel(cg)) {
		cgroup_thaw_to_die(cg);
		return 0;
	}
	if (!procs || !has_live(procs))
		return 0;
	freezer = freezer_find(cg, &file);
	bool was_frozen = freezer && cgroup_is_frozen(freezer);
	/* Stopped, none can fork away, and on v1 none can die so that its pid becomes another's. */
	if (!was_frozen && (!freezer || freeze(freezer, file, &ignored) < 0)) {
		log_debug("signalling cgroup %s without a freezer: %s", procs->path, ignored.msg);
		return signal_rounds(procs, signo, err);
	}
	int r = signal_all(procs, signo, &n, err);
	if (!was_frozen || signo == SIGKILL) {
		int t = cgroup_file_write(freezer, file, freezer->v2 ? "0" : "THAWED",
					  r < 0 ? NULL : err);
		if (r == 0 && t != -ENOENT && t != -ENODEV)
			r = t;
	}
	if (signo == SIGKILL)
		cgroup_thaw_to_die(cg);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/file.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/timeutil.h"
#include "runtime/cgroup.h"
#include "runtime/hooks.h"
#include "runtime/state.h"
#include "sys/pidfd.h"

#define KILL_TIMEOUT_MS   10000
#define KILL_EVERY_MS     100
#define ORPHAN_TIMEOUT_MS 5000
#define BUSY_TIMEOUT_MS   8000

/*
 * A runtime was killed while it made them: the same call takes what there is over. An init that it
 * left ends by itself, as nobody answers it; until then the cgroup is in use. One that stays in use
 * is another container's, and where none can be made none was: the container has no cgroup then,
 * and must not stay for that.
 */
static void take_cgroup_over(const struct runtime *rt, const struct state *st, struct cgroup *cg)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	const struct cgroup_request req = { .cgroups_path = st->cgroups_path,
					    .id = st->pub.id,
					    .rootless = rt->rootless,
					    .take_over = true };
	struct err last = ERR_INIT;
	int r = 0;

	for (int i = 0; i < ORPHAN_TIMEOUT_MS / 10; i++) {
		r = cgroup_create(&req, cg, &last);
		if (r >= 0 || last.kind != ERR_CONFLICT)
			break;
		nanosleep(&pause, NULL);
	}
	if (r < 0) {
		*cg = (struct cgroup){ 0 };
		log_warn("leaving the cgroup of container %s alone: %s", st->pub.id, last.msg);
	}
}

static int open_cgroup(const struct runtime *rt, const struct state *st, struct cgroup *cg,
		       struct err *err)
{
	if (st->pub.cgroup_paths) {
		int r = cgroup_open(st->pub.cgroup_paths, cg, err);
		if (r >= 0 && st->systemd_unit)
			cgroup_set_unit(cg, st->systemd_unit, st->systemd_user);
		return r;
	}
	*cg = (struct cgroup){ 0 };
	if (st->cgroups_planned && !st->systemd_unit)
		take_cgroup_over(rt, st, cg);
	return 0;
}

/* Also when the first process is gone: others may be left without a pid namespace. 1: there is no
 * cgroup that knows the processes. */
static int kill_all(const struct runtime *rt, const struct state *st, int signo, struct err *err)
{
	CLEANUP(cgroup_done) struct cgroup cg = { 0 };
	int r = st->pub.cgroup_paths ? open_cgroup(rt, st, &cg, err) : 0;

	if (r < 0)
		return r;
	return cg.n ? cgroup_kill(&cg, signo, err) : 1;
}

/* SIGKILL, too, is held back by a v1 freezer: the container's own, or one that it has below, on
 * whose processes the first one of a pid namespace waits. */
static int thaw(const struct state *st, struct err *err)
{
	CLEANUP(cgroup_done) struct cgroup cg = { 0 };
	bool paused = st->pub.status == CONTAINER_PAUSED;
	int r = cgroup_open(st->pub.cgroup_paths, &cg, paused ? err : NULL);

	if (r >= 0 && paused)
		r = cgroup_freeze(&cg, false, err);
	cgroup_thaw_to_die(&cg);
	return paused ? r : 0;
}

int container_kill(const struct runtime *rt, const char *id, int signo, bool all, struct err *err)
{
	cleanup_state struct state st = { 0 };
	cleanup_fd int dir = state_open(rt, id, 0, &st, err);
	int r;

	if (dir < 0)
		return dir;
	if (all || (signo == SIGKILL && st.shares_pid_ns)) {
		bool gone = st.pub.status == CONTAINER_STOPPED && !all;
		cleanup_fd int freezer = -EBADF;

		r = gone ? 1 : 0;
		/* It stops them for a moment: who pauses them comes before or after that. */
		if (!gone && signo != SIGKILL)
			r = state_freezer_lock(dir, &freezer, err);
		if (r == 0)
			r = kill_all(rt, &st, signo, err);
		if (r <= 0)
			return r;
		if (!gone && (st.shares_pid_ns || signo != SIGKILL))
			log_warn(
			    "container %s has no cgroup: only its first process gets the signal",
			    id);
	}
	r = state_kill(&st, signo);
	if (r == -ESRCH && all)
		return 0;
	if (r == -ESRCH)
		return err_fail(err, ERR_CONFLICT, "container not running");
	if (r < 0)
		return err_errno(err, -r, "sending signal %d to container %s", signo, id);
	return signo == SIGKILL ? thaw(&st, err) : 0;
}

static int check_deletable(const struct state *st, bool force, struct err *err)
{
	if (force || st->pub.status == CONTAINER_STOPPED || st->pub.status == CONTAINER_CREATED)
		return 0;
	return err_fail(err, ERR_CONFLICT, "cannot delete container %s that is not stopped: %s",
			st->pub.id, container_status_names[st->pub.status]);
}

static int kill_init(const struct state *st, const struct cgroup *cg, struct err *err)
{
	int r = state_kill(st, SIGKILL);

	if (r == -ESRCH)
		return 0;
	if (r < 0)
		return err_errno(err, -r, "killing container %s", st->pub.id);
	for (int waited = 0; waited < KILL_TIMEOUT_MS; waited += KILL_EVERY_MS) {
		r = state_wait_end(st, KILL_EVERY_MS);
		if (r > 0)
			return 0;
		if (r < 0)
			return err_errno(err, -r, "waiting for the end of container %s",
					 st->pub.id);
		/* A pause at the same moment may have frozen it again. */
		if (cg->n)
			cgroup_kill(cg, SIGKILL, NULL);
		if (waited && cgroup_is_held(cg)) {
			r = err_fail(err, ERR_CONFLICT,
				     "container %s was killed, but is frozen by a cgroup above its "
				     "own",
				     st->pub.id);
			return err_hint(err, r, "thaw that one, then delete the container");
		}
	}
	return err_fail(err, ERR_SYSTEM, "container %s: the first process does not end",
			st->pub.id);
}

static void run_poststop(const struct state *st)
{
	CLEANUP(hooks_saved_done) struct hooks_saved hooks = { 0 };
	struct err err = ERR_INIT;

	if (hooks_load(st->hooks, &hooks, &err) < 0)
		log_warn("%s", err.msg);
	else
		hooks_run_all("poststop", &hooks.poststop, &st->pub, CONTAINER_STOPPED, -EBADF);
}

static int destroy(const struct runtime *rt, const struct state *st, struct err *err)
{
	CLEANUP(cgroup_done) struct cgroup cg = { 0 };
	int r = 0;

	/* Before its cgroups were on record: as long as it is in there these can't be taken over.
	 */
	if (!st->pub.cgroup_paths)
		r = kill_init(st, &cg, err);
	if (r >= 0)
		r = open_cgroup(rt, st, &cg, err);
	if (r < 0)
		return r;
	/* Before the first process: a frozen one would not die, others must not outlive it. */
	if (cg.n && st->pub.status != CONTAINER_STOPPED)
		cgroup_kill(&cg, SIGKILL, NULL);
	r = kill_init(st, &cg, err);
	if (r < 0)
		return r;
	/* Kills what is left, or was made meanwhile, without a pid namespace. */
	r = cg.n || cg.unit ? cgroup_delete(&cg, err) : 0;
	if (st->systemd_unit && !st->pub.cgroup_paths)
		cgroup_unit_forget(st->cgroups_path, st->pub.id, st->systemd_user);
	if (r >= 0)
		r = rdt_remove(&st->rdt, err);
	if (r >= 0)
		r = state_dir_remove(rt, st->pub.id, err);
	if (r >= 0)
		run_poststop(st);
	return r;
}

/* What a create or start that holds the lock waits for, mostly. */
static void kill_unlocked(const struct runtime *rt, const char *id)
{
	cleanup_state struct state st = { 0 };
	cleanup_fd int dir = state_open(rt, id, 0, &st, NULL);
	cleanup_fd int pidfd = -EBADF;

	if (dir < 0)
		return;
	pidfd = state_pidfd(&st);
	if (pidfd >= 0)
		pidfd_kill(pidfd, SIGKILL);
}

/* A command that hangs, in a hook or on a dead filesystem, must not make this one hang as well. */
static int lock_by_force(const struct runtime *rt, const char *id, struct err *err)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	int64_t end = time_monotonic_ns() + BUSY_TIMEOUT_MS * INT64_C(1000000);
	int dir = -EAGAIN;

	while (time_monotonic_ns() < end) {
		dir = state_dir_open(rt, id, LOCK_EX | LOCK_NB, err);
		if (dir != -EAGAIN)
			return dir;
		kill_unlocked(rt, id);
		nanosleep(&pause, NULL);
	}
	dir = err_fail(err, ERR_CONFLICT, "container %s is busy: another command works on it", id);
	return err_hint(err, dir, "it may wait for a hook: end that command first");
}

int container_delete(const struct runtime *rt, const char *id, bool force, struct err *err)
{
	cleanup_fd int dir =
	    force ? lock_by_force(rt, id, err) : state_dir_open(rt, id, LOCK_EX, err);
	cleanup_state struct state st = { 0 };
	struct err first = ERR_INIT;
	int r;

	if (dir == -ENOENT && force)
		return 0;
	if (dir < 0)
		return dir;
	r = state_read(dir, id, &st, &first);
	if (r < 0 && force &&
	    (first.kind == ERR_NOT_FOUND || first.kind == ERR_CORRUPT || first.kind == ERR_INVALID))
		/* Killed before anything but the directory was made. */
		return state_dir_remove(rt, id, err);
	if (r < 0) {
		if (err)
			*err = first;
		return r;
	}
	r = check_deletable(&st, force, err);
	return r < 0 ? r : destroy(rt, &st, err);
}

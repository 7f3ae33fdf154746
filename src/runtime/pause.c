/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "runtime/cgroup.h"
#include "runtime/state.h"

static int set_frozen(const struct runtime *rt, const struct state *st, bool frozen,
		      struct err *err)
{
	CLEANUP(cgroup_done) struct cgroup cg = { 0 };
	int r = cgroup_open(st->pub.cgroup_paths, &cg, err);

	if (r >= 0)
		r = cgroup_freeze(&cg, frozen, err);
	/* One that has ended meanwhile has no cgroup any more. */
	if (r < 0 && state_wait_end(st, 0) > 0)
		return err_fail(err, ERR_CONFLICT, "container not running");
	if (r < 0 && rt->rootless)
		err_hint(err, r, "an unprivileged user needs a delegated cgroup for this");
	return r;
}

/* Its state as nobody changes it: kill --all stops the processes for a moment. */
static int look(const struct runtime *rt, const char *id, struct state *st, int *ret_freezer,
		struct err *err)
{
	cleanup_fd int dir = state_dir_open(rt, id, 0, err);
	int r = dir < 0 ? dir : state_freezer_lock(dir, ret_freezer, err);

	return r < 0 ? r : state_read(dir, id, st, err);
}

int container_pause(const struct runtime *rt, const char *id, struct err *err)
{
	cleanup_state struct state st = { 0 };
	cleanup_fd int freezer = -EBADF;
	int r = look(rt, id, &st, &freezer, err);

	if (r < 0)
		return r;
	if (st.pub.status != CONTAINER_RUNNING && st.pub.status != CONTAINER_CREATED)
		return err_fail(err, ERR_CONFLICT, "container not running: it is %s",
				container_status_names[st.pub.status]);
	r = set_frozen(rt, &st, true, err);
	return r < 0 ? err_wrap(err, r, "pausing container %s", id) : 0;
}

int container_resume(const struct runtime *rt, const char *id, struct err *err)
{
	cleanup_state struct state st = { 0 };
	cleanup_fd int freezer = -EBADF;
	int r = look(rt, id, &st, &freezer, err);

	if (r < 0)
		return r;
	if (st.pub.status != CONTAINER_PAUSED)
		return err_fail(err, ERR_CONFLICT, "container not paused: it is %s",
				container_status_names[st.pub.status]);
	r = set_frozen(rt, &st, false, err);
	return r < 0 ? err_wrap(err, r, "resuming container %s", id) : 0;
}

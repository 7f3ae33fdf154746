/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/timeutil.h"
#include "runtime/cgroup_oom.h"
#include "runtime/cgroup_stats.h"
#include "runtime/state.h"
#include "sys/pidfd.h"

/* The state and the cgroup of a container that has not stopped. */
static int open_running(const struct runtime *rt, const char *id, struct state *st,
			struct cgroup *cg, struct err *err)
{
	cleanup_fd int dir = state_open(rt, id, 0, st, err);

	if (dir < 0)
		return dir;
	if (st->pub.status == CONTAINER_STOPPED)
		return err_fail(err, ERR_CONFLICT, "container with id %s is not running", id);
	return cgroup_open(st->pub.cgroup_paths, cg, err);
}

int container_stats(const struct runtime *rt, const char *id, struct cgroup_stats *ret,
		    struct err *err)
{
	CLEANUP(cgroup_done) struct cgroup cg = { 0 };
	cleanup_state struct state st = { 0 };
	int r = open_running(rt, id, &st, &cg, err);

	if (r < 0)
		return r;
	r = cgroup_stats_read(&cg, ret, err);
	return r < 0 ? err_wrap(err, r, "reading the statistics of container %s", id) : 0;
}

int container_usage(const struct runtime *rt, const char *id, struct cgroup_stats *ret,
		    pid_t *ret_pid, struct err *err)
{
	CLEANUP(cgroup_done) struct cgroup cg = { 0 };
	cleanup_state struct state st = { 0 };
	int r = open_running(rt, id, &st, &cg, err);

	if (r < 0)
		return r;
	*ret_pid = st.pub.pid;
	r = cgroup_usage_read(&cg, ret, err);
	return r < 0 ? err_wrap(err, r, "reading the statistics of container %s", id) : 0;
}

int container_memory(const struct runtime *rt, const char *id, struct cgroup_memory *ret,
		     struct err *err)
{
	CLEANUP(cgroup_done) struct cgroup cg = { 0 };
	cleanup_state struct state st = { 0 };
	cleanup_fd int dir = state_open(rt, id, 0, &st, err);
	int r = dir < 0 ? dir : cgroup_open(st.pub.cgroup_paths, &cg, err);

	return r < 0 ? r : cgroup_memory_read(&cg, ret, err);
}

struct container_watch {
	struct cgroup_oom oom;
	int pidfd;
};

int container_watch_new(const struct runtime *rt, const char *id, struct container_watch **ret,
			struct err *err)
{
	CLEANUP(cgroup_done) struct cgroup cg = { 0 };
	cleanup_state struct state st = { 0 };
	struct container_watch w = { .pidfd = -EBADF };
	struct err oom_err = ERR_INIT;
	int r = open_running(rt, id, &st, &cg, err);

	if (r < 0)
		return r;
	w.pidfd = state_pidfd(&st);
	if (w.pidfd == -ESRCH)
		return err_fail(err, ERR_CONFLICT, "container with id %s is not running", id);
	if (w.pidfd < 0)
		return err_errno(err, -w.pidfd, "opening the first process of container %s", id);
	if (cgroup_oom_watch(&cg, &w.oom, &oom_err) < 0)
		log_warn("container %s: out-of-memory kills will not be told: %s", id, oom_err.msg);
	*ret = xmalloc(sizeof(w));
	**ret = w;
	return 0;
}

int container_watch_wait(struct container_watch *w, int timeout_ms)
{
	int64_t end = time_monotonic_ns() + timeout_ms * 1000000LL;
	struct pollfd p[] = { { .fd = w->oom.fd, .events = POLLIN },
			      { .fd = w->pidfd, .events = POLLIN } };

	for (;;) {
		int64_t left = timeout_ms < 0 ? -1 : (end - time_monotonic_ns() + 999999) / 1000000;
		int n = poll(p, ARRAY_SIZE(p), timeout_ms >= 0 && left < 0 ? 0 : (int)left);

		if (n < 0 && errno != EINTR)
			return -errno;
		/* Before the end is looked at: it may be the reason for it. */
		if (cgroup_oom_happened(&w->oom))
			return CONTAINER_OOM;
		if (n > 0 && p[1].revents)
			return CONTAINER_ENDED;
		if (n == 0)
			return CONTAINER_NOTHING;
	}
}

void container_watch_free(struct container_watch *w)
{
	if (!w)
		return;
	cgroup_oom_done(&w->oom);
	fd_close(w->pidfd);
	free(w);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Up to the moment when criu runs, where the container is to be. The cgroup is made as create makes
 * it: the directories of cgroup2 before the process, a unit of systemd's with it. */
#include <fcntl.h>
#include <sched.h>

#include "base/fd.h"
#include "base/strv.h"
#include "runtime/cancel.h"
#include "runtime/restore.h"
#include "runtime/sync.h"
#include "sys/clone.h"
#include "sys/procfs.h"
#include "sys/uapi.h"

static int begin_cgroup(struct restoration *r, struct err *err)
{
	const struct spec_linux *l = r->spec->linux_;
	const struct cgroup_request req = {
		.cgroups_path = l->cgroups_path,
		.id = r->create->id,
		.rootless = r->rt->rootless,
		.systemd = r->rt->systemd_cgroup,
		.annotations = &r->spec->annotations,
		.resources = l->resources,
	};
	int e = req.systemd ? 0 : state_write(r->dir, &r->st, err);

	if (e >= 0)
		e = cgroup_create_begin(&req, &r->cg, err);
	r->cgroup_made = e >= 0;
	return e;
}

/* Until there is a first process, criu stands for it: to kill it ends all. */
static int record_criu(struct restoration *r, struct err *err)
{
	const char *unit = cgroup_unit_name(&r->cg, &r->st.systemd_user);
	int fd = openat(r->dir, STATE_CREATING, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int e;

	if (fd < 0)
		return err_errno(err, errno, "recording the container as being created");
	fd_close(fd);
	if (unit)
		r->st.systemd_unit = xstrdup(unit);
	r->st.pub.pid = r->criu.pid;
	e = procfs_stat(r->criu.pid, NULL, &r->st.pub.pid_start_time);
	if (e < 0)
		return err_errno(err, -e, "reading /proc/%d/stat", r->criu.pid);
	return state_write(r->dir, &r->st, err);
}

/* The paths are on record before anything else is in them: what a killed runtime leaves is found.
 */
static int finish_cgroup(struct restoration *r, bool joined, struct err *err)
{
	int e = record_criu(r, err);

	if (e >= 0)
		e = cgroup_enter_unit(&r->cg, r->criu.pid, err);
	if (e >= 0)
		e = cgroup_create_finish(&r->cg, err);
	if (e < 0)
		return e;
	for (size_t i = 0; i < r->cg.n; i++)
		strv_add(&r->st.pub.cgroup_paths, r->cg.dirs[i].path);
	e = state_write(r->dir, &r->st, err);
	if (e >= 0)
		e = cgroup_apply(&r->cg, r->spec->linux_->resources, err);
	return e < 0 || joined ? e : cgroup_join_pid(&r->cg, r->criu.pid, err);
}

static int let_join(struct restoration *r, int sync, struct err *err)
{
	int fds[SYNC_FDS_MAX];
	int n = cgroup_open_join(&r->cg, fds, ARRAY_SIZE(fds), err);
	int e;

	if (n < 0)
		return n;
	e = sync_send(sync, SYNC_CGROUP, 0, fds, (size_t)n);
	while (n > 0)
		fd_close(fds[--n]);
	/* One that has failed has left its error to be read. */
	if (e == 0 || e == -EPIPE || e == -ECONNRESET)
		return 0;
	return err_errno(err, -e, "talking to the process for criu");
}

/* Its children will be in the group, too. */
static int set_up_rdt(struct restoration *r, struct err *err)
{
	int e = rdt_make(&r->st.rdt, err);

	if (e >= 0)
		e = rdt_configure(&r->st.rdt, r->spec->linux_->intel_rdt, err);
	return e < 0 ? e : rdt_join(&r->st.rdt, r->criu.pid, err);
}

static pid_t clone_child(struct restoration *r, bool *joined, struct err *err)
{
	struct clone_spec spec = { .flags = CLONE_NEWNS | CLONE_CLEAR_SIGHAND,
				   .cgroup_fd = cgroup_clone_fd(&r->cg) };
	pid_t pid = -ENOSYS;

	*joined = true;
	/* As in create: one that does not begin would be left by a runtime that is killed. */
	if (spec.cgroup_fd < 0 || !cgroup_clone_is_frozen(&r->cg))
		pid = clone_process(&spec, &r->criu.pidfd);
	if (pid == -ENOSYS && spec.cgroup_fd >= 0) {
		spec.cgroup_fd = -EBADF;
		*joined = false;
		pid = clone_process(&spec, &r->criu.pidfd);
	}
	if (pid == 0)
		restore_child_main(&r->child);
	if (pid < 0)
		return err_errno(err, -pid, "making a process for criu");
	r->criu.pid = pid;
	return pid;
}

/* Up to the moment when criu runs. */
static int follow_child(struct restoration *r, int sync, struct err *err)
{
	for (;;) {
		struct sync_msg msg;
		int e = cancel_wait(r->create->cancel_fd, sync, err);

		if (e >= 0)
			e = sync_recv(sync, &msg, err);
		if (e < 0)
			return e;
		if (e == 0 && r->criu.sock < 0)
			return err_fail(err, ERR_SYSTEM, "the process for criu was killed");
		if (e == 0)
			return 0;
		if (msg.type == SYNC_CRIU && msg.n_fds == 1) {
			r->criu.sock = msg.fds[0];
			msg.n_fds = 0;
		}
		if (msg.type == SYNC_ERROR)
			return sync_take_error(&msg, err);
		sync_msg_done(&msg);
	}
}

static int start(struct restoration *r, int sync[2], struct err *err)
{
	bool joined;
	int e;

	r->child.program = r->program;
	r->child.spec = r->spec;
	r->child.bundle = r->bundle;
	r->child.rootfs = r->rootfs;
	r->child.root = r->root;
	r->child.dirs = r->dirs;
	r->child.sync = sync[1];
	r->child.sync_parent = sync[0];
	e = clone_child(r, &joined, err);
	sync[1] = fd_close(sync[1]);
	if (e < 0)
		return e;
	e = finish_cgroup(r, joined, err);
	if (e < 0)
		return err_wrap(err, e, "making the cgroup");
	e = set_up_rdt(r, err);
	if (e >= 0)
		e = let_join(r, sync[0], err);
	return e < 0 ? e : follow_child(r, sync[0], err);
}

int restore_start(struct restoration *r, struct err *err)
{
	int sync[2];
	int e = begin_cgroup(r, err);

	if (e < 0)
		return err_wrap(err, e, "making the cgroup");
	e = sync_pair(sync, err);
	if (e < 0)
		return e;
	e = start(r, sync, err);
	fd_close(sync[0]);
	fd_close(sync[1]);
	return e;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>

#include "base/fd.h"
#include "base/strv.h"
#include "runtime/cancel.h"
#include "runtime/create.h"
#include "runtime/hooks.h"
#include "runtime/listener.h"
#include "runtime/pid_file.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"

/* The record of the process comes first: it goes, and the unit with it, when the runtime dies. */
static int enter_unit(struct creation *c, pid_t pid, struct err *err)
{
	const char *unit = cgroup_unit_name(&c->cg, &c->st.systemd_user);
	int r;

	if (!unit)
		return 0;
	free(c->st.systemd_unit);
	c->st.systemd_unit = xstrdup(unit);
	c->st.pub.pid = pid;
	procfs_stat(pid, NULL, &c->st.pub.pid_start_time);
	r = state_write(c->dir, &c->st, err);
	if (r >= 0)
		r = cgroup_enter_unit(&c->cg, pid, err);
	return r < 0 ? err_wrap(err, r, "making the cgroup") : 0;
}

static int record(struct creation *c, pid_t pid, struct err *err)
{
	int r;

	c->st.pub.pid = pid;
	/* Without it no later command would take the process for the container's. One that has
	 * ended already has left its error to be read. */
	r = procfs_stat(pid, NULL, &c->st.pub.pid_start_time);
	if (r < 0 && r != -ESRCH)
		return err_errno(err, -r, "reading /proc/%d/stat", pid);
	return state_write(c->dir, &c->st, err);
}

static int finish_cgroup(struct creation *c, struct err *err)
{
	int r = cgroup_create_finish(&c->cg, err);

	if (r < 0)
		return err_wrap(err, r, "making the cgroup");
	for (size_t i = 0; i < c->cg.n; i++)
		strv_add(&c->st.pub.cgroup_paths, c->cg.dirs[i].path);
	return 0;
}

static int set_up_rdt(struct creation *c, struct err *err)
{
	const struct spec_intel_rdt *spec = c->args->spec->linux_->intel_rdt;
	int r = rdt_make(&c->st.rdt, err);

	if (r >= 0)
		r = rdt_configure(&c->st.rdt, spec, err);
	return r < 0 ? r : rdt_join(&c->st.rdt, c->init.pid, err);
}

/* That the other side is gone is for who reads next: it has left its error there. Anything else
 * would leave both sides waiting for each other. */
static int tell(struct creation *c, enum sync_type type, int64_t number, const int *fds, size_t n,
		struct err *err)
{
	int r = sync_send(c->sync, type, number, fds, n);

	if (r == 0 || r == -EPIPE || r == -ECONNRESET)
		return 0;
	return err_errno(err, -r, "talking to the container's first process");
}

static int give_maps(struct creation *c, pid_t pid, struct err *err)
{
	int r = prepare_write_maps(&c->in, pid, err);

	return r < 0 ? r : tell(c, SYNC_MAPS_DONE, 0, NULL, 0, err);
}

/* Of the stage, which may be killed between making the init and saying so: that one has the other
 * end of the socket as well, and would wait for the runtime for ever, as the runtime for it. */
static int expect_of(struct creation *c, const struct container *stage, enum sync_type type,
		     struct sync_msg *ret, struct err *err)
{
	const int cancel = c->args->cancel_fd;
	struct pollfd p[] = {
		{ .fd = c->sync, .events = POLLIN },
		{ .fd = stage->pidfd, .events = POLLIN },
		{ .fd = cancel > 0 ? cancel : -1, .events = POLLIN },
	};
	int r = 0;

	if (NO_EINTR(poll(p, ARRAY_SIZE(p), -1)) < 0)
		return err_errno(err, errno, "waiting for the container's first process");
	if (!p[0].revents && !p[1].revents)
		return cancel_error(cancel, err);
	/* it may have said its last words between the two looks */
	if (!p[0].revents && cancel_poll(-EBADF, c->sync, 0) <= 0)
		r = -EPIPE;
	if (r == 0)
		r = sync_expect(c->sync, type, ret, err);
	return r == -EPIPE ? err_fail(err, ERR_SYSTEM,
				      "the container's first process was killed before it could "
				      "report")
			   : r;
}

/* It has nothing left to do but to end. In a cgroup that is frozen it may not. */
static int expect_end(struct creation *c, int *pidfd, struct err *err)
{
	int r = cancel_wait(c->args->cancel_fd, *pidfd, err);

	if (r < 0)
		return r;
	pidfd_wait(*pidfd, NULL);
	*pidfd = fd_close(*pidfd);
	return 0;
}

/* Follows the intermediate process until it has made the init and is gone, or, when it is to do
 * what the init does first, until it is in its namespaces. */
static int follow_stage(struct creation *c, struct err *err)
{
	const struct container *stage = c->in.outside ? &c->init : &c->stage;
	struct sync_msg msg;
	int r;

	/* Where its cgroup is frozen meanwhile it does not go on. Who deletes the container has to
	 * find it, as nothing else does: it would not see this process end. */
	r = record(c, stage->pid, err);
	if (r < 0)
		return r;
	if (c->in.new_ns & CLONE_NEWUSER) {
		r = expect_of(c, stage, SYNC_USERNS_MADE, NULL, err);
		if (r >= 0)
			r = give_maps(c, stage->pid, err);
		if (r < 0)
			return r;
	}
	if (c->in.outside)
		return expect_of(c, stage, SYNC_JOINED, NULL, err);
	r = expect_of(c, stage, SYNC_INIT_PID, &msg, err);
	if (r < 0)
		return r;
	r = sync_take_process(&msg, c->stage.pid, &c->init, err);
	sync_msg_done(&msg);
	return r < 0 ? r : expect_end(c, &c->stage.pidfd, err);
}

static int write_pid_file(struct creation *c, struct err *err)
{
	return pid_file_write(c->args->pid_file, c->init.pid, &c->pid_file_made, err);
}

/* Everything once, and only what the configuration asks for. A process that is visible to others
 * may have lost its socket to them, so what was to come before it comes no more. */
static unsigned int what_is_due(const struct creation *c)
{
	const struct spec *s = c->args->spec;
	unsigned int first = 0, last = SYNC_BIT(c->args->start ? SYNC_EXEC : SYNC_READY);

	if (c->in.bpf_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
		last |= SYNC_BIT(SYNC_LISTENER);
	if (s->linux_->net_devices.n)
		first |= SYNC_BIT(SYNC_NETDEV);
	if (s->hooks && (s->hooks->prestart.n || s->hooks->create_runtime.n))
		first |= SYNC_BIT(SYNC_HOOKS);
	if (s->process->terminal)
		first |= SYNC_BIT(SYNC_CONSOLE);
	if (!c->in.outside)
		return first | last;
	return c->entered ? last : first | SYNC_BIT(SYNC_INIT_PID);
}

/* The one that set everything up has made the one that will be the container's, inside of the pid
 * namespace that it joins, and ends. */
static int take_last(struct creation *c, struct sync_msg *msg, struct err *err)
{
	struct container last = { .pidfd = -EBADF };
	int r = sync_take_process(msg, c->init.pid, &last, err);

	if (r < 0)
		return r;
	r = expect_end(c, &c->init.pidfd, err);
	if (r < 0) {
		c->stage = last;
		return r;
	}
	c->init = last;
	c->entered = true;
	c->due = what_is_due(c);
	r = record(c, c->init.pid, err);
	if (r >= 0)
		r = write_pid_file(c, err);
	return r < 0 ? r : tell(c, SYNC_PID, last.pid, NULL, 0, err);
}

/* The limits, the record. Then the init may go on past them. */
int create_set_up(struct creation *c, struct err *err)
{
	int fds[SYNC_FDS_MAX];
	int n, r;

	bool staged = init_needs_stage(&c->in), userns = c->in.new_ns & CLONE_NEWUSER;

	/* Before it has other ids: a user's systemd moves processes of its user only. */
	r = userns ? enter_unit(c, c->init.pid > 0 ? c->init.pid : c->stage.pid, err) : 0;
	if (r >= 0 && staged)
		r = follow_stage(c, err);
	else if (r >= 0 && userns)
		r = give_maps(c, c->init.pid, err);
	if (r >= 0 && !userns)
		r = enter_unit(c, c->init.pid, err);
	if (r >= 0)
		r = finish_cgroup(c, err);
	if (r < 0)
		return r;
	state_fill_streams(&c->st, c->args);
	/* All that is kept, before the init may go on to its program. */
	r = state_config_write(c->dir, c->args, err);
	if (r >= 0)
		r = record(c, c->init.pid, err);
	if (r >= 0 && c->joins_late)
		r = cgroup_join_pid(&c->cg, c->init.pid, err);
	if (r >= 0)
		r = cgroup_apply(&c->cg, c->args->spec->linux_->resources, err);
	if (r >= 0)
		r = cgroup_give(&c->cg, c->args->spec, c->init.pid, err);
	if (r >= 0)
		r = set_up_rdt(c, err);
	if (r >= 0 && !c->in.outside)
		r = write_pid_file(c, err);
	if (r < 0)
		return r;
	n = cgroup_open_join(&c->cg, fds, ARRAY_SIZE(fds), err);
	if (n < 0)
		return n;
	r = tell(c, SYNC_CGROUP, c->init.pid, fds, (size_t)n, err);
	while (n > 0)
		fd_close(fds[--n]);
	return r < 0 ? r : netns_helper_done(&c->netns_helper, err);
}

static int run_hooks(struct creation *c, struct err *err)
{
	const struct spec_hooks *h = c->args->spec->hooks;
	int r;

	r = hooks_run("prestart", &h->prestart, &c->st.pub, CONTAINER_CREATING, c->args->cancel_fd,
		      err);
	if (r >= 0)
		r = hooks_run("createRuntime", &h->create_runtime, &c->st.pub, CONTAINER_CREATING,
			      c->args->cancel_fd, err);
	return r < 0 ? r : tell(c, SYNC_GO, 0, NULL, 0, err);
}

static int give_netdevs(struct creation *c, struct sync_msg *msg, struct err *err)
{
	int r = msg->n_fds == 1 ? netdev_move(&c->in, c->init.pid, msg->fds[0], err)
				: err_errno(err, EPROTO, "receiving the rtnetlink socket");

	return r < 0 ? r : tell(c, SYNC_GO, 0, NULL, 0, err);
}

static int give_listener(struct creation *c, const struct sync_msg *msg, struct err *err)
{
	int r = listener_deliver(&c->init, c->sync, msg, &c->st, c->args->cancel_fd, err);

	return r < 0 ? r : tell(c, SYNC_GO, 0, NULL, 0, err);
}

static int created(struct creation *c, struct err *err)
{
	if (renameat(c->dir, STATE_CREATING, c->dir, STATE_CREATED) < 0)
		return err_errno(err, errno, "recording the container as created");
	return 0;
}

static int started(struct creation *c, struct err *err)
{
	c->exec_seen = true;
	if (unlinkat(c->dir, STATE_CREATING, 0) < 0)
		return err_errno(err, errno, "recording the container as running");
	return 0;
}

/* 1: done. */
static int handle(struct creation *c, struct sync_msg *msg, struct err *err)
{
	if (msg->type != SYNC_ERROR && !sync_admit(&c->due, msg->type))
		return err_errno(err, EPROTO, "unexpected message %d of the init", (int)msg->type);
	switch (msg->type) {
	case SYNC_ERROR:
		return sync_take_error(msg, err);
	case SYNC_INIT_PID:
		return take_last(c, msg, err);
	case SYNC_NETDEV:
		return give_netdevs(c, msg, err);
	case SYNC_HOOKS:
		return run_hooks(c, err);
	case SYNC_CONSOLE:
		return console_give(&c->console, msg, err);
	case SYNC_LISTENER:
		return give_listener(c, msg, err);
	case SYNC_READY:
		return created(c, err) < 0 ? -EIO : 1;
	case SYNC_EXEC:
		return started(c, err);
	default:
		return err_errno(err, EPROTO, "unexpected message %d of the init", (int)msg->type);
	}
}

/* The init joins a pid namespace, and may be there already: what comes may be from those who can
 * trace it. All fds that it has to send come before; its own is opened here. */
static bool hears_others(const struct creation *c)
{
	const unsigned int with_fd = SYNC_BIT(SYNC_CONSOLE) | SYNC_BIT(SYNC_NETDEV);

	return c->in.outside && !(c->due & with_fd) && c->has_pidfds;
}

static int receive(const struct creation *c, struct sync_msg *ret, struct err *err)
{
	return hears_others(c) ? sync_recv_plain(c->sync, ret, err) : sync_recv(c->sync, ret, err);
}

int create_follow(struct creation *c, struct err *err)
{
	c->in.idle_close_fd = fd_close(c->in.idle_close_fd);
	c->due = what_is_due(c);
	c->has_pidfds = c->in.outside && sync_has_pidfds();
	for (;;) {
		struct sync_msg msg;
		int r = cancel_wait(c->args->cancel_fd, c->sync, err);

		if (r >= 0)
			r = receive(c, &msg, err);
		if (r < 0)
			return r;
		if (r == 0 && c->exec_seen)
			return 0;
		if (r == 0)
			return err_fail(err, ERR_SYSTEM,
					"the container's first process was killed before it could "
					"report (is the memory limit too low?)");
		r = handle(c, &msg, err);
		sync_msg_done(&msg);
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/log.h"
#include "runtime/cancel.h"
#include "runtime/child_end.h"
#include "runtime/create.h"
#include "runtime/hooks.h"
#include "runtime/notify.h"
#include "sys/clone.h"
#include "sys/pidfd.h"
#include "sys/uapi.h"

#define LOCK_TIMEOUT_MS 4000

/* Where the init will wait for start. It gets its final name when the container is created; without
 * a wait it is a file that goes when the program starts. Until then no exec finds its way in: the
 * process may still have the host's root directory, or be outside of the pid namespace. */
static int listen_start(struct creation *c, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	cleanup_fd int fd = -EBADF;
	char dir[FD_PATH_MAX];

	if (c->args->start) {
		fd = openat(c->dir, STATE_CREATING, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		return fd < 0 ? err_errno(err, errno, "recording the container as being created")
			      : 0;
	}
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", fd_proc_path(c->dir, dir),
		 STATE_CREATING);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 4) < 0)
		return err_errno(err, errno, "making the start socket");
	c->in.listen_fd = take_fd(fd);
	return 0;
}

static int make_notify(struct creation *c, struct err *err)
{
	int r;

	if (!c->args->notify_host)
		return 0;
	r = notify_make_dir(c->dir, c->in.spec->linux_->mount_label, err);
	if (r >= 0)
		r = prepare_notify(&c->in, c->dir, err);
	if (r >= 0 && c->args->start)
		r = c->notify = notify_listen(c->dir, err);
	return r;
}

/* The state says where the cgroups will be before they are made: a killed runtime's delete --force
 * finds them. Only what clone3(2) needs is made before the init is; a unit of systemd's, nothing.
 */
static int make_cgroup(struct creation *c, struct err *err)
{
	const struct spec_linux *l = c->args->spec->linux_;
	const struct cgroup_request req = {
		.cgroups_path = l->cgroups_path,
		.id = c->args->id,
		.rootless = c->rt->rootless,
		.systemd = c->rt->systemd_cgroup,
		.annotations = &c->args->spec->annotations,
		.resources = l->resources,
	};
	int r = req.systemd ? 0 : state_write(c->dir, &c->st, err);

	if (r < 0)
		return r;
	r = cgroup_create_begin(&req, &c->cg, err);
	if (r < 0)
		return err_wrap(err, r, "making the cgroup");
	c->cg.lenient = c->rt->rootless && !c->args->need_limits;
	c->cgroup_made = true;
	c->in.cgroup_fd = cgroup_clone_fd(&c->cg);
	c->in.cgroup = &c->cg;
	return 0;
}

/* Below a frozen cgroup it would not get as far as to see that a killed runtime is gone, and until
 * it is on record nobody else would find it. */
static pid_t clone_first(struct creation *c, struct clone_spec *spec, int *ret_pidfd)
{
	pid_t pid = -ENOSYS;

	if (spec->cgroup_fd < 0 || !cgroup_clone_is_frozen(&c->cg))
		pid = clone_process(spec, ret_pidfd);
	if (pid == -ENOSYS && spec->cgroup_fd >= 0) {
		spec->cgroup_fd = -EBADF;
		c->joins_late = true;
		pid = clone_process(spec, ret_pidfd);
	}
	return pid;
}

/* The direct way, or through an intermediate process which reports the init's pid later. */
static int clone_init(struct creation *c, struct err *err)
{
	bool staged = init_needs_stage(&c->in);
	struct container *p = staged && !c->in.outside ? &c->stage : &c->init;
	struct clone_spec spec = { .flags = CLONE_CLEAR_SIGHAND, .cgroup_fd = c->in.cgroup_fd };
	int pair[2], r;

	r = sync_pair(pair, err);
	if (r < 0)
		return r;
	c->sync = c->in.sync_parent = pair[0];
	c->in.sync = c->in.conn = pair[1];
	c->in.dir_fd = c->dir;
	c->in.netns_made = !staged && netns_is_made(&c->in);
	c->in.netns_by_helper = !staged && !c->in.netns_made && netns_needs_helper(&c->in);
	if (!staged)
		spec.flags |= c->in.new_ns & (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWTIME);
	p->pid = clone_first(c, &spec, &p->pidfd);
	if (p->pid == 0) {
		if (staged)
			stage_main(&c->in);
		init_main(&c->in);
	}
	c->in.sync = c->in.conn = fd_close(pair[1]);
	c->in.listen_fd = fd_close(c->in.listen_fd);
	if (p->pid < 0)
		return err_errno(err, -p->pid, "making the container's first process");
	return c->in.netns_by_helper ? netns_helper_start(&c->in, &c->netns_helper, err) : 0;
}

static int poststart(struct creation *c, struct err *err)
{
	const struct spec_hooks *h = c->args->spec->hooks;

	if (!c->args->start || !h)
		return 0;
	return hooks_run("poststart", &h->poststart, &c->st.pub, CONTAINER_RUNNING,
			 c->args->cancel_fd, err);
}

/* Somebody may be deleting the container, or work on it for long. */
static void lock_again(struct creation *c)
{
	int r = state_lock(c->dir, LOCK_TIMEOUT_MS);

	c->unlocked = r < 0;
	c->lost = r == -ENOENT;
}

static int wait_ready(struct creation *c, struct err *err)
{
	int r;

	if (c->notify < 0)
		return 0;
	if (c->args->notify_fd_out) {
		*c->args->notify_fd_out = take_fd(c->notify);
		return 0;
	}
	/* That may take long, and others may want to do something with a container that runs. */
	state_unlock(c->dir);
	r = notify_wait(c->notify, c->args->notify_host, &c->init, c->args->cancel_fd, err);
	if (r < 0)
		lock_again(c);
	return r;
}

/* One may have made another, and may have told so behind what failed here. A hook may have paused
 * them; without the lock the cgroup may be another container's by now. */
static bool kill_processes(struct creation *c)
{
	struct container made = { .pidfd = -EBADF };
	pid_t maker = c->in.outside ? c->init.pid : c->stage.pid;
	bool ended;

	if (c->sync >= 0)
		shutdown(c->sync, SHUT_RD);
	ended = child_end(&c->stage, &c->cg, !c->unlocked);
	ended &= child_end(&c->init, &c->cg, !c->unlocked);
	sync_drain_process(c->sync, maker, &made);
	ended &= child_end(&made, &c->cg, !c->unlocked);
	fd_close(made.pidfd);
	c->sync = fd_close(c->sync);
	return ended;
}

/* Whether what there is on disk and in cgroups is this command's to remove. */
static bool may_remove(struct creation *c, bool ended)
{
	const char *id = c->args->id;

	/* Whoever has it may have waited for the processes. */
	if (c->unlocked && !c->lost)
		lock_again(c);
	if (c->unlocked && !c->lost)
		log_warn("another command works on container %s, which stays: delete it with "
			 "delete --force",
			 id);
	else if (!c->unlocked && !ended)
		log_warn("container %s stays: delete it with delete --force when its process ends",
			 id);
	return !c->unlocked && ended;
}

static void undo(struct creation *c)
{
	struct err err = ERR_INIT;
	bool ours;

	/* If it failed for want of descriptors, cleaning up must not. */
	c->console.sock = fd_close(c->console.sock);
	c->in.listen_fd = fd_close(c->in.listen_fd);

	netns_helper_done(&c->netns_helper, NULL);
	ours = may_remove(c, kill_processes(c));
	/* What has the same names by now may be another's. */
	if (c->pid_file_made && !c->lost)
		unlink(c->args->pid_file);
	if (!ours)
		return;
	if (c->cgroup_made && cgroup_delete(&c->cg, &err) < 0)
		log_warn("%s", err.msg);
	if (rdt_undo(&c->st.rdt, &err) < 0)
		log_warn("%s", err.msg);
	if (c->dir_made && state_dir_remove(c->rt, c->args->id, &err) < 0)
		log_warn("%s", err.msg);
	/* runtime-spec runtime.md, "Lifecycle": also after a failure, when there was something. */
	if (c->init.pid > 0 && c->args->spec->hooks)
		hooks_run_all("poststop", &c->args->spec->hooks->poststop, &c->st.pub,
			      CONTAINER_STOPPED, c->args->cancel_fd);
}

static int create(struct creation *c, struct err *err)
{
	int r;

	r = prepare_init(c->rt, c->args, &c->in, &c->bpf, err);
	if (r >= 0)
		r = c->args->spec->process->terminal ? console_prepare(&c->console, err) : 0;
	if (r >= 0)
		r = rdt_plan(c->args->spec->linux_->intel_rdt, c->args->id, NULL, &c->st.rdt, err);
	if (r < 0)
		return r;
	c->dir = state_dir_create(c->rt, c->args->id, err);
	if (c->dir < 0)
		return c->dir;
	c->dir_made = true;
	state_fill(&c->st, c->args->id, c->args->spec, c->in.bundle, c->in.rootfs);
	c->st.chrooted = rootfs_is_chroot(&c->in);
	c->in.state = &c->st.pub;
	r = listen_start(c, err);
	if (r >= 0)
		r = make_notify(c, err);
	if (r >= 0)
		r = make_cgroup(c, err);
	if (r >= 0)
		r = clone_init(c, err);
	if (r >= 0)
		r = create_set_up(c, err);
	if (r >= 0)
		r = create_follow(c, err);
	if (r >= 0)
		r = poststart(c, err);
	return r < 0 ? r : wait_ready(c, err);
}

int container_create(const struct runtime *rt, const struct create_args *args,
		     struct container *ret, struct err *err)
{
	struct creation c = {
		.rt = rt,
		.args = args,
		.bpf = BUF_INIT,
		.dir = -EBADF,
		.sync = -EBADF,
		.console = { .fd_out = args->console_fd_out,
			     .socket_path = args->console_socket,
			     .sock = -EBADF,
			     .cancel_fd = args->cancel_fd },
		.notify = -EBADF,
		.netns_helper = -EBADF,
		.stage = { .pidfd = -EBADF },
		.init = { .pidfd = -EBADF },
	};
	int r = create(&c, err);

	if (r < 0) {
		undo(&c);
		err_wrap(err, r, "creating container %s", args->id);
	} else {
		*ret = (struct container){ .pid = c.init.pid, .pidfd = take_fd(c.init.pidfd) };
	}
	fd_close(c.stage.pidfd);
	fd_close(c.init.pidfd);
	fd_close(c.sync);
	fd_close(c.console.sock);
	fd_close(c.notify);
	fd_close(c.dir);
	fd_close(c.in.listen_fd);
	cgroup_done(&c.cg);
	prepare_done(&c.in, &c.bpf);
	state_done(&c.st);
	return r;
}

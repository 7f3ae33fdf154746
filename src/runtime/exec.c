/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "runtime/cancel.h"
#include "runtime/cgroup.h"
#include "runtime/child_end.h"
#include "runtime/console.h"
#include "runtime/exec.h"
#include "runtime/listener.h"
#include "runtime/pid_file.h"
#include "runtime/prepare.h"
#include "sys/clone.h"
#include "sys/ns.h"
#include "sys/pidfd.h"
#include "sys/uapi.h"

#define EXEC_TIMEOUT_MS 1000 /* of execve(2), when a signal has come */
#define REAP_TIMEOUT_MS 1000
#define SHOW_TIMEOUT_MS 1000
#define END_TIMEOUT_MS  500
#define SHOW_LOOK_MS    5

/* What the runtime's side holds besides struct exec. */
struct running {
	struct exec e;
	struct container stage, process;
	int sync; /* our end */
	struct console_target console;
	int pidfd_sock;
	unsigned int due; /* sync_admit() */
	bool pid_file_made, exec_seen, said;
};

static int check_state(struct running *x, struct err *err)
{
	const struct state *st = &x->e.st;

	if (st->pub.status == CONTAINER_STOPPED)
		return err_fail(err, ERR_CONFLICT, "cannot exec in a stopped container");
	if (st->pub.status == CONTAINER_CREATING)
		return err_fail(err, ERR_CONFLICT,
				"cannot exec in a container in the creating state");
	if (st->pub.status == CONTAINER_PAUSED && !x->e.args->ignore_paused)
		return err_fail(err, ERR_CONFLICT,
				"cannot exec in a paused container (use --ignore-paused to "
				"override)");
	x->e.pidfd = state_pidfd(st);
	if (x->e.pidfd == -ESRCH)
		return err_fail(err, ERR_CONFLICT, "cannot exec in a stopped container");
	/* -ENOSYS: a sandbox without pidfds; the stage joins another way. */
	if (x->e.pidfd < 0 && x->e.pidfd != -ENOSYS)
		return err_errno(err, -x->e.pidfd, "opening the container's process");
	return 0;
}

/* For whoever is not root: a process shows itself a little later than it is on record as running,
 * when the program is executed, and no more a little before it is dead. */
static int open_userns(const struct exec *e, struct err *err)
{
	int fd = ns_open_of(e->st.pub.pid, CLONE_NEWUSER, err);

	for (int ms = 0; fd < 0 && ms < SHOW_TIMEOUT_MS; ms += SHOW_LOOK_MS) {
		if (state_wait_end(&e->st, SHOW_LOOK_MS) > 0)
			return err_fail(err, ERR_CONFLICT, "cannot exec in a stopped container");
		if (fd != -EACCES || e->st.pub.status == CONTAINER_CREATED)
			break;
		fd = ns_open_of(e->st.pub.pid, CLONE_NEWUSER, err);
	}
	return fd;
}

/* The namespaces that the configuration asks for, as the container's first process has them now. */
static int find_namespaces(struct exec *e, struct err *err)
{
	const struct spec_linux *l = e->spec.linux_;

	for (size_t i = 0; i < l->namespaces.n; i++)
		e->ns_flags |= ns_by_name(spec_ns_names[l->namespaces.items[i].type])->flag;
	if (e->ns_flags & CLONE_NEWUSER) {
		cleanup_fd int fd = open_userns(e, err);

		/* Its first process is still the runtime, which shows itself to root only. */
		if (fd == -EACCES && e->st.pub.status == CONTAINER_CREATED)
			err_hint(err, fd,
				 "before start only root can enter a container with a "
				 "user namespace of its own");
		if (fd < 0)
			return fd;
		/* The kernel refuses to join the own one. */
		if (ns_is_own(fd, CLONE_NEWUSER) == 1)
			e->ns_flags &= ~(uint64_t)CLONE_NEWUSER;
	}
	e->in.userns = e->ns_flags & CLONE_NEWUSER;
	e->in.mapped = e->in.userns || e->in.rt->rootless;
	return 0;
}

/* What the steps that are shared with the init look at. */
static void fill_init(struct exec *e, const struct runtime *rt)
{
	e->create = (struct create_args){
		.id = e->args->id,
		.bundle = e->st.pub.bundle,
		.spec = &e->spec,
		.stdio = e->args->stdio,
		.preserve_fds = e->args->preserve_fds,
		.no_new_keyring = e->args->no_new_keyring,
	};
	init_blank(&e->in, rt, &e->create);
	e->in.state = &e->st.pub;
}

static int connect_sockets(struct running *x, struct err *err)
{
	const struct exec_args *a = x->e.args;

	if (a->pidfd_socket) {
		x->pidfd_sock = console_connect(a->pidfd_socket, a->cancel_fd, err);
		if (x->pidfd_sock < 0)
			return x->pidfd_sock;
	}
	return x->e.spec.process->terminal ? console_prepare(&x->console, err) : 0;
}

static int open_root(struct exec *e, struct err *err)
{
	char path[32];

	if (!e->st.chrooted)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/root", e->st.pub.pid);
	e->root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (e->root_fd < 0)
		return err_errno(err, errno, "opening the container's root");
	/* Still the process that was recorded, so the root was its. */
	return state_wait_end(&e->st, 0) == 0
		   ? 0
		   : err_fail(err, ERR_CONFLICT, "cannot exec in a stopped container");
}

static int prepare(struct running *x, const struct runtime *rt, struct err *err)
{
	struct exec *e = &x->e;
	cleanup_fd int dir = state_open(rt, e->args->id, 0, &e->st, err);
	int r;

	if (dir < 0)
		return dir;
	fill_init(e, rt);
	r = e->args->ignore_paused ? 0 : state_settle(dir, &e->st, err);
	if (r >= 0)
		r = check_state(x, err);
	if (r >= 0)
		r = state_config_read(dir, &e->st, &e->spec, err);
	if (r >= 0)
		r = exec_process_make(e, err);
	if (r >= 0)
		r = find_namespaces(e, err);
	if (r >= 0)
		r = open_root(e, err);
	if (r >= 0)
		r = connect_sockets(x, err);
	if (r >= 0)
		r = prepare_seccomp(&e->in, &x->e.bpf, err);
	if (r >= 0)
		r = exec_cgroup_open(e, err);
	if (r < 0)
		return r;
	process_plan_caps(&e->in);
	return 0;
}

/* Only what this process may do itself, so that it can go back. */
static int initial_affinity(const struct exec *e, cpu_set_t *saved, bool *ret_changed,
			    struct err *err)
{
	const struct spec_exec_cpu_affinity *a = e->spec.process->exec_cpu_affinity;

	*ret_changed = false;
	if (!a || !a->initial || !a->initial[0])
		return 0;
	if (sched_getaffinity(0, sizeof(*saved), saved) < 0)
		return err_errno(err, errno, "reading the CPU affinity");
	*ret_changed = true;
	return exec_affinity_set(a->initial, err);
}

static int clone_stage(struct running *x, struct err *err)
{
	struct exec *e = &x->e;
	struct clone_spec spec = { .flags = CLONE_CLEAR_SIGHAND, .cgroup_fd = e->clone_cgroup };
	int pair[2], r;

	r = sync_pair(pair, err);
	if (r < 0)
		return r;
	x->sync = e->in.sync_parent = pair[0];
	e->in.sync = e->in.conn = pair[1];
	x->stage.pid = clone_process(&spec, &x->stage.pidfd);
	if (x->stage.pid < 0 && spec.cgroup_fd >= 0) {
		r = exec_cgroup_retry(e, x->stage.pid, err);
		spec.cgroup_fd = e->clone_cgroup;
		if (r >= 0)
			x->stage.pid = clone_process(&spec, &x->stage.pidfd);
	}
	if (x->stage.pid == 0)
		exec_stage_main(e);
	e->in.sync = e->in.conn = fd_close(pair[1]);
	if (r >= 0 && x->stage.pid < 0)
		r = err_errno(err, -x->stage.pid, "making a process");
	if (r >= 0 && e->by_systemd) {
		r = cgroup_unit_move(e->st.systemd_unit, e->st.systemd_user, x->stage.pid, err);
		if (r >= 0)
			sync_send(x->sync, SYNC_CGROUP, 0, NULL, 0);
	}
	return r;
}

static int start(struct running *x, struct err *err)
{
	cpu_set_t saved;
	bool changed;
	int r = initial_affinity(&x->e, &saved, &changed, err);

	if (r >= 0)
		r = clone_stage(x, err);
	if (changed)
		sched_setaffinity(0, sizeof(saved), &saved);
	return r;
}

static int answer(struct running *x, enum sync_type type, struct err *err)
{
	int r = sync_send(x->sync, type, 0, NULL, 0);

	/* That it is gone is seen by who reads next; without an answer both would wait. */
	if (r == 0 || r == -EPIPE || r == -ECONNRESET)
		return 0;
	return err_errno(err, -r, "answering the process");
}

static bool has_listener(const struct running *x)
{
	return x->e.in.bpf_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER;
}

static int give_listener(struct running *x, const struct sync_msg *msg, struct err *err)
{
	int r;

	if (x->process.pidfd < 0)
		return err_errno(err, EPROTO, "unexpected message %d", (int)msg->type);
	r = listener_deliver(&x->process, x->sync, msg, &x->e.st, x->e.args->cancel_fd, err);
	return r < 0 ? r : answer(x, SYNC_GO, err);
}

static int take_process(struct running *x, struct sync_msg *msg, struct err *err)
{
	const struct exec_args *a = x->e.args;
	int r = sync_take_process(msg, x->stage.pid, &x->process, err);

	if (r >= 0 && x->pidfd_sock >= 0)
		r = console_send(x->pidfd_sock, x->process.pidfd, a->cancel_fd, err);
	if (r >= 0)
		r = pid_file_write(a->pid_file, x->process.pid, &x->pid_file_made, err);
	return r < 0 || !has_listener(x) ? r : answer(x, SYNC_PID, err);
}

/* As what is sent may be the container's, it is taken once, and only where it is due. */
static unsigned int what_is_due(const struct running *x)
{
	unsigned int due = SYNC_BIT(SYNC_INIT_PID) | SYNC_BIT(SYNC_EXEC);

	if (x->e.spec.process->terminal)
		due |= SYNC_BIT(SYNC_CONSOLE);
	if (has_listener(x))
		due |= SYNC_BIT(SYNC_LISTENER);
	return due;
}

/* The stage makes the process that the container sees behind the only fd that it has to send. Where
 * pidfds can't be opened here (in a sandbox) that of the process has to come, too. */
static bool hears_container(const struct running *x)
{
	return !(x->due & SYNC_BIT(SYNC_CONSOLE)) && x->e.pidfd >= 0;
}

static int receive(const struct running *x, struct sync_msg *ret, struct err *err)
{
	return hears_container(x) ? sync_recv_plain(x->sync, ret, err)
				  : sync_recv(x->sync, ret, err);
}

static int handle(struct running *x, struct sync_msg *msg, struct err *err)
{
	if (msg->type != SYNC_ERROR && !sync_admit(&x->due, msg->type))
		return err_errno(err, EPROTO, "unexpected message %d", (int)msg->type);
	switch (msg->type) {
	case SYNC_ERROR:
		x->said = true;
		return sync_take_error(msg, err);
	case SYNC_CONSOLE:
		return console_give(&x->console, msg, err);
	case SYNC_INIT_PID:
		return take_process(x, msg, err);
	case SYNC_LISTENER:
		return give_listener(x, msg, err);
	case SYNC_EXEC:
		x->exec_seen = true;
		return 0;
	default:
		return err_errno(err, EPROTO, "unexpected message %d", (int)msg->type);
	}
}

/* Once the program runs, signals are for it: one that comes just before that stays for it. But what
 * is to execute it may be held up, by the container's root, who can stop it, or by the filesystem
 * that the program is on. */
static int wait_message(const struct running *x, struct err *err)
{
	int cancel_fd = x->e.args->cancel_fd;
	int r;

	if (!x->exec_seen)
		return cancel_wait(cancel_fd, x->sync, err);
	r = cancel_poll(cancel_fd, x->sync, -1);
	if (r == -ECANCELED)
		r = cancel_poll(-EBADF, x->sync, EXEC_TIMEOUT_MS);
	if (r == 0)
		return cancel_error(cancel_fd, err);
	return r < 0 ? err_errno(err, -r, "waiting for the program to be executed") : 0;
}

static int follow(struct running *x, struct err *err)
{
	x->e.in.idle_close_fd = fd_close(x->e.in.idle_close_fd);
	x->due = what_is_due(x);
	for (;;) {
		struct sync_msg msg;
		int r = wait_message(x, err);

		if (r >= 0)
			r = receive(x, &msg, err);
		if (r < 0)
			return r;
		if (r == 0)
			return x->exec_seen && x->process.pidfd >= 0
				   ? 0
				   : err_fail(err, ERR_SYSTEM,
					      "the process was killed before it could report (is "
					      "the memory limit too low, or has the container "
					      "ended?)");
		r = handle(x, &msg, err);
		sync_msg_done(&msg);
		if (r < 0)
			return r;
	}
}

/* The stage may have made the process, and may have told so behind what failed here. From now on
 * nobody can send, and without that nothing is executed. */
static void kill_all(struct running *x)
{
	CLEANUP(cgroup_done) struct cgroup cg = { 0 };

	if (x->sync >= 0)
		shutdown(x->sync, SHUT_RD);
	cgroup_open(x->e.st.pub.cgroup_paths, &cg, NULL);
	/* That the user has paused the container must hold. */
	child_end(&x->stage, &cg, false);
	sync_drain_process(x->sync, x->stage.pid, &x->process);
	child_end(&x->process, &cg, false);
}

/* Whatever has failed, a container that has ended meanwhile is the reason. Behind kill_all(): the
 * first process of a pid namespace ends when all others in it have been waited for. */
static int explain(const struct running *x, int r, struct err *err)
{
	/* What its processes themselves have said is not waited with, but for what pidfd.h has. */
	bool own = x->said && r != -ENOMEM && r != -ESRCH && r != -ENODEV && r != -EINVAL;

	if (r == -ECANCELED || !err || err->kind != ERR_SYSTEM || x->e.st.pub.pid <= 0 ||
	    state_wait_end(&x->e.st, own ? 0 : END_TIMEOUT_MS) <= 0)
		return r;
	return err_fail(err, ERR_CONFLICT, "cannot exec in a stopped container");
}

static void done(struct running *x)
{
	struct exec *e = &x->e;

	fd_close(x->sync);
	fd_close(x->console.sock);
	fd_close(x->pidfd_sock);
	fd_close(x->stage.pidfd);
	fd_close(x->process.pidfd);
	fd_close(e->pidfd);
	fd_close(e->root_fd);
	fd_close(e->clone_cgroup);
	for (size_t i = 0; i < e->n_join; i++)
		fd_close(e->join_fds[i]);
	for (size_t i = 0; i < NS_COUNT; i++)
		fd_close(e->in.ns_fds[i]);
	buf_done(&e->bpf);
	free(e->user);
	spec_free(&e->spec);
	state_done(&e->st);
}

int container_exec(const struct runtime *rt, const struct exec_args *args, struct container *ret,
		   struct err *err)
{
	struct running x = {
		.e = { .args = args,
		       .bpf = BUF_INIT,
		       .pidfd = -EBADF,
		       .root_fd = -EBADF,
		       .clone_cgroup = -EBADF },
		.stage = { .pidfd = -EBADF },
		.process = { .pidfd = -EBADF },
		.sync = -EBADF,
		.console = { .fd_out = args->console_fd_out,
			     .socket_path = args->console_socket,
			     .sock = -EBADF,
			     .cancel_fd = args->cancel_fd },
		.pidfd_sock = -EBADF,
	};
	int r;

	init_blank(&x.e.in, rt, &x.e.create);
	r = prepare(&x, rt, err);
	if (r >= 0)
		r = start(&x, err);
	if (r >= 0)
		r = follow(&x, err);
	if (r < 0) {
		kill_all(&x);
		r = explain(&x, r, err);
		if (x.pid_file_made)
			unlink(args->pid_file);
		err_wrap(err, r, "exec failed");
	} else {
		pidfd_reap(x.stage.pidfd, REAP_TIMEOUT_MS);
		*ret =
		    (struct container){ .pid = x.process.pid, .pidfd = take_fd(x.process.pidfd) };
	}
	done(&x);
	return r < 0 ? r : 0;
}

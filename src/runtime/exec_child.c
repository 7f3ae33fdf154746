/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/console.h"
#include "runtime/exec.h"
#include "sys/clone.h"
#include "sys/ns.h"
#include "sys/prctl.h"
#include "sys/procfs.h"
#include "sys/tty.h"
#include "sys/uapi.h"

static int join_cgroups(struct init *in, struct err *err)
{
	struct exec *e = exec_of(in);

	for (size_t i = 0; i < e->n_join; i++)
		if (write(e->join_fds[i], "0", 1) < 0)
			return err_errno(err, errno,
					 "moving the process into the container's "
					 "cgroup");
	return 0;
}

static int join_rdt(struct init *in, struct err *err)
{
	const struct rdt *rdt = &exec_of(in)->st.rdt;

	return rdt->group ? rdt_join(rdt, getpid(), err) : 0;
}

/* runtime-spec config.md, "execCPUAffinity". */
static int final_affinity(struct init *in, struct err *err)
{
	const struct spec_exec_cpu_affinity *a = in->spec->process->exec_cpu_affinity;

	if (!a || !a->final || !a->final[0])
		return 0;
	return exec_affinity_set(a->final, err);
}

/* What needs the runtime's rights and procfs, but nothing of the container. */
static int set_limits(struct init *in, struct err *err)
{
	const struct spec_process *p = in->spec->process;

	process_read_lsm(in);
	if (p->oom_score_adj.set || process_has_label(p))
		in->procfs = procfs_open(PROCFS_MOUNTED, err);
	if (in->procfs < 0 && in->procfs != -EBADF)
		return in->procfs;
	return process_limits_early(in, err);
}

/* A scheduler's effect may end at clone (SCHED_FLAG_RESET_ON_FORK), or forbid it (SCHED_DEADLINE).
 */
static int stage_sched(struct init *in, struct err *err)
{
	return in->spec->process->scheduler ? 0 : process_sched(in, err);
}

/* Kernels before 5.8, and sandboxes without pidfds. The files of /proc belong to whoever has the
 * pid when they are opened: so the process is looked at again behind that. */
static int join_one_by_one(struct exec *e, struct err *err)
{
	for (size_t i = 0; i < NS_COUNT; i++) {
		unsigned int flag = ns_by_name(spec_ns_names[i])->flag;

		if (!(e->ns_flags & flag))
			continue;
		e->in.ns_fds[i] = ns_open_of(e->st.pub.pid, flag, err);
		if (e->in.ns_fds[i] < 0)
			return e->in.ns_fds[i];
	}
	if (state_wait_end(&e->st, 0) != 0)
		return err_fail(err, ERR_CONFLICT, "cannot exec in a stopped container");
	return init_join_all(&e->in, err);
}

static int join_namespaces(struct init *in, struct err *err)
{
	struct exec *e = exec_of(in);
	int r;

	/* Whoever is root in there must not look into this process, whose memory is the runtime's.
	 */
	prctl_dumpable(false);
	if (!e->ns_flags)
		return 0;
	if (e->pidfd < 0)
		return join_one_by_one(e, err);
	r = ns_join_pidfd(e->pidfd, (unsigned int)e->ns_flags, err);
	if (r == -EINVAL || r == -ENOSYS)
		return join_one_by_one(e, err);
	if (r == -ESRCH)
		return err_fail(err, ERR_CONFLICT, "cannot exec in a stopped container");
	if (r >= 0 && (e->ns_flags & CLONE_NEWUSER))
		r = init_become_root(err);
	return r;
}

static int enter_root(struct init *in, struct err *err)
{
	struct exec *e = exec_of(in);

	if (e->root_fd >= 0 && (fchdir(e->root_fd) < 0 || chroot(".") < 0))
		return err_errno(err, errno, "changing to the container's root");
	return 0;
}

/* The pty comes from a devpts, whatever the container has made of its /dev (CVE-2025-52565). */
static int open_console(struct init *in, struct err *err)
{
	const struct spec_process *p = in->spec->process;
	cleanup_fd int root = -EBADF;
	cleanup_fd int pts = -EBADF;
	cleanup_fd int master = -EBADF;
	int r;

	if (!p->terminal)
		return 0;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	pts = path_open_in(root, "/dev/pts", O_PATH | O_DIRECTORY, 0, err);
	if (pts < 0)
		return pts;
	r = tty_open_pair(pts, &master, &in->console, err);
	if (r < 0)
		return err_hint(err, r, "a terminal needs a devpts mount at /dev/pts");
	console_set_size(p, master);
	r = sync_send(in->sync, SYNC_CONSOLE, 0, &master, 1);
	return r < 0 ? err_errno(err, -r, "handing out the terminal") : 0;
}

/* Before the container is joined: what is needed later is all that is left. */
static int close_host_fds(struct init *in, struct err *err)
{
	const struct exec *e = exec_of(in);
	const struct container_stdio *io = &in->args->stdio;
	const int keep[] = { in->sync, e->pidfd, e->root_fd, in->procfs, io->in, io->out, io->err };
	int r;

	log_setup("inro-runtime", -EBADF, LOG_PLAIN, LOG_ERROR);
	r = fd_close_from(3 + (unsigned int)in->args->preserve_fds, keep, ARRAY_SIZE(keep));
	return r < 0 ? err_errno(err, -r, "closing what the host has open") : 0;
}

/* Before any name of the container is resolved with /proc/self being this process
 * (CVE-2024-21626). */
static int close_fds(struct init *in, struct err *err)
{
	struct exec *e = exec_of(in);
	const struct container_stdio *io = &in->args->stdio;
	int *const rest[] = { &e->pidfd, &e->root_fd, &in->procfs, &in->console };
	const int given[] = { io->in, io->out, io->err };
	const int keep[] = { in->sync };
	int passed = in->args->preserve_fds;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(rest); i++)
		*rest[i] = fd_close(*rest[i]);
	for (size_t i = 0; i < ARRAY_SIZE(given); i++)
		if (given[i] >= 3 + passed)
			fd_close(given[i]);
	/* That was all. Without close_range(2) and without a /proc/self it can't be said again. */
	r = fd_close_from(3 + (unsigned int)passed, keep, ARRAY_SIZE(keep));
	if (r == -ENOENT)
		r = 0;
	for (int fd = 3; r >= 0 && fd < 3 + passed; fd++)
		r = fd_set_cloexec(fd, false);
	return r < 0 ? err_errno(err, -r, "closing what the host has open") : 0;
}

static int find_user(struct init *in, struct err *err)
{
	const struct spec_user *u = &in->spec->process->user;

	umask(u->umask.set ? (mode_t)u->umask.value : 0022);
	return exec_user_find(exec_of(in), err);
}

/* The container will see the process, which still has this to do there. */
static int reduce_caps(struct init *in, struct err *err)
{
	const struct spec_process *p = in->spec->process;
	int r;

	/* A scheduler has to be set behind clone. */
	if (p->scheduler)
		return process_reduce_caps(in, UINT64_C(1) << CAP_SYS_NICE, err);
	r = process_reduce_caps(in, 0, err);
	return r < 0 ? r : init_load_early(in, err);
}

static int wait_systemd(struct init *in, struct err *err)
{
	return exec_of(in)->by_systemd ? sync_expect(in->sync, SYNC_CGROUP, NULL, err) : 0;
}

static const struct init_step stage_steps[] = {
	{ NULL, init_reset_process },
	{ NULL, wait_systemd },
	{ NULL, join_cgroups },
	{ NULL, join_rdt },
	{ NULL, process_memory_policy },
	{ NULL, final_affinity },
	{ NULL, set_limits },
	{ NULL, stage_sched },
	{ NULL, close_host_fds },
	{ NULL, join_namespaces }, /* names are the container's from here on */
	{ NULL, enter_root },
	{ NULL, init_join_keyring },
	{ "setting up the console", open_console },
	{ NULL, find_user },
	{ NULL, process_stdio },
	{ NULL, process_labels },
	{ NULL, close_fds },
	{ NULL, process_cwd_early },
	{ NULL, process_user },
	{ NULL, init_forget_caller },
	{ NULL, reduce_caps },
};

/* --- the process that executes the program --- */

static int own_session(struct init *in, struct err *err)
{
	setsid();
	return process_ctty(in, err);
}

/* The runtime has to know the process before this has a seccomp agent's fd to give to it. */
static int wait_known(struct init *in, struct err *err)
{
	return in->bpf_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER
		   ? sync_expect(in->sync, SYNC_PID, NULL, err)
		   : 0;
}

static int last_limits(struct init *in, struct err *err)
{
	int r = process_limits_late(in, err);

	if (r < 0)
		return r;
	return in->spec->process->scheduler ? process_sched(in, err) : 0;
}

static const struct init_step last_steps[] = {
	{ NULL, own_session },
	{ NULL, last_limits },
	/* Here /proc/self is this process; for the stage it is nobody. */
	{ NULL, process_cwd },
	{ NULL, process_program },
	{ NULL, wait_known },
	{ NULL, init_give_up },
	{ NULL, init_execute },
};

static int make_process(struct init *in, struct err *err)
{
	/* The filter may be loaded: seccomp_early.c knows these flags. There are no handlers. */
	struct clone_spec spec = { .flags = CLONE_PARENT, .cgroup_fd = -EBADF };
	int pidfd = -EBADF, r;
	pid_t pid = clone_process(&spec, &pidfd);

	if (pid == -ENOMEM)
		return err_errno(err, ENOMEM,
				 "making a process in the container (has it just ended?)");
	if (pid < 0)
		return err_errno(err, -pid, "making a process in the container");
	if (pid > 0) {
		r = sync_send(in->sync, SYNC_INIT_PID, pid, &pidfd, 1);
		return r < 0 ? err_errno(err, -r, "reporting to the runtime") : 0;
	}
	return init_run_steps(in, last_steps, ARRAY_SIZE(last_steps), err);
}

_Noreturn void exec_stage_main(struct exec *e)
{
	struct err err = ERR_INIT;
	int r;

	r = init_run_steps(&e->in, stage_steps, ARRAY_SIZE(stage_steps), &err);
	if (r >= 0)
		r = make_process(&e->in, &err);
	if (r < 0)
		sync_send_error(e->in.sync, &err);
	_exit(r < 0 ? 1 : 0);
}

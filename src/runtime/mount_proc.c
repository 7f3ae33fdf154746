/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's procfs. It shows the pid namespace of the process that opens its filesystem
 * context. A container that joins a pid namespace is set up from outside: there the kernel is told
 * which one (>= 6.17), or a process that is made inside opens the context and hands it out. Whoever
 * traces that one has a process that can't do anything else, under a filter that says so.
 */
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "runtime/init.h"
#include "runtime/sync.h"
#include "sys/clone.h"
#include "sys/mount.h"
#include "sys/ns.h"
#include "sys/pidfd.h"
#include "sys/prctl.h"
#include "sys/seccomp.h"

#define ANSWER_MS 10000

bool mount_is_proc(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

static int load_filter(struct err *err)
{
	static const char *const names[] = { "clone",  "clone3", "prctl",      "fsopen", "sendmsg",
					     "waitid", "exit",   "exit_group", NULL };
	const struct seccomp_rule rule = { .names = (char *const *)(uintptr_t)names,
					   .action = SECCOMP_RET_ALLOW };
	const struct seccomp_policy policy = {
		.default_action = SECCOMP_RET_KILL_PROCESS,
		.rules = &rule,
		.n_rules = 1,
	};
	CLEANUP(buf_done) struct buf bpf = BUF_INIT;
	int r = seccomp_compile(&policy, &bpf, err);

	return r < 0 ? r : seccomp_install(bpf.data, bpf.len, 0, err);
}

/* /proc/PID/root of who can be traced leads to it, and nowhere from there. */
static int enter_nothing(struct err *err)
{
	const unsigned int attrs =
	    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	cleanup_fd int fd = mount_new("tmpfs", "tmpfs", NULL, 0, attrs, err);

	if (fd < 0)
		return fd;
	if (fchdir(fd) < 0 || chroot(".") < 0)
		return err_errno(err, errno, "changing to an empty root");
	return 0;
}

/* Outside, and the last that has a choice. */
static int give_up_all_else(int sock, int pid_ns, struct err *err)
{
	const struct cap_sets caps = {
		.permitted = UINT64_C(1) << CAP_SYS_ADMIN,
		.effective = UINT64_C(1) << CAP_SYS_ADMIN,
	};
	const int keep[] = { sock, pid_ns };
	int r;

	prctl_parent_death_signal(SIGKILL, 0);
	r = fd_close_from(0, keep, ARRAY_SIZE(keep));
	if (r < 0)
		return err_errno(err, -r, "closing what the host has open");
	r = ns_join(pid_ns, CLONE_NEWPID, err);
	fd_close(pid_ns);
	if (r >= 0)
		r = enter_nothing(err);
	if (r >= 0)
		r = cap_apply(&caps, err);
	return r < 0 ? r : load_filter(err);
}

/* Whoever traces it reads nothing of the caller's in it, and stopping it does not keep it alive. */
static _Noreturn void open_for_parent(int sock)
{
	int fd = -EPERM;

	if (prctl_parent_death_signal(SIGKILL, 0) >= 0)
		fd = mount_open_procfs(-EBADF);
	sync_send(sock, SYNC_GO, fd, &fd, fd >= 0);
	_exit(0);
}

static _Noreturn void helper_main(struct init *in, int sock, int pid_ns)
{
	struct clone_spec spec = { .cgroup_fd = -EBADF };
	struct err err = ERR_INIT;
	int pidfd = -EBADF;
	pid_t pid;

	init_forget_caller(in, &err);
	if (give_up_all_else(sock, pid_ns, &err) < 0) {
		sync_send_error(sock, &err);
		_exit(1);
	}
	pid = clone_process(&spec, &pidfd);
	if (pid == 0)
		open_for_parent(sock);
	if (pid < 0)
		sync_send(sock, SYNC_GO, pid, NULL, 0);
	else
		pidfd_wait(pidfd, NULL);
	_exit(0);
}

static int receive_context(int sock, struct err *err)
{
	struct pollfd in = { .fd = sock, .events = POLLIN };
	struct sync_msg msg;
	int fd, r;

	/* Others may have stopped it. */
	if (NO_EINTR(poll(&in, 1, ANSWER_MS)) <= 0)
		return err_errno(err, ETIMEDOUT,
				 "opening filesystem type proc in the pid namespace");
	r = sync_expect(sock, SYNC_GO, &msg, err);
	if (r < 0)
		return r;
	if (msg.n_fds == 1) {
		fd = msg.fds[0];
		msg.n_fds = 0;
	} else {
		fd = err_errno(err, msg.number < 0 ? (int)-msg.number : EPROTO,
			       "opening filesystem type proc in the pid namespace");
	}
	sync_msg_done(&msg);
	return fd;
}

static int open_inside(struct init *init, int pid_ns, struct err *err)
{
	struct clone_spec spec = { .cgroup_fd = -EBADF };
	cleanup_fd int ours = -EBADF;
	int pair[2], pidfd = -EBADF, fd, r;
	pid_t pid;

	r = sync_pair(pair, err);
	if (r < 0)
		return r;
	ours = pair[0];
	pid = clone_process(&spec, &pidfd);
	if (pid == 0)
		helper_main(init, pair[1], pid_ns);
	fd_close(pair[1]);
	if (pid < 0)
		return err_errno(err, -pid, "making a process");
	fd = receive_context(ours, err);
	if (fd < 0)
		pidfd_kill(pidfd, SIGKILL);
	pidfd_wait(pidfd, NULL);
	fd_close(pidfd);
	return fd;
}

static int open_context(struct init *in, struct err *err)
{
	int fd;

	/* Joined before the user namespace, it belongs to another one. */
	if (!in->pid_ns_pending)
		return err_errno(err, EPERM, "creating proc");
	fd = mount_open_procfs(in->ns_fds[NS_PID]);
	if (fd >= 0)
		return fd;
	if (fd != -EINVAL)
		return err_errno(err, -fd, "opening filesystem type proc (fsopen)");
	return open_inside(in, in->ns_fds[NS_PID], err);
}

int mount_new_proc(struct init *in, const struct mount_opts *o, struct err *err)
{
	cleanup_fd int context = -EBADF;
	cleanup_fd int fd = -EBADF;

	if (!in->outside)
		return mount_new("proc", "proc", o->data, o->n_data, (unsigned int)o->set, err);
	context = open_context(in, err);
	if (context < 0)
		return context;
	fd = mount_from_context(context, "proc", o->data, o->n_data, (unsigned int)o->set, err);
	if (fd < 0)
		return fd;
	return mount_is_proc(fd) ? take_fd(fd)
				 : err_fail(err, ERR_DENIED, "what was handed out is no procfs");
}

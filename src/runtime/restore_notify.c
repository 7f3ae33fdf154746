/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sched.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtime/hooks.h"
#include "runtime/pid_file.h"
#include "runtime/restore.h"
#include "runtime/sync.h"
#include "sys/clone.h"
#include "sys/mount.h"
#include "sys/netlink.h"
#include "sys/ns.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"
#include "sys/uapi.h"

/* The new network namespace is empty: what create does in one is done in it. */
static int set_up_network(struct restoration *r, pid_t pid, struct err *err)
{
	const struct spec_namespace *ns = spec_namespace_find(r->spec, NS_NETWORK);
	const struct json_map *sysctls = &r->spec->linux_->sysctl;
	cleanup_fd int own = -EBADF;
	cleanup_fd int fd = -EBADF;
	cleanup_fd int procfs = -EBADF;
	int e, back;

	if (!ns || (ns->path && ns->path[0]))
		return 0;
	own = ns_open("/proc/self/ns/net", CLONE_NEWNET, err);
	fd = own < 0 ? own : ns_open_of(pid, CLONE_NEWNET, err);
	procfs = fd < 0 ? fd : procfs_open(0, err);
	e = procfs < 0 ? procfs : ns_join(fd, CLONE_NEWNET, err);
	if (e < 0)
		return e;
	e = netlink_loopback_up(err);
	for (size_t i = 0; i < sysctls->n && e >= 0; i++)
		if (str_starts(sysctls->items[i].key, "net"))
			e = procfs_write_sysctl(procfs, sysctls->items[i].key,
						sysctls->items[i].value, err);
	back = ns_join(own, CLONE_NEWNET, e < 0 ? NULL : err);
	return e < 0 ? e : back;
}

/* The kernel knows whose child it is. It is entered, named to others and killed when something
 * fails: no process may be that criu has not made. */
static int open_named(pid_t pid, struct err *err)
{
	cleanup_fd int pidfd = pid > 0 ? pidfd_of(pid) : -EINVAL;
	int e = pidfd;

	if (e < 0)
		err_errno(err, -e, "opening it");
	else
		e = sync_check_process(pid, pidfd, err);
	return e < 0 ? e : take_fd(pidfd);
}

static int on_namespaces(struct restoration *r, pid_t pid, struct err *err)
{
	const struct spec_hooks *h = r->spec->hooks;
	cleanup_fd int pidfd = open_named(pid, err);
	int e;

	if (pidfd < 0)
		return err_wrap(err, pidfd, "criu names %d as the process to restore", pid);
	e = set_up_network(r, pid, err);
	if (e < 0)
		return err_wrap(err, e, "setting up the network namespace");
	if (!h)
		return 0;
	r->hooks_ran = true;
	r->st.pub.pid = pid;
	e = hooks_run("prestart", &h->prestart, &r->st.pub, CONTAINER_CREATING,
		      r->create->cancel_fd, err);
	return e < 0 ? e
		     : hooks_run("createRuntime", &h->create_runtime, &r->st.pub,
				 CONTAINER_CREATING, r->create->cancel_fd, err);
}

/* In the container's mount namespace, for which it takes a process of its own. */
static int set_readonly(pid_t pid, struct err *err)
{
	cleanup_fd int fd = ns_open_of(pid, CLONE_NEWNS, err);
	int e = fd < 0 ? fd : ns_join(fd, CLONE_NEWNS, err);

	return e < 0 ? e : mount_set(AT_FDCWD, "/", false, MOUNT_ATTR_RDONLY, 0, 0, -EBADF, err);
}

/* criu before 4 restores the attributes of all mounts but the root's. */
static int restore_readonly(const struct restoration *r, pid_t pid, struct err *err)
{
	struct clone_spec spec = { .flags = CLONE_CLEAR_SIGHAND, .cgroup_fd = -EBADF };
	cleanup_fd int pidfd = -EBADF;
	siginfo_t info = { 0 };
	struct err own = ERR_INIT;
	pid_t child;

	if (!r->spec->root->readonly)
		return 0;
	child = clone_process(&spec, &pidfd);
	if (child == 0)
		_exit(set_readonly(pid, &own) < 0 ? (own.errnum ? own.errnum : EIO) : 0);
	if (child < 0)
		return err_errno(err, -child, "making the root filesystem read-only");
	pidfd_wait(pidfd, &info);
	if (info.si_code == CLD_EXITED && info.si_status == 0)
		return 0;
	return err_errno(err, info.si_code == CLD_EXITED ? info.si_status : EIO,
			 "making the root filesystem read-only");
}

/* The processes are complete and wait for the answer. */
static int on_restored(struct restoration *r, pid_t pid, struct err *err)
{
	cleanup_fd int pidfd = -EBADF;
	int e;

	/* Nor a second time. */
	if (r->init.pidfd >= 0)
		e = err_fail(err, ERR_CORRUPT, "criu names another one");
	else
		e = pidfd = open_named(pid, err);
	if (e < 0)
		return err_wrap(err, e, "criu names %d as the restored process", pid);
	r->init = (struct container){ .pid = pid, .pidfd = take_fd(pidfd) };
	r->st.pub.pid = pid;
	/* Without it no later command would take the process for the container's. */
	e = procfs_stat(pid, NULL, &r->st.pub.pid_start_time);
	if (e < 0)
		return err_errno(err, -e, "reading /proc/%d/stat", pid);
	e = restore_readonly(r, pid, err);
	if (e >= 0)
		e = state_write(r->dir, &r->st, err);
	if (e >= 0)
		e = pid_file_write(r->create->pid_file, pid, &r->pid_file_made, err);
	if (e >= 0 && unlinkat(r->dir, STATE_CREATING, 0) < 0)
		e = err_errno(err, errno, "recording the container as running");
	return e;
}

static int on_terminal(struct restoration *r, const int *fds, size_t n_fds, struct err *err)
{
	const struct console_target *to = &r->console;
	struct sync_msg msg = { .n_fds = 1 };
	int e;

	if (n_fds != 1)
		return err_errno(err, EPROTO, "receiving the terminal from criu");
	if (to->fd_out ? *to->fd_out >= 0 : to->sock < 0)
		return 0;
	/* fds stay the caller's. */
	msg.fds[0] = fd_dup(fds[0], 3);
	if (msg.fds[0] < 0)
		return err_errno(err, -msg.fds[0], "keeping the terminal");
	e = console_give(to, &msg, err);
	sync_msg_done(&msg);
	return e;
}

int restore_notify(void *data, const struct criu_resp *resp, const int *fds, size_t n_fds,
		   struct err *err)
{
	struct restoration *r = data;
	const char *script = resp->notify.script;

	if (str_eq(script, "setup-namespaces"))
		return on_namespaces(r, resp->notify.pid, err);
	if (str_eq(script, "post-restore"))
		return on_restored(r, resp->notify.pid, err);
	if (str_eq(script, "orphan-pts-master"))
		return on_terminal(r, fds, n_fds, err);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sched.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/strv.h"
#include "runtime/hooks.h"
#include "runtime/init.h"
#include "runtime/listener.h"
#include "runtime/notify.h"
#include "runtime/sync.h"
#include "sys/prctl.h"
#include "sys/procfs.h"
#include "sys/seccomp.h"

int init_run_steps(struct init *in, const struct init_step *steps, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		int r = steps[i].fn(in, err);

		if (r < 0)
			return steps[i].what ? err_wrap(err, r, "%s", steps[i].what) : r;
	}
	return 0;
}

/*
 * clone has reset handlers, not ignored signals. The system call itself, because libc's refuses the
 * two signals that it keeps for threads, and its posix_spawn(3) ignores them for the child: all
 * that make(1) starts, say.
 */
static void reset_ignored_signals(void)
{
	/* The kernel's struct: handler, flags, restorer, mask of 64 signals. */
	static const unsigned long by_default[4];
	unsigned long now[4] = { 0 };

	for (int signo = 1; signo <= 64; signo++)
		if (syscall(SYS_rt_sigaction, signo, NULL, now, 8) == 0 &&
		    now[0] == (unsigned long)SIG_IGN)
			syscall(SYS_rt_sigaction, signo, by_default, NULL, 8);
}

int init_reset_process(struct init *in, struct err *err)
{
	sigset_t none;

	/* The lock on the state directory belongs to the open file: it must not outlive the
	 * runtime in this process. */
	in->dir_fd = fd_close(in->dir_fd);
	in->sync_parent = fd_close(in->sync_parent);
	in->idle_close_fd = fd_close(in->idle_close_fd);
	/* Who is in a pid or user namespace that is joined sees this process from now on, and with
	 * CAP_SYS_PTRACE there would see what it has open of the host (CVE-2016-9962). */
	if (in->joined_ns & (CLONE_NEWPID | CLONE_NEWUSER))
		prctl_dumpable(false);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	reset_ignored_signals();
	setsid();
	return 0;
}

/* SELinux: a key has its maker's label, which the container's processes may not touch. Empty: back
 * to that. */
static int label_keys(const struct init *in, const char *label, struct err *err)
{
	/* The container's /proc, where its mount namespace has been joined, may be anything. */
	unsigned int flags = in->joined_ns & CLONE_NEWNS ? 0 : PROCFS_MOUNTED;
	cleanup_fd int own = in->procfs < 0 ? procfs_open(flags, err) : -EBADF;
	struct err first = ERR_INIT;
	int r, procfs = in->procfs < 0 ? own : in->procfs;

	if (procfs < 0)
		return procfs;
	r = procfs_write_attr(procfs, "keycreate", label, &first);
	/* No SELinux, or no label: process_labels() says that of the same one. */
	if (r >= 0 || r == -EINVAL || r == -ENOENT)
		return 0;
	if (err)
		*err = first;
	return r;
}

int init_join_keyring(struct init *in, struct err *err)
{
	const char *label = in->spec->process->selinux_label;
	char name[300];
	int r;

	if (in->args->no_new_keyring)
		return 0;
	r = label && label[0] ? label_keys(in, label, err) : 0;
	if (r < 0)
		return err_wrap(err, r, "applying SELinux label %s to the session keyring", label);
	snprintf(name, sizeof(name), "_ses.%s", in->args->id);
	/* The quota of keys per user is small and a container works without a keyring of its own,
	 * but it must not see its creator's. */
	if (syscall(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) < 0 && errno != ENOSYS) {
		int e = errno;

		if (syscall(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != EPERM)
			return err_errno(err, e, "joining a session keyring");
	}
	return label && label[0] ? label_keys(in, "", err) : 0;
}

static int set_names(struct init *in, struct err *err)
{
	const struct spec *s = in->spec;

	if (s->hostname && s->hostname[0] && sethostname(s->hostname, strlen(s->hostname)) < 0)
		return err_errno(err, errno, "setting the host name to \"%s\"", s->hostname);
	if (s->domainname && s->domainname[0] &&
	    setdomainname(s->domainname, strlen(s->domainname)) < 0)
		return err_errno(err, errno, "setting the domain name to \"%s\"", s->domainname);
	return 0;
}

/* The runtime's hooks want all mounts made, the container's own run in its namespaces; both before
 * the old root goes away. */
static int create_hooks(struct init *in, struct err *err)
{
	const struct spec_hooks *h = in->spec->hooks;
	int r;

	if (!h)
		return 0;
	if (h->prestart.n || h->create_runtime.n) {
		r = sync_send(in->sync, SYNC_HOOKS, 0, NULL, 0);
		if (r < 0)
			return err_errno(err, -r, "asking for hooks");
		r = sync_expect(in->sync, SYNC_GO, NULL, err);
		if (r < 0)
			return r;
	}
	return hooks_run("createContainer", &h->create_container, in->state, CONTAINER_CREATING,
			 -EBADF, err);
}

/*
 * From here on names are the container's, and /proc/self/fd/N/../.. leads from a directory that is
 * still open to wherever it is on the host: as the working directory, and also as the program or
 * its interpreter, which exec looks for before it closes what is CLOEXEC (CVE-2024-21626). So what
 * the caller, the runtime or the monitor had open is really closed. The rest is CLOEXEC.
 */
static int close_fds(struct init *in, struct err *err)
{
	const int log = in->outside ? -EBADF : log_fd();
	const int keep[] = { in->sync, in->conn, in->listen_fd, in->root, in->host_mnt_fd, log };
	int passed = in->args->preserve_fds;
	int r;

	if (in->outside)
		log_setup("inro-runtime", -EBADF, LOG_PLAIN, LOG_ERROR);
	in->console = in->procfs = -EBADF; /* the first lives on as 0, 1 and 2 */
	r = fd_close_from(3 + (unsigned int)passed, keep, ARRAY_SIZE(keep));
	for (int fd = 3; r >= 0 && fd < 3 + passed; fd++)
		r = fd_set_cloexec(fd, false);
	return r < 0 ? err_errno(err, -r, "closing what the host has open") : 0;
}

int init_forget_caller(struct init *in, struct err *err)
{
	static const char title[] = "inro-runtime init";
	size_t len = in->rt->args_len;

	(void)err;
	for (char **var = environ; var && *var; var++)
		explicit_bzero(*var, strlen(*var));
	if (len < 2)
		return 0;
	explicit_bzero(in->rt->args, len);
	memcpy(in->rt->args, title, len - 2 < strlen(title) ? len - 2 : strlen(title));
	/* As the last byte is not NUL, the kernel shows the first string and nothing behind it. */
	in->rt->args[len - 1] = ' ';
	return 0;
}

static int send_listener(const struct init *in, int fd)
{
	int r = sync_send(in->conn, SYNC_LISTENER, LISTENER_FOLLOWS, NULL, 0);

	return r < 0 ? r : sync_send(in->conn, SYNC_LISTENER, 0, &fd, 1);
}

static int load_filter(struct init *in, struct err *err)
{
	const struct seccomp_call sendmsg = { SYS_sendmsg, false, 0 };
	uint32_t answer = 0;
	int fd, r;

	if (!in->bpf)
		return 0;
	fd = seccomp_install(in->bpf, in->bpf_len, in->bpf_flags, err);
	if (fd <= 0)
		return fd;
	/* From here on the filter may hold other system calls until somebody listens. An
	 * unprivileged runtime can't fetch the fd from a process that nobody may trace: it is sent.
	 * Where the filter does not let that through, the runtime is told where the fd is. */
	if (seccomp_answer(in->bpf, in->bpf_len, &sendmsg, &answer) && answer == SECCOMP_RET_ALLOW)
		r = send_listener(in, fd);
	else
		r = sync_write(in->conn, SYNC_LISTENER, fd);
	if (r >= 0)
		r = sync_read_go(in->conn);
	return r < 0 ? err_errno(err, -r, "handing out the seccomp notify fd") : 0;
}

int init_load_early(struct init *in, struct err *err)
{
	int r;

	if (!seccomp_is_early(in))
		return 0;
	r = load_filter(in, err);
	if (r < 0)
		return r;
	in->bpf = NULL;
	return process_reduce_caps(in, 0, err);
}

/* A scheduler's effect may end at clone (SCHED_FLAG_RESET_ON_FORK), or forbid it (SCHED_DEADLINE).
 */
static bool sched_waits(const struct init *in)
{
	return in->outside && !in->entered && in->spec->process->scheduler;
}

static int sched_now(struct init *in, struct err *err)
{
	return sched_waits(in) ? 0 : process_sched(in, err);
}

static int terminal_now(struct init *in, struct err *err)
{
	return in->outside ? 0 : process_ctty(in, err);
}

static int own_session(struct init *in, struct err *err)
{
	setsid();
	return process_ctty(in, err);
}

/* After create it may wait for long, where processes that were executed in the container, or others
 * of a pid namespace that it shares, can trace it. */
static int reduce_caps(struct init *in, struct err *err)
{
	const struct spec_hooks *h = in->spec->hooks;
	uint64_t needed = 0;
	int r;

	if (sched_waits(in))
		needed = UINT64_C(1) << CAP_SYS_NICE;
	r = process_reduce_caps(in, needed, err);
	if (needed)
		return r;
	/* Hooks are not for the filter. Without create nobody has the time. */
	if (r < 0 || (h && h->start_container.n) || (in->listen_fd < 0 && !in->joined_ns))
		return r;
	return init_load_early(in, err);
}

static int sched_late(struct init *in, struct err *err)
{
	int r;

	if (!in->spec->process->scheduler)
		return 0;
	r = process_sched(in, err);
	return r < 0 ? r : reduce_caps(in, err);
}

static const struct init_step set_up[] = {
	{ NULL, init_reset_process },
	{ NULL, init_join_keyring },
	{ "entering the user namespace", init_enter_userns },
	{ NULL, init_make_namespaces },
	{ NULL, init_offer_netns },
	{ "isolating the mount namespace", rootfs_isolate },
	{ "mounting the root filesystem", rootfs_mount },
	{ NULL, mounts_make }, /* sysfs waits for the network namespace, cgroup for the limits */
	{ "mounting " NOTIFY_DIR " in container", mounts_notify },
	{ NULL, init_join_netns },
	{ NULL, devices_make },
	{ "setting up the console", devices_console },
	{ NULL, process_stdio },
	{ NULL, terminal_now },
	{ NULL, set_names },
	{ NULL, process_limits },
	{ NULL, init_join_cgroup },
	{ NULL, sched_now }, /* realtime policies need the time that the cgroup gives */
	{ NULL, process_memory_policy },
	{ NULL, init_await_network },
	{ NULL, netdev_wait },
	{ NULL, sysctl_apply }, /* before /proc/sys is made read-only; some are an interface's */
	{ NULL, create_hooks },
	{ NULL, protect_paths },
	{ NULL, rootfs_finish_mounts },
	{ NULL, process_labels },
	{ NULL, init_make_time_ns }, /* behind the hooks */
	{ "joining the pid namespace", init_join_pid_ns },
	{ NULL, close_fds },
	{ "entering the root filesystem", rootfs_enter },
	{ NULL, process_cwd_early },
	{ NULL, process_user },
};

/* In the container's pid namespace: /proc/self is this process. */
static const struct init_step find_program[] = {
	{ NULL, process_cwd },
	{ NULL, process_program },
};

static const struct init_step reduce[] = {
	{ NULL, init_forget_caller },
	{ NULL, reduce_caps },
};

/* A process that was outside of the pid namespace which it joins gives up what it can there, and
 * who is in there sees only what comes behind the clone. */
static const struct init_step enter_pid_ns[] = {
	{ NULL, init_forget_caller }, { NULL, reduce_caps },         { NULL, init_clone_last },
	{ NULL, own_session },        { NULL, process_limits_late }, { NULL, sched_late },
};

/* create: the runtime goes away, and the one who starts the container connects. Only the owner of
 * the state directory can reach the socket; the peer's uid is checked all the same. */
static int wait_for_start(struct init *in, struct err *err)
{
	struct ucred cred = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(cred);
	struct ucred own = { .uid = (uid_t)-1 };
	socklen_t own_len = sizeof(own);
	int fd, r;

	if (in->listen_fd < 0)
		return 0;
	/* The runtime's credentials at the time of listen(2), as this user namespace sees them. */
	if (getsockopt(in->listen_fd, SOL_SOCKET, SO_PEERCRED, &own, &own_len) < 0)
		return err_errno(err, errno, "reading the owner of the start socket");
	r = sync_send(in->sync, SYNC_READY, 0, NULL, 0);
	if (r < 0)
		return err_errno(err, -r, "reporting to the runtime");
	in->sync = fd_close(in->sync);
	in->conn = -EBADF;
	for (;;) {
		fd = accept4(in->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 && errno == EINTR)
			continue;
		if (fd < 0)
			return err_errno(err, errno, "waiting to be started");
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
		    cred.uid == own.uid)
			break;
		fd_close(fd);
	}
	in->conn = fd;
	/* The socket is unlinked by now: nobody else can start it, so without a go it ends. */
	r = sync_expect(fd, SYNC_GO, NULL, err);
	in->listen_fd = fd_close(in->listen_fd);
	return r;
}

static int start_hooks(struct init *in, struct err *err)
{
	if (!in->spec->hooks)
		return 0;
	return hooks_run("startContainer", &in->spec->hooks->start_container, in->state,
			 CONTAINER_CREATED, -EBADF, err);
}

/* Without no_new_privs loading a filter takes CAP_SYS_ADMIN, so the capabilities go after it. With
 * it, nothing but exec comes after the filter. */
int init_give_up(struct init *in, struct err *err)
{
	int r;

	if (!in->spec->process->no_new_privileges) {
		r = load_filter(in, err);
		return r < 0 ? r : process_final_caps(in, err);
	}
	r = process_final_caps(in, err);
	if (r < 0)
		return r;
	r = prctl_no_new_privs();
	if (r < 0)
		return err_errno(err, -r, "setting no_new_privs");
	return 0;
}

int init_execute(struct init *in, struct err *err)
{
	int r, e;

	r = sync_send(in->conn, SYNC_EXEC, 0, NULL, 0);
	if (r < 0)
		return err_errno(err, -r, "reporting to the runtime");
	if (in->spec->process->no_new_privileges) {
		r = load_filter(in, err);
		if (r < 0)
			return r;
	}
	execve(in->program, in->spec->process->args, in->env);
	e = errno;
	/* It is there (process_program()); in the words that docker has a status for. */
	if (e == ENOENT || e == ENOTDIR)
		return err_hint(
		    err,
		    err_fail(err, ERR_CMD_NOT_FOUND, "exec %s: no such file or directory",
			     in->program),
		    "what its first line (#!) names, or its dynamic loader, is missing");
	r = err_set_kind(err, err_errno(err, e, "exec %s", in->program), ERR_NOT_EXECUTABLE);
	if (e == ENOEXEC)
		err_hint(err, r,
			 "it is of another architecture, or a script without a first line "
			 "as #!/bin/sh");
	return r;
}

static const struct init_step start_program[] = {
	{ "waiting for start", wait_for_start },
	{ NULL, start_hooks },
	{ NULL, init_give_up },
	{ NULL, init_execute },
};

_Noreturn void init_main(struct init *in)
{
	struct err err = ERR_INIT;
	int r;

	r = init_run_steps(in, set_up, ARRAY_SIZE(set_up), &err);
	if (r >= 0 && in->outside)
		r = init_run_steps(in, enter_pid_ns, ARRAY_SIZE(enter_pid_ns), &err);
	if (r >= 0)
		r = init_run_steps(in, find_program, ARRAY_SIZE(find_program), &err);
	if (r >= 0 && !in->outside)
		r = init_run_steps(in, reduce, ARRAY_SIZE(reduce), &err);
	if (r >= 0)
		r = init_run_steps(in, start_program, ARRAY_SIZE(start_program), &err);
	if (r < 0 && in->conn >= 0)
		sync_send_error(in->conn, &err);
	_exit(1);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* `run` without --detach: the runtime stays, passes signals and the terminal on, and cleans up. */
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/proc.h"
#include "runtime/cancel.h"
#include "runtime/cgroup.h"
#include "runtime/cli.h"
#include "runtime/foreground.h"
#include "runtime/notify.h"
#include "sys/pidfd.h"
#include "sys/prctl.h"
#include "sys/tty.h"
#include "sys/uapi.h"

#define STATUS_TIMEOUT_MS 1000 /* for its parent to have waited for it */

/* Everything that can be caught is caught before the container exists: none is lost. */
static int block_signals(struct foreground *f, struct err *err)
{
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGPIPE);
	for (size_t i = 0; i < 5; i++) {
		static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

		sigdelset(&all, faults[i]);
	}
	if (sigprocmask(SIG_BLOCK, &all, NULL) < 0)
		return err_errno(err, errno, "blocking signals");
	f->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	return f->signals < 0 ? err_errno(err, errno, "making a signalfd") : 0;
}

static void copy_size(const struct foreground *f)
{
	struct winsize size;

	if (f->master >= 0 && (tty_get_size(0, &size) == 0 || tty_get_size(1, &size) == 0))
		tty_set_size(f->master, &size);
}

/* As a subreaper this process also gets what the container's processes leave. */
static void reap(struct foreground *f)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == f->c.pid) {
			f->ended = true;
			f->status = status;
		}
	}
}

static void take_signals(struct foreground *f)
{
	struct signalfd_siginfo info;

	while (read(f->signals, &info, sizeof(info)) == sizeof(info)) {
		int signo = (int)info.ssi_signo;

		if (signo == SIGCHLD)
			reap(f);
		else if (signo == SIGWINCH && f->master >= 0)
			copy_size(f);
		else if (!f->ended)
			pidfd_kill(f->c.pidfd, signo);
	}
}

/* Read to the container's end: later messages (WATCHDOG=1) must not fail or wait for room. The
 * runtime is the service's main process; nobody else could pass signals on. */
static void take_notification(struct foreground *f)
{
	if (!notify_receive(f->notify) || !f->notify_host)
		return;
	notify_tell(f->notify_host, getpid());
	f->notify_host = NULL;
}

static void set_up_terminal(struct foreground *f)
{
	if (f->master < 0)
		return;
	copy_size(f);
	f->raw = isatty(0) && tty_make_raw(0, &f->saved) >= 0;
	fd_set_nonblock(f->master, true);
	pump_init(&f->to_container, 0, f->master);
	pump_init(&f->from_container, f->master, 1);
	if (f->raw && f->keys.n)
		f->to_container.keys = &f->keys;
}

static void stay(struct foreground *f)
{
	while (!f->ended && !f->left) {
		struct pollfd p[2 + 2 * PUMP_POLLFDS] = {
			{ .fd = f->signals, .events = POLLIN },
			{ .fd = f->notify, .events = POLLIN },
		};

		if (f->master >= 0) {
			pump_poll(&f->to_container, p + 2);
			pump_poll(&f->from_container, p + 2 + PUMP_POLLFDS);
		}
		if (poll(p, f->master >= 0 ? ARRAY_SIZE(p) : 2, -1) < 0 && errno != EINTR)
			break;
		if (f->master >= 0) {
			pump_move(&f->to_container, p + 2);
			pump_move(&f->from_container, p + 2 + PUMP_POLLFDS);
			f->left = f->to_container.left;
		}
		if (p[1].revents)
			take_notification(f);
		if (p[0].revents)
			take_signals(f);
	}
	if (f->notify >= 0)
		take_notification(f);
	if (f->left)
		io_write(f->master, f->to_container.buf, f->to_container.end);
	else if (f->master >= 0)
		pump_drain(&f->from_container);
	if (f->raw)
		tty_restore(0, &f->saved);
}

int foreground_begin(struct foreground *f, bool subreaper, struct err *err)
{
	*f = (struct foreground){
		.c = { .pidfd = -EBADF },
		.signals = -EBADF,
		.master = -EBADF,
		.notify = -EBADF,
	};
	if (subreaper)
		prctl_subreaper(true);
	return block_signals(f, err);
}

int foreground_stay(struct foreground *f)
{
	set_up_terminal(f);
	/* Its end may have come while hooks waited for their own children. */
	reap(f);
	stay(f);
	/* What has ended can't be left. */
	f->left = f->left && !f->ended;
	return f->left ? 0 : proc_exit_code(f->status);
}

void foreground_done(struct foreground *f)
{
	f->c.pidfd = fd_close(f->c.pidfd);
	f->signals = fd_close(f->signals);
	f->master = fd_close(f->master);
	f->notify = fd_close(f->notify);
}

static void wait_for_end(const struct keeper *k)
{
	int status;

	if (k->pidfd >= 0 && pidfd_poll(k->pidfd, -1) > 0 &&
	    pidfd_status(k->pidfd, STATUS_TIMEOUT_MS, &status) >= 0)
		k->ended(k->data, status);
}

static _Noreturn void keeper_main(const struct keeper *k)
{
	const int keep[] = { k->master, k->pidfd, k->fd };
	char thrown_away[4096];
	sigset_t none;
	ssize_t n;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	cgroup_monitors_join();
	/* Who waits for the end of our output waits for the command, not for this. */
	if (fd_close_from(0, keep, ARRAY_SIZE(keep)) < 0 || fd_ensure_stdio() < 0)
		_exit(1);
	fd_set_nonblock(k->master, false);
	do
		n = NO_EINTR(read(k->master, thrown_away, sizeof(thrown_away)));
	while (n > 0);
	wait_for_end(k);
	_exit(0);
}

int terminal_keep(const struct runtime *rt, const struct keeper *keeper, struct err *err)
{
	cleanup_fd int pidfd = -EBADF;
	pid_t pid = cgroup_monitors_clone(rt->rootless, CLONE_CLEAR_SIGHAND, &pidfd);

	if (pid == 0)
		keeper_main(keeper);
	return pid < 0 ? err_errno(err, -(int)pid, "making a process for the terminal") : 0;
}

int run_foreground(const struct runtime *rt, struct create_args *args, bool subreaper, bool keep,
		   struct err *err)
{
	struct err warning = ERR_INIT;
	struct foreground f;
	int r = foreground_begin(&f, subreaper, err);

	if (r >= 0 && args->spec->process && args->spec->process->terminal && !args->console_socket)
		args->console_fd_out = &f.master;
	args->notify_fd_out = &f.notify;
	f.notify_host = args->notify_host;
	/* Until then a signal is for this process, later ones are for the container's. */
	if (r >= 0)
		r = args->cancel_fd = cancel_begin(err);
	if (r >= 0)
		r = container_create(rt, args, &f.c, err);
	args->cancel_fd = fd_close(args->cancel_fd);
	if (r >= 0) {
		r = foreground_stay(&f);
		if (!keep && container_delete(rt, args->id, true, &warning) < 0)
			log_warn("deleting container %s: %s", args->id, warning.msg);
	}
	foreground_done(&f);
	return r;
}

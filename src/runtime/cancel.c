/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cancel.h"

#include <poll.h>
#include <sys/signalfd.h>

void cancel_signals(sigset_t *ret)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction now;

	sigemptyset(ret);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(ret, signals[i]);
}

static int block(sigset_t *ret, struct err *err)
{
	cancel_signals(ret);
	return sigprocmask(SIG_BLOCK, ret, NULL) < 0 ? err_errno(err, errno, "blocking signals")
						     : 0;
}

int cancel_block(struct err *err)
{
	sigset_t set;

	return block(&set, err);
}

int cancel_begin(struct err *err)
{
	sigset_t set;
	int fd = block(&set, err);

	if (fd < 0)
		return fd;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_errno(err, errno, "making a signalfd") : fd;
}

int cancel_poll(int cancel_fd, int fd, int timeout_ms)
{
	struct pollfd p[] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = cancel_fd > 0 ? cancel_fd : -1, .events = POLLIN },
	};

	if (NO_EINTR(poll(p, ARRAY_SIZE(p), timeout_ms)) < 0)
		return -errno;
	if (p[0].revents)
		return 1;
	return p[1].revents ? -ECANCELED : 0;
}

int cancel_wait(int cancel_fd, int fd, struct err *err)
{
	int r = cancel_fd > 0 ? cancel_poll(cancel_fd, fd, -1) : 0;

	if (r == -ECANCELED)
		return cancel_error(cancel_fd, err);
	return r < 0 ? err_errno(err, -r, "waiting for the container's first process") : 0;
}

int cancel_error(int cancel_fd, struct err *err)
{
	struct signalfd_siginfo info = { 0 };
	const char *name = NULL;

	if (read(cancel_fd, &info, sizeof(info)) == sizeof(info))
		name = sigabbrev_np((int)info.ssi_signo);
	err_fail(err, ERR_SYSTEM, "interrupted by signal %u (%s)", info.ssi_signo,
		 name ? name : "unknown");
	return -ECANCELED;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/pidfd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "sys/uapi.h"

#define REAP_EVERY_MS  10
#define STATUS_LOOK_MS 10

int pidfd_of(pid_t pid)
{
	/* pidfds are always CLOEXEC. */
	int fd = pidfd_open(pid, 0);

	/* The pid of one that is being reaped at this moment, or that only a thread has any more:
	 * EINVAL, since 6.16 ENOENT for the thread. */
	if (fd < 0 && pid > 0 && (errno == EINVAL || errno == ENOENT))
		return -ESRCH;
	return fd < 0 ? -errno : fd;
}

int pidfd_kill(int pidfd, int signo)
{
	return pidfd_send_signal(pidfd, signo, NULL, 0) < 0 ? -errno : 0;
}

int pidfd_poll(int pidfd, int timeout_ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int n = NO_EINTR(poll(&p, 1, timeout_ms));

	if (n < 0)
		return -errno;
	if (n > 0 && (p.revents & POLLNVAL))
		return -EBADF;
	return n > 0 ? 1 : 0;
}

int pidfd_wait(int pidfd, siginfo_t *ret_info)
{
	siginfo_t info = { 0 };

	if (NO_EINTR(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED)) < 0)
		return -errno;
	if (ret_info)
		*ret_info = info;
	return 0;
}

bool pidfd_reap(int pidfd, int timeout_ms)
{
	const struct timespec pause = { .tv_nsec = REAP_EVERY_MS * 1000 * 1000 };

	if (pidfd_poll(pidfd, timeout_ms) == 0)
		return false;
	for (int waited = 0;; waited += REAP_EVERY_MS) {
		siginfo_t info = { 0 };

		if (NO_EINTR(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG)) < 0 ||
		    info.si_pid)
			return true;
		if (waited >= timeout_ms)
			return false;
		nanosleep(&pause, NULL);
	}
}

bool pidfd_kill_child(int *pidfd, pid_t pid, int timeout_ms)
{
	if (*pidfd < 0)
		return true;
	/* Not reaped yet: where pidfds can't signal, its pid is as sure. */
	if (pidfd_kill(*pidfd, SIGKILL) < 0)
		kill(pid, SIGKILL);
	if (timeout_ms < 0)
		pidfd_wait(*pidfd, NULL);
	else if (!pidfd_reap(*pidfd, timeout_ms))
		return false;
	*pidfd = fd_close(*pidfd);
	return true;
}

/* The line "Pid:\t123" of fdinfo: -1 when it has exited, 0 when it is not in our pid namespace. */
static pid_t pid_from_fdinfo(int pidfd)
{
	cleanup_buf struct buf text = BUF_INIT;
	char path[64];
	int pid;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	int r = io_read_file(AT_FDCWD, path, &text, 4096, NULL);
	if (r < 0)
		return r;
	char *p = strstr(text.data ? text.data : "", "\nPid:\t");
	if (!p)
		return -EBADF;
	p += strlen("\nPid:\t");
	p[strcspn(p, "\n")] = '\0';
	if (str_parse_int(p, &pid) < 0)
		return -EBADF;
	return pid > 0 ? pid : -ESRCH;
}

pid_t pidfd_pid(int pidfd)
{
	struct pidfd_info info = { .mask = PIDFD_INFO_PID };

	if (ioctl(pidfd, PIDFD_GET_INFO, &info) == 0)
		return info.pid > 0 ? (pid_t)info.pid : -ESRCH;
	if (errno == ESRCH || errno == EREMOTE)
		return -ESRCH;
	if (errno != ENOTTY && errno != EINVAL)
		return -errno;
	return pid_from_fdinfo(pidfd);
}

int pidfd_steal_fd(int pidfd, int fd)
{
	int r = pidfd_getfd(pidfd, fd, 0);
	return r < 0 ? -errno : r;
}

int pidfd_status(int pidfd, int timeout_ms, int *ret_status)
{
	const struct timespec pause = { .tv_nsec = STATUS_LOOK_MS * 1000000L };

	for (int ms = 0;; ms += STATUS_LOOK_MS) {
		struct pidfd_info info = { .mask = PIDFD_INFO_EXIT };

		int r = ioctl(pidfd, PIDFD_GET_INFO, &info) < 0 ? -errno : 0;

		if (r < 0 && r != -ESRCH)
			return r;
		if (r == 0 && (info.mask & PIDFD_INFO_EXIT)) {
			*ret_status = info.exit_code;
			return 0;
		}
		if (ms >= timeout_ms)
			return -ETIME;
		nanosleep(&pause, NULL);
	}
}

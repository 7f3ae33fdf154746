/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/str.h"

#define FD_SEND_MAX 16
#define KEEP_MAX    16

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

int fd_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return -EBADF;
}

static int change_flag(int fd, int get, int set, int flag, bool on)
{
	int flags = fcntl(fd, get);

	if (flags < 0)
		return -errno;
	if (!!(flags & flag) == on)
		return 0;
	return fcntl(fd, set, on ? flags | flag : flags & ~flag) < 0 ? -errno : 0;
}

int fd_set_cloexec(int fd, bool on)
{
	return change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int fd_set_nonblock(int fd, bool on)
{
	return change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_dup(int fd, int min)
{
	int r = fcntl(fd, F_DUPFD_CLOEXEC, min);

	return r < 0 ? -errno : r;
}

/* close_range(2) came with 5.9, its CLOEXEC flag with 5.11. */
static int cloexec_from_proc(unsigned int from)
{
	struct dirent *e;
	DIR *d = opendir("/proc/self/fd");

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		uint32_t n;

		if (str_parse_u32(e->d_name, &n) == 0 && n >= from)
			fd_set_cloexec((int)n, true);
	}
	closedir(d);
	return 0;
}

int fd_cloexec_from(unsigned int from)
{
	if (syscall(SYS_close_range, from, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return 0;
	if (errno != ENOSYS && errno != EINVAL)
		return -errno;
	return cloexec_from_proc(from);
}

/* Closes first to last, both included. */
static int close_between(unsigned int first, unsigned int last)
{
	struct dirent *e;
	DIR *d;

	if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
		return 0;
	if (errno != ENOSYS)
		return -errno;
	d = opendir("/proc/self/fd");
	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		uint32_t n;

		if (str_parse_u32(e->d_name, &n) == 0 && n >= first && n <= last &&
		    (int)n != dirfd(d))
			close((int)n);
	}
	closedir(d);
	return 0;
}

int fd_close_from(unsigned int from, const int *keep, size_t n)
{
	unsigned int sorted[KEEP_MAX];
	size_t count = 0;

	if (n > KEEP_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		size_t at = count;

		if (keep[i] < 0 || (unsigned int)keep[i] < from)
			continue;
		for (; at > 0 && sorted[at - 1] > (unsigned int)keep[i]; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = (unsigned int)keep[i];
		count++;
	}
	for (size_t i = 0; i < count; i++) {
		int r = sorted[i] > from ? close_between(from, sorted[i] - 1) : 0;

		if (r < 0)
			return r;
		from = sorted[i] + 1;
	}
	return close_between(from, ~0U);
}

int fd_ensure_stdio(void)
{
	for (;;) {
		int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

		if (fd < 0)
			return -errno;
		if (fd > STDERR_FILENO) {
			fd_close(fd);
			return 0;
		}
		/* 0, 1 and 2 are meant to be inherited */
		if (fd_set_cloexec(fd, false) < 0)
			return -errno;
	}
}

const char *fd_proc_path(int fd, char out[FD_PATH_MAX])
{
	snprintf(out, FD_PATH_MAX, "/proc/self/fd/%u", (unsigned int)fd);
	return out;
}

union fd_control {
	char bytes[CMSG_SPACE(sizeof(int) * FD_SEND_MAX)];
	struct cmsghdr align;
};

ssize_t fd_send(int sock, const void *data, size_t len, const int *fds, size_t n)
{
	union fd_control control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t r;

	if (n > FD_SEND_MAX || (n && len == 0))
		return -EINVAL;
	if (n) {
		struct cmsghdr *c;

		msg.msg_control = control.bytes;
		msg.msg_controllen = (__typeof__(msg.msg_controllen))CMSG_SPACE(sizeof(int) * n);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = (__typeof__(c->cmsg_len))CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	}
	r = NO_EINTR(sendmsg(sock, &msg, MSG_NOSIGNAL));
	return r < 0 ? -errno : r;
}

/* Moves the fds of one control message into out; closes those without room and reports them. */
static size_t take_fds(const struct cmsghdr *c, int *out, size_t have, size_t room, bool *over)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
		if (have < room) {
			out[have++] = fd;
		} else {
			fd_close(fd);
			*over = true;
		}
	}
	return have;
}

ssize_t fd_recv(int sock, void *data, size_t len, int *ret_fds, size_t *inout_n)
{
	union fd_control control;
	struct iovec iov = { .iov_base = data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	size_t n = 0;
	bool over = false;
	ssize_t r;

	r = NO_EINTR(recvmsg(sock, &msg, MSG_CMSG_CLOEXEC));
	if (r < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			n = take_fds(c, ret_fds, n, *inout_n, &over);
	}
	if (over || (msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC))) {
		while (n > 0)
			fd_close(ret_fds[--n]);
		*inout_n = 0;
		/* There is room for all that can be sent: what is cut could not be opened. */
		return over || (msg.msg_flags & MSG_TRUNC) ? -EMSGSIZE : -EMFILE;
	}
	*inout_n = n;
	return r;
}

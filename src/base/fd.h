/* SPDX-License-Identifier: Apache-2.0 */
/* File descriptors. All are CLOEXEC from creation; a closed or absent one is -EBADF. */
#pragma once

#include "base/util.h"

/* Closes once (never retried), keeps errno, returns -EBADF to assign back. Negative fds are
 * ignored. */
int fd_close(int fd);
static inline void fd_cleanup_(int *fd)
{
	fd_close(*fd);
}
#define cleanup_fd CLEANUP(fd_cleanup_)

static inline int take_fd_(int *fd)
{
	int v = *fd;
	*fd = -EBADF;
	return v;
}
#define take_fd(fd) take_fd_(&(fd))

int fd_set_cloexec(int fd, bool on);
int fd_set_nonblock(int fd, bool on);
/* Duplicates with CLOEXEC at or above min. Returns fd or -errno. */
int fd_dup(int fd, int min);
/* Sets CLOEXEC on every fd >= from: close_range(2), else /proc/self/fd. 0 or -errno. */
int fd_cloexec_from(unsigned int from);
/* Closes every fd >= from but those in keep (any order, negative ones ignored; at most 16). 0 or
 * -errno. */
int fd_close_from(unsigned int from, const int *keep, size_t n);
/* Opens 0, 1 and 2 on /dev/null where they are closed, so no later open gets such a number. 0 or
 * -errno. */
int fd_ensure_stdio(void);
/* Path "/proc/self/fd/N" into out. */
#define FD_PATH_MAX sizeof("/proc/self/fd/4294967295")
const char *fd_proc_path(int fd, char out[FD_PATH_MAX]);
/* Sends/receives fds with a data byte or message over a Unix socket (SCM_RIGHTS, CLOEXEC on
 * receive). n <= 16. fd_recv: returns bytes received; *ret_n fds stored. */
ssize_t fd_send(int sock, const void *data, size_t len, const int *fds, size_t n);
ssize_t fd_recv(int sock, void *data, size_t len, int *ret_fds, size_t *inout_n);

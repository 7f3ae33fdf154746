/* SPDX-License-Identifier: Apache-2.0 */
#include "image/background.h"

#include <unistd.h>

#include "base/fd.h"
#include "sys/clone.h"

/* What holds the terminal, pipes or locks of others must not live on in here. */
static int background_prepare(struct image_store *store)
{
	const int keep[] = { store->fd };

	store->lock_fd = store->marker_fd = -EBADF;
	if (fd_close_from(0, keep, ARRAY_SIZE(keep)) < 0 || fd_ensure_stdio() < 0)
		return -EBADF;
	return setsid() < 0 || fchdir(store->fd) < 0 ? -errno : 0;
}

pid_t background_start(struct image_store *store)
{
	const struct clone_spec spec = { .cgroup_fd = -EBADF };
	int pidfd = -EBADF;
	pid_t pid = clone_process(&spec, &pidfd);

	if (pid == 0 && background_prepare(store) < 0)
		_exit(1);
	if (pid != 0)
		fd_close(pidfd);
	return pid;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Waits until there may be more in logs, or their containers may have ended, by inotify(7). */
#pragma once

#include "base/util.h"

struct logs_watch {
	int fd; /* -EBADF: no inotify to be had, so look from time to time */
	const int **pipes;
	size_t n_pipes;
	int soon; /* so many times more a container may be about to end */
};
#define LOGS_WATCH_INIT                                                                            \
	{                                                                                          \
		.fd = -EBADF                                                                       \
	}

/* Without it there is no watch: logs_watch_wait() sleeps. */
void logs_watch_init(struct logs_watch *w);
/* dirfd: the directory that the log is in. lock_fd: open for reading; when its writer lets go of
 * it, it has ended. Negative ones are left out. Add all before the logs are read. */
void logs_watch_add(struct logs_watch *w, int dirfd, int lock_fd);
/* A pipe to wait for, too, as long as *fd is one. fd is borrowed. */
void logs_watch_add_pipe(struct logs_watch *w, const int *fd);
/* Returns early, or without reason. timeout_ms -1: none. */
void logs_watch_wait(struct logs_watch *w, int timeout_ms);
void logs_watch_done(struct logs_watch *w);

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/logs_watch.h"

#include <poll.h>
#include <sys/inotify.h>

#include "base/fd.h"

/* Nobody should have to wait for these: a notice that was missed, by a file system that gives none.
 */
#define LOOK_AGAIN_MS 1000
#define BLIND_MS      50
/* The kernel tells that the lock file is closed just before it lets go of the lock. */
#define SOON_MS    2
#define SOON_TIMES 20

void logs_watch_init(struct logs_watch *w)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	w->fd = fd < 0 ? -EBADF : fd;
}

static void add(struct logs_watch *w, int fd, uint32_t events)
{
	char path[FD_PATH_MAX];

	if (fd < 0 || w->fd < 0)
		return;
	if (inotify_add_watch(w->fd, fd_proc_path(fd, path), events) < 0)
		w->fd = fd_close(w->fd); /* not half of them */
}

void logs_watch_add(struct logs_watch *w, int dirfd, int lock_fd)
{
	add(w, dirfd, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
	add(w, lock_fd, IN_CLOSE_WRITE);
}

void logs_watch_add_pipe(struct logs_watch *w, const int *fd)
{
	w->pipes = xrealloc(w->pipes, (w->n_pipes + 1) * sizeof(*w->pipes));
	w->pipes[w->n_pipes++] = fd;
}

/* Did a lock file get closed? A directory's events have a name. */
static bool read_events(int fd)
{
	char buf[8192] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool closed = false;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *event = (const void *)(buf + at);

			closed = closed || (event->mask & IN_CLOSE_WRITE);
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	return closed;
}

static int shorter(int timeout_ms, int limit_ms)
{
	return timeout_ms < 0 || timeout_ms > limit_ms ? limit_ms : timeout_ms;
}

void logs_watch_wait(struct logs_watch *w, int timeout_ms)
{
	cleanup_free struct pollfd *p = xcalloc(w->n_pipes + 1, sizeof(*p));

	p[0] = (struct pollfd){ .fd = w->fd, .events = POLLIN };
	for (size_t i = 0; i < w->n_pipes; i++)
		p[i + 1] = (struct pollfd){ .fd = *w->pipes[i], .events = POLLIN };
	timeout_ms = shorter(timeout_ms, LOOK_AGAIN_MS);
	if (w->fd < 0)
		timeout_ms = shorter(timeout_ms, BLIND_MS);
	if (w->soon) {
		timeout_ms = shorter(timeout_ms, SOON_MS);
		w->soon--;
	}
	if (poll(p, w->n_pipes + 1, timeout_ms) > 0 && p[0].revents && read_events(w->fd))
		w->soon = SOON_TIMES;
}

void logs_watch_done(struct logs_watch *w)
{
	free(w->pipes);
	w->pipes = NULL;
	w->n_pipes = 0;
	w->fd = fd_close(w->fd);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "base/timeutil.h"
#include "runtime/cancel.h"
#include "runtime/state.h"

#define CANCEL_EVERY_MS    100
#define FREEZER_TIMEOUT_MS 15000 /* longer than freezing may take */

bool state_removed(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

int state_lock(int dir, int timeout_ms)
{
	const struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };
	int64_t end = time_monotonic_ns() + timeout_ms * INT64_C(1000000);
	int r;

	while ((r = flock(dir, LOCK_EX | LOCK_NB) < 0 ? -errno : 0) < 0) {
		if (r != -EAGAIN && r != -EINTR)
			return r;
		if (time_monotonic_ns() >= end)
			return -EAGAIN;
		nanosleep(&pause, NULL);
	}
	return state_removed(dir) ? -ENOENT : 0;
}

int state_lock_cancel(int dir, const char *id, int cancel_fd, struct err *err)
{
	int r;

	while ((r = state_lock(dir, CANCEL_EVERY_MS)) == -EAGAIN)
		if (cancel_poll(cancel_fd, -EBADF, 0) == -ECANCELED)
			return err_wrap(err, cancel_error(cancel_fd, err), "waiting for its lock");
	if (r == -ENOENT)
		return err_fail(err, ERR_NOT_FOUND, "container \"%s\" does not exist", id);
	return r < 0 ? err_errno(err, -r, "locking the state of container %s", id) : 0;
}

void state_unlock(int dir)
{
	flock(dir, LOCK_UN);
}

int state_freezer_lock(int dir, int *ret, struct err *err)
{
	cleanup_fd int fd =
	    openat(dir, STATE_FREEZER, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = fd < 0 ? 0 : state_lock(fd, FREEZER_TIMEOUT_MS);

	if (r == -EAGAIN)
		return err_fail(err, ERR_CONFLICT,
				"another command pauses, resumes or signals the container");
	*ret = take_fd(fd);
	return 0;
}

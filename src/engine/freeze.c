/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/freeze.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "sys/clone.h"

/* What the guard says when it has tried to pause: r >= 0, or the error. */
struct answer {
	int r;
	struct err err;
};

/* Only the runtime's state is touched in here: the database's connection is the other process's. */
static int guard_prepare(int *sock)
{
	const int keep[] = { *sock, STDERR_FILENO };

	if (fd_close_from(0, keep, ARRAY_SIZE(keep)) < 0 || fd_ensure_stdio() < 0)
		return -EBADF;
	return setsid() < 0 ? -errno : 0;
}

static _Noreturn void guard_main(const struct runtime *rt, const struct record *rec, int sock)
{
	struct answer answer = { .err = ERR_INIT };
	char byte;

	answer.r = guard_prepare(&sock);
	if (answer.r < 0)
		err_errno(&answer.err, -answer.r, "preparing to pause container %s", rec->name);
	else
		answer.r = container_pause(rt, rec->id, &answer.err);
	bool paused = answer.r >= 0;
	/* Is nobody there any more, then the end of file comes at once. */
	(void)send(sock, &answer, sizeof(answer), MSG_NOSIGNAL);
	io_read(sock, &byte, 1);
	struct err err = ERR_INIT;
	/* It may have ended, or somebody else has let it go on. */
	if (paused && container_resume(rt, rec->id, &err) < 0 && err.kind != ERR_CONFLICT &&
	    err.kind != ERR_NOT_FOUND)
		log_warn("%s", err.msg);
	_exit(0);
}

static int guard_answer(struct freeze *fz, struct err *err)
{
	struct answer answer;

	if (io_read(fz->fd, &answer, sizeof(answer)) != sizeof(answer))
		return err_fail(err, ERR_SYSTEM, "what was to pause the container has ended");
	/* Paused already, or it has just ended. */
	if (answer.r >= 0 || answer.err.kind == ERR_CONFLICT || answer.err.kind == ERR_NOT_FOUND)
		return 0;
	if (err)
		*err = answer.err;
	return answer.r;
}

int freeze_begin(struct engine *eng, const struct record *rec, struct freeze *ret, struct err *err)
{
	const struct clone_spec spec = { .cgroup_fd = -EBADF };
	struct freeze fz = FREEZE_INIT;
	int pair[2];

	*ret = fz;
	if (!rec->running)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, errno, "pausing container %s", rec->name);
	fz.pid = clone_process(&spec, &fz.pidfd);
	if (fz.pid == 0)
		guard_main(&eng->runtime, rec, pair[1]);
	fd_close(pair[1]);
	fz.fd = pair[0];
	if (fz.pid < 0) {
		fd_close(fz.fd);
		return err_errno(err, -(int)fz.pid, "pausing container %s", rec->name);
	}
	int r = guard_answer(&fz, err);
	if (r < 0)
		freeze_end(&fz);
	else
		*ret = fz;
	return r;
}

void freeze_end(struct freeze *fz)
{
	fz->fd = fd_close(fz->fd);
	if (fz->pid > 0)
		NO_EINTR(waitpid(fz->pid, NULL, 0));
	fz->pid = -1;
	fz->pidfd = fd_close(fz->pidfd);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "net/pasta.h"
#include "net/rootless.h"
#include "net/rootless_internal.h"
#include "sys/ns.h"
#include "sys/prctl.h"

/* So long nobody has to have needed them: what starts one container after the other does not wait
 * for pasta each time. */
#define GRACE_SECONDS 5

static int say(char what)
{
	return send(NET_ROOTLESS_SOCKET_FD, &what, 1, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

static int hear(char what)
{
	char got = 0;

	return NO_EINTR(recv(NET_ROOTLESS_SOCKET_FD, &got, 1, 0)) == 1 && got == what ? 0
										      : -ECONNRESET;
}

static int enter_userns(int given, struct err *err)
{
	if (given >= 0) {
		int r = ns_join(given, CLONE_NEWUSER, err);

		fd_close(given);
		return r;
	}
	if (unshare(CLONE_NEWUSER) < 0)
		return err_errno(err, errno, "making a user namespace");
	return 0;
}

static int make_namespaces(int userns, struct err *err)
{
	int r = enter_userns(userns, err);

	if (r == 0)
		r = say(ROOTLESS_USERNS);
	if (r == 0)
		r = hear(ROOTLESS_MAPPED);
	if (r == 0 && unshare(CLONE_NEWNET) < 0)
		r = err_errno(err, errno, "making a network namespace");
	if (r == 0)
		r = say(ROOTLESS_NETNS);
	if (r == 0)
		r = hear(ROOTLESS_GO);
	return r;
}

/* SIGTERM saves the grace, and nothing else. Returns with the lock, which nobody else gets before
 * this process has ended: they find a place that is being left then, and wait. */
static int wait_until_unused(int lock)
{
	const struct timespec grace = { .tv_sec = GRACE_SECONDS };
	sigset_t term;
	int r;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);

	do {
		r = rootless_lock(lock, F_WRLCK, true);
		if (r == 0)
			r = rootless_lock(lock, F_UNLCK, false);
		if (r < 0)
			return r;
		sigtimedwait(&term, NULL, &grace);
		r = rootless_lock(lock, F_WRLCK, false);
	} while (r == -EAGAIN || r == -EACCES);
	return r;
}

int net_rootless_hold(const char *dir, int userns, struct err *err)
{
	cleanup_fd int lock = rootless_open_file(dir, ROOTLESS_LOCK_FILE, err);
	cleanup_free char *holder = path_join(dir, ROOTLESS_HOLDER_FILE);
	cleanup_free char *pasta = rootless_pasta_file(dir);

	if (lock < 0)
		return lock;
	int r = make_namespaces(userns, err);
	if (r < 0)
		return r;
	close(NET_ROOTLESS_SOCKET_FD);
	prctl_name("inro-hold");
	r = wait_until_unused(lock);
	if (r < 0)
		return err_errno(err, -r, "waiting for the end of networks");
	unlink(holder);
	pasta_end(pasta);
	return 0;
}

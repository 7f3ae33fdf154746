/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "net/linger.h"
#include "net/service/confine.h"
#include "net/service/helper.h"
#include "net/service/service.h"
#include "sys/clone.h"
#include "sys/pidfd.h"
#include "sys/prctl.h"
#include "sys/rlimit.h"

#define LIVED_MS 1000

_Static_assert(SERVICE_REQUEST_MAX <= BUFFER_SIZE, "a request fits into the buffer");

/* Each container takes three files, each connection two. */
#define FILES_MIN  1024
#define CONN_FILES 6 /* two sockets, a pipe for each direction */

/* How many there may be. */
static uint64_t raise_files(void)
{
	uint64_t soft, hard;

	if (rlimit_get(0, RLIMIT_NOFILE, &soft, &hard) < 0)
		return FILES_MIN;
	if (soft < hard && rlimit_set(0, RLIMIT_NOFILE, hard, hard, NULL) == 0)
		return hard;
	return soft;
}

static unsigned int max_conns(void)
{
	uint64_t n = raise_files() / 2 / CONN_FILES;

	return n < UINT_MAX ? (unsigned int)n : UINT_MAX;
}

static int set_up(struct service *s, struct err *err)
{
	list_init(&s->relays);
	for (size_t i = 0; i < PORT_HASH; i++)
		list_init(&s->ports[i]);
	list_init(&s->members);
	list_init(&s->views);
	list_init(&s->clients);
	s->flows = xcalloc(FLOW_HASH, sizeof(*s->flows));
	for (size_t i = 0; i < FLOW_HASH; i++)
		list_init(&s->flows[i]);
	s->buffer = xmalloc(BUFFER_SIZE);
	s->lock = SERVICE_FD_LOCK;
	s->self = pidfd_of(getpid());
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->self < 0 || s->epoll < 0)
		return err_errno(err, s->self < 0 ? -s->self : errno, "setting up");
	fd_set_nonblock(SERVICE_FD_LISTEN, true);
	return confine_service(err);
}

static int serve(bool place)
{
	static struct service s;
	struct err err = ERR_INIT;

	s.max_conns = max_conns();
	s.place = place;
	s.helper = helper_start(place, &err);
	if (place) {
		fd_close(SERVICE_FD_USERNS);
		fd_close(SERVICE_FD_NETNS);
	}
	fd_close(SERVICE_FD_DIR);
	int r = s.helper < 0 ? s.helper : set_up(&s, &err);
	if (r == 0) {
		members_listen(&s);
		r = service_loop(&s, &err);
	}
	dprintf(STDERR_FILENO, "inro-net: %s\n", err.msg);
	return 1;
}

/* The service is a child of a process that sees its end, reads nothing and has given nothing up:
 * that becomes what repairs a death. One that is short-lived would only die again. Meanwhile it
 * closes what others can't wait for. */
static int watch(int pidfd, char **repair)
{
	struct timespec begin, end;
	siginfo_t info = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &begin);
	const int keep[] = { pidfd, net_linger_listen(SERVICE_FD_DIR) };
	/* the socket in particular, at which nobody else would answer */
	if (fd_close_from(STDERR_FILENO + 1, keep, ARRAY_SIZE(keep)) < 0)
		return 1;
	net_linger_until(keep[1], pidfd);
	if (pidfd_wait(pidfd, &info) < 0)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (info.si_code == CLD_EXITED && info.si_status == 0)
		return 0;
	if ((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 < LIVED_MS)
		return 1;
	execv(repair[0], repair);
	return 127;
}

int main(int argc, char **argv)
{
	const struct clone_spec spec = { .cgroup_fd = -EBADF };
	const pid_t parent = getpid();
	int pidfd;

	if (argc > 2 && str_eq(argv[1], HELPER_WORD))
		return helper_become(argv + 2);
	for (int fd = SERVICE_FD_LISTEN; fd <= SERVICE_FD_DIR; fd++)
		if (fd_set_cloexec(fd, true) < 0)
			return 125;
	signal(SIGPIPE, SIG_IGN);
	const bool place = argc > 1 && str_eq(argv[1], SERVICE_PLACE);
	if (argc < 3)
		return serve(place);
	pid_t pid = clone_process(&spec, &pidfd);
	if (pid != 0)
		return pid < 0 ? 1 : watch(pidfd, argv + 2);
	return prctl_parent_death_signal(SIGKILL, parent) < 0 ? 1 : serve(place);
}

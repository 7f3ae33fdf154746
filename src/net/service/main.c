/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "net/service/confine.h"
#include "net/service/helper.h"
#include "net/service/service.h"
#include "sys/pidfd.h"
#include "sys/rlimit.h"

#define BACKLOG 1024

_Static_assert(SERVICE_REQUEST_MAX <= BUFFER_SIZE, "a request fits into the buffer");

/* Each container takes three files, each connection two. */
static void raise_files(void)
{
	uint64_t soft, hard;

	if (rlimit_get(0, RLIMIT_NOFILE, &soft, &hard) == 0 && soft < hard)
		rlimit_set(0, RLIMIT_NOFILE, hard, hard, NULL);
}

static int set_up(struct service *s, struct err *err)
{
	list_init(&s->relays);
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

int main(int argc, char **argv)
{
	static struct service s;
	struct err err = ERR_INIT;

	if (argc > 2 && str_eq(argv[1], HELPER_WORD))
		return helper_become(argv + 2);
	for (int fd = SERVICE_FD_LISTEN; fd <= SERVICE_FD_DIR; fd++)
		if (fd_set_cloexec(fd, true) < 0)
			return 125;
	signal(SIGPIPE, SIG_IGN);
	raise_files();
	s.place = argc > 1 && str_eq(argv[1], SERVICE_PLACE);
	s.helper = helper_start(s.place, &err);
	if (s.place) {
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

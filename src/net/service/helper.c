/* SPDX-License-Identifier: Apache-2.0 */
#include "net/service/helper.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "sys/cap.h"
#include "sys/clone.h"
#include "sys/netlink.h"
#include "sys/ns.h"
#include "sys/prctl.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_MAX  (64 * 1024)
#define BACKLOG     128

static int make_socket(uint32_t flags)
{
	const bool v6 = flags & HELPER_V6;
	const int on = 1;
	cleanup_fd int fd = socket(
	    v6 ? AF_INET6 : AF_INET,
	    (flags & HELPER_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (flags & HELPER_TRANSPARENT &&
	    setsockopt(fd, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on,
		       sizeof(on)) < 0)
		return -errno;
	return take_fd(fd);
}

static int make_sockets(const struct helper_ask *ask, int *ret_fds, size_t *ret_n)
{
	for (size_t i = 0; i < ask->n && i < HELPER_FDS; i++) {
		int fd = make_socket(ask->flags);

		if (fd < 0)
			return i > 0 ? 0 : fd;
		ret_fds[(*ret_n)++] = fd;
	}
	return 0;
}

static int listen_at(uint16_t port, uint32_t flags)
{
	const union address at = address_loopback(port);
	const int on = 1;
	cleanup_fd int fd = make_socket(flags);

	if (fd < 0)
		return fd;
	if (flags & HELPER_TCP && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (bind(fd, &at.sa, sizeof(at.in)) < 0 || (flags & HELPER_TCP && listen(fd, BACKLOG) < 0))
		return -errno;
	return take_fd(fd);
}

static int make_listeners(const struct helper_ask *ask, int *ret_fds, size_t *ret_n)
{
	const uint16_t port = HELPER_PORT_UPSTREAM(ask->slot, ask->n);

	if (ask->n >= SERVICE_SERVERS)
		return -EINVAL;
	for (int tcp = 0; tcp < 2; tcp++) {
		int fd = listen_at(port, tcp ? HELPER_TCP : 0);

		if (fd < 0)
			return fd;
		ret_fds[(*ret_n)++] = fd;
	}
	return 0;
}

static bool is_same(const struct helper_answer *a, const struct helper_answer *b)
{
	bool same = a->n_servers == b->n_servers;

	for (uint32_t i = 0; same && i < a->n_servers; i++) {
		socklen_t len = address_len(&a->servers[i]);

		same = len == address_len(&b->servers[i]) &&
		       memcmp(&a->servers[i].sa, &b->servers[i].sa, len) == 0;
	}
	return same;
}

/* A file that can't be read names nobody, as for libc's resolver. */
static int read_resolv(struct helper *h, struct helper_answer *ret)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct helper_answer now = { .result = 0 };

	if (io_read_file(AT_FDCWD, RESOLV_CONF, &text, RESOLV_MAX, NULL) == 0)
		now.n_servers = resolv_parse(buf_str(&text), now.servers);
	if (h->resolv_known && is_same(&now, &h->resolv))
		return 0;
	h->resolv_known = true;
	h->resolv = *ret = now;
	return 1;
}

static int handle(struct helper *h, const struct helper_ask *ask, struct helper_answer *ret,
		  int *fds, size_t *n)
{
	if (ask->slot >= VIEWS_MAX || ask->n_networks > SERVICE_NETWORKS)
		return -EINVAL;
	switch (ask->type) {
	case HELPER_SOCKETS:
		return make_sockets(ask, fds, n);
	case HELPER_LISTEN:
		return make_listeners(ask, fds, n);
	case HELPER_RUN:
		*n = 2;
		fds[0] = fds[1] = -EBADF;
		return helper_run(h, ask, fds);
	case HELPER_REFRESH:
		return helper_refresh(h, ask);
	case HELPER_END:
		return helper_end(h, ask);
	case HELPER_RESOLV:
		return read_resolv(h, ret);
	case HELPER_LEAVE:
		unlinkat(h->dir, SERVICE_SOCKET, 0);
		return 0;
	default:
		return -EINVAL;
	}
}

static void loop(struct helper *h)
{
	struct helper_ask ask;

	for (;;) {
		struct helper_answer answer = { .result = 0 };
		int fds[HELPER_FDS];
		size_t n = 0;
		ssize_t len = fd_recv(h->sock, &ask, sizeof(ask), NULL, &n);

		if (len != sizeof(ask))
			return;
		answer.result = handle(h, &ask, &answer, fds, &n);
		if (answer.result < 0)
			while (n > 0)
				fd_close(fds[--n]);
		len = fd_send(h->sock, &answer, sizeof(answer), fds, n);
		while (n > 0)
			fd_close(fds[--n]);
		if (len < 0)
			return;
	}
}

static int go_inside(bool place, struct err *err)
{
	if (!place && unshare(CLONE_NEWNET) < 0)
		return err_errno(err, errno, "making a network namespace for names");
	int r = place ? ns_join(SERVICE_FD_USERNS, CLONE_NEWUSER, err) : 0;
	if (r == 0 && place)
		r = ns_join(SERVICE_FD_NETNS, CLONE_NEWNET, err);
	return r < 0 ? r : netlink_loopback_up(err);
}

/* Of the capabilities that come with a user's namespace one remains: to speak as those who connect
 * to a published port. What is executed has none. */
static int drop_rights(bool place, struct err *err)
{
	const uint64_t keep = place ? 1ull << CAP_NET_ADMIN : 0;
	const struct cap_sets sets = { .effective = keep, .permitted = keep };

	int r = cap_drop_bounding(0, err);
	if (r == 0)
		r = cap_apply(&sets, err);
	if (r == 0 && (r = prctl_no_new_privs()) < 0)
		r = err_errno(err, -r, "setting no_new_privs");
	return r;
}

static int prepare(struct helper *h, bool place, pid_t parent, struct err *err)
{
	const int keep[] = { h->sock, h->dir, SERVICE_FD_USERNS, SERVICE_FD_NETNS };
	char link[FD_PATH_MAX];

	/* above all the lock, which would outlive the service */
	int r = fd_close_from(STDERR_FILENO + 1, keep, place ? 4 : 2);
	if (r == 0)
		r = go_inside(place, err);
	if (r < 0)
		return r;
	h->exe = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	ssize_t n = readlink(fd_proc_path(h->dir, link), h->path, sizeof(h->path) - 1);
	if (h->exe < 0 || n < 0)
		return err_errno(err, errno, "finding the service's files");
	if (place) {
		fd_close(SERVICE_FD_USERNS);
		fd_close(SERVICE_FD_NETNS);
	}
	/* of a service that was killed */
	path_remove_tree(h->dir, HELPER_VIEWS, NULL);
	r = drop_rights(place, err);
	/* behind what changes credentials, which takes it away */
	if (r == 0 && (r = prctl_parent_death_signal(SIGKILL, parent)) < 0)
		r = err_errno(err, -r, "asking for a signal at the service's end");
	return r;
}

int helper_start(bool place, struct err *err)
{
	const struct clone_spec spec = { .cgroup_fd = -EBADF };
	const pid_t parent = getpid();
	int pair[2], pidfd;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, errno, "making a socket pair");
	pid_t pid = clone_process(&spec, &pidfd);
	if (pid == 0) {
		struct helper *h = xcalloc(1, sizeof(*h));

		h->sock = pair[1];
		h->dir = SERVICE_FD_DIR;
		for (size_t i = 0; i < VIEWS_MAX; i++)
			h->views[i].pidfd = -EBADF;
		/* what ends is not waited for */
		signal(SIGCHLD, SIG_IGN);
		if (prepare(h, place, parent, err) == 0)
			loop(h);
		_exit(1);
	}
	fd_close(pair[1]);
	if (pid < 0) {
		fd_close(pair[0]);
		return err_errno(err, -pid, "making the helper process");
	}
	fd_close(pidfd);
	return pair[0];
}

int helper_call(struct service *s, const struct helper_ask *ask, struct helper_answer *ret,
		int *ret_fds, size_t *ret_n)
{
	const size_t wanted = *ret_n;
	int fds[HELPER_FDS];
	size_t n = HELPER_FDS;
	ssize_t len = fd_send(s->helper, ask, sizeof(*ask), NULL, 0);

	if (len >= 0)
		len = fd_recv(s->helper, ret, sizeof(*ret), fds, &n);
	if (len != sizeof(*ret))
		_exit(1);
	*ret_n = 0;
	while (n > wanted)
		fd_close(fds[--n]);
	if (n > 0)
		memcpy(ret_fds, fds, n * sizeof(*fds));
	*ret_n = n;
	if (ret->n_servers > SERVICE_SERVERS)
		ret->n_servers = 0;
	return ret->result;
}

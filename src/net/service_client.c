/* SPDX-License-Identifier: Apache-2.0 */
#include "net/service_client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/proc.h"
#include "base/strv.h"
#include "net/place.h"
#include "net/service_proto.h"
#include "sys/pidfd.h"

#define BACKLOG 1024
#define TIMEOUT_MS                                                                                 \
	10000 /* for an answer of the service: a stopped one must not hold a start up              \
	       */

_Static_assert(NET_SERVICE_NETWORKS == SERVICE_NETWORKS, "networks of a member");
_Static_assert(NET_SERVICE_SERVERS == SERVICE_SERVERS, "servers of a member");
_Static_assert(NET_SERVICE_RELAYS == SERVICE_RELAYS, "relays of a member");

void net_service_close(struct net_service *s)
{
	s->sock = fd_close(s->sock);
	s->pidfd = fd_close(s->pidfd);
	s->waiting = 0;
}

static struct sockaddr_un address(int run_dir)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char dir[FD_PATH_MAX];

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/" SERVICE_SOCKET, fd_proc_path(run_dir, dir));
	return a;
}

static int make_socket(struct err *err)
{
	const struct timeval limit = { .tv_sec = TIMEOUT_MS / 1000 };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_errno(err, errno, "making a socket for inro-net");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return fd;
}

/* One answer. *ret_fd: what came along, or negative. */
static int take_answer(struct net_service *s, struct service_reply *ret, int *ret_fd,
		       struct err *err)
{
	size_t n = 1;
	ssize_t len = fd_recv(s->sock, ret, sizeof(*ret), ret_fd, &n);

	if (n == 0)
		*ret_fd = -EBADF;
	if (len == sizeof(*ret)) {
		s->waiting--;
		err_sanitize(&ret->err);
		return 0;
	}
	if (n > 0)
		*ret_fd = fd_close(*ret_fd);
	if (len < 0)
		return err_errno(err, (int)-len, "waiting for inro-net");
	return err_errno(err, ECONNRESET, "inro-net ended unexpectedly");
}

/* -ESRCH: nothing listens there. */
static int connect_it(const struct net_service_place *w, struct net_service *ret, struct err *err)
{
	const struct sockaddr_un a = address(w->run_dir);

	ret->sock = make_socket(err);
	if (ret->sock < 0)
		return ret->sock;
	if (NO_EINTR(connect(ret->sock, (const struct sockaddr *)&a, sizeof(a))) == 0) {
		ret->waiting = 1;
		return 0;
	}
	int r = errno == ENOENT || errno == ECONNREFUSED ? -ESRCH : -errno;
	ret->sock = fd_close(ret->sock);
	return err_errno(err, -r, "connecting to inro-net");
}

/* What greets us. -EPROTO: it is of another version, and has been told to end. */
static int greet(struct net_service *s, struct err *err)
{
	struct service_reply hello;

	int r = take_answer(s, &hello, &s->pidfd, err);
	if (r < 0)
		return r;
	if (s->pidfd < 0)
		return err_fail(err, ERR_SYSTEM, "inro-net does not say who it is");
	if (hello.version == SERVICE_VERSION)
		return 0;
	pidfd_kill(s->pidfd, SIGTERM);
	pidfd_poll(s->pidfd, TIMEOUT_MS);
	return err_errno(err, EPROTO, "speaking to an inro-net of another version");
}

/* Bound and listening: from here on others may connect, and whatever they send waits there. */
static int listen_there(const struct net_service_place *w, struct err *err)
{
	const struct sockaddr_un a = address(w->run_dir);
	cleanup_fd int fd = make_socket(err);

	if (fd < 0)
		return fd;
	if (unlinkat(w->run_dir, SERVICE_SOCKET, 0) < 0 && errno != ENOENT)
		return err_errno(err, errno, "removing the old socket of inro-net");
	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, BACKLOG) < 0)
		return err_errno(err, errno, "listening for inro-net");
	return take_fd(fd);
}

static int open_lock(int run_dir, struct err *err)
{
	int fd = openat(run_dir, SERVICE_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? err_errno(err, errno, "opening the lock of inro-net") : fd;
}

static int spawn(const struct net_service_place *w, int sock, int *ret_pidfd, struct err *err)
{
	const bool place = w->place && w->place->netns >= 0;
	cleanup_strv char **argv = NULL;
	/* an open file of its own, so that its lock is not ours */
	cleanup_fd int lock = open_lock(w->run_dir, err);
	cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct proc_spawn spec = PROC_SPAWN_INIT;
	struct proc p = PROC_INIT;

	if (lock < 0)
		return lock;
	if (null < 0)
		return err_errno(err, errno, "opening /dev/null");
	const struct proc_fd fds[] = {
		{ null, STDIN_FILENO },
		{ null, STDOUT_FILENO },
		{ null, STDERR_FILENO },
		{ sock, SERVICE_FD_LISTEN },
		{ lock, SERVICE_FD_LOCK },
		{ w->run_dir, SERVICE_FD_DIR },
		{ place ? w->place->userns : -EBADF, SERVICE_FD_USERNS },
		{ place ? w->place->netns : -EBADF, SERVICE_FD_NETNS },
	};
	spec.path = w->program;
	strv_add(&argv, "inro-net");
	strv_add(&argv, place ? SERVICE_PLACE : SERVICE_HERE);
	for (const char *const *word = w->repair; word && *word; word++)
		strv_add(&argv, *word);
	spec.argv = argv;
	spec.fds = fds;
	spec.n_fds = ARRAY_SIZE(fds) - (place ? 0 : 2);
	spec.cwd_fd = w->run_dir;
	spec.new_session = true;
	spec.cgroup_fd = w->cgroup_fd;
	int r = proc_spawn(&spec, &p, err);
	*ret_pidfd = p.pidfd;
	return r < 0 ? err_wrap(err, r, "starting inro-net") : 0;
}

static int start(const struct net_service_place *w, struct net_service *ret, struct err *err)
{
	cleanup_fd int sock = listen_there(w, err);
	cleanup_fd int pidfd = -EBADF;

	if (sock < 0)
		return sock;
	int r = spawn(w, sock, &pidfd, err);
	if (r < 0)
		return r;
	r = connect_it(w, ret, err);
	if (r < 0)
		return r;
	ret->pidfd = take_fd(pidfd);
	ret->started = true;
	return 0;
}

/* -ESRCH: there is none, and nothing of a connection is left. */
static int find(const struct net_service_place *w, struct net_service *ret, struct err *err)
{
	int r = connect_it(w, ret, err);

	if (r == 0)
		r = greet(ret, err);
	if (r < 0)
		net_service_close(ret);
	return r == -EPROTO ? -ESRCH : r;
}

int net_service_find(const struct net_service_place *w, struct net_service *ret, struct err *err)
{
	*ret = (struct net_service)NET_SERVICE_INIT;
	return find(w, ret, err);
}

/* One that ends takes its socket away. */
bool net_service_was_killed(int run_dir)
{
	const struct sockaddr_un a = address(run_dir);
	cleanup_fd int fd = make_socket(NULL);

	return fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 &&
	       errno == ECONNREFUSED;
}

void net_service_forget(int run_dir)
{
	cleanup_fd int lock = open_lock(run_dir, NULL);

	/* who starts one has the lock until it listens */
	if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0 && net_service_was_killed(run_dir))
		unlinkat(run_dir, SERVICE_SOCKET, 0);
}

int net_service_end(const struct net_service_place *w, struct err *err)
{
	cleanup_net_service struct net_service s = NET_SERVICE_INIT;
	int r = find(w, &s, err);

	if (r < 0)
		return r == -ESRCH ? 0 : r;
	pidfd_kill(s.pidfd, SIGTERM);
	r = pidfd_poll(s.pidfd, TIMEOUT_MS);
	return r < 0 ? err_errno(err, -r, "waiting for the end of inro-net") : 0;
}

/* It ends only while it has the lock, and only when nobody has connected. */
static int find_or_start(const struct net_service_place *w, int lock, struct net_service *ret,
			 struct err *err)
{
	if (NO_EINTR(flock(lock, LOCK_EX)) < 0)
		return err_errno(err, errno, "locking inro-net");
	int r = connect_it(w, ret, err);
	if (r == -ESRCH)
		r = start(w, ret, err);
	flock(lock, LOCK_UN);
	if (r == 0 && !ret->started)
		r = greet(ret, err);
	if (r < 0)
		net_service_close(ret);
	return r;
}

int net_service_open(const struct net_service_place *w, struct net_service *ret, struct err *err)
{
	*ret = (struct net_service)NET_SERVICE_INIT;
	cleanup_fd int lock = open_lock(w->run_dir, err);

	if (lock < 0)
		return lock;
	int r = find_or_start(w, lock, ret, err);
	return r == -EPROTO ? find_or_start(w, lock, ret, err) : r;
}

static int send_request(struct net_service *s, const void *data, size_t len, const int *fds,
			size_t n_fds, struct err *err)
{
	ssize_t n = fd_send(s->sock, data, len, fds, n_fds);

	if (n < 0)
		return err_errno(err, n == -EPIPE ? ECONNRESET : (int)-n, "speaking to inro-net");
	s->waiting++;
	return 0;
}

static int set_id(const char *id, uint8_t ret[SERVICE_ID], struct err *err)
{
	return hex_decode(id, ret, SERVICE_ID) < 0
		   ? err_fail(err, ERR_INVALID, "speaking to inro-net: not an id: %s", id)
		   : 0;
}

static int fill_put(const struct net_member *m, struct service_put *p, struct err *err)
{
	struct service_relay *relays = (void *)(p + 1);

	if (m->n_networks > SERVICE_NETWORKS || m->n_servers > SERVICE_SERVERS)
		return err_fail(err, ERR_LIMIT,
				"a container is on at most %d networks and asks at most %d name "
				"servers",
				SERVICE_NETWORKS, SERVICE_SERVERS);
	int r = set_id(m->id, p->head.id, err);
	if (r == 0)
		r = set_id(m->process, p->process, err);
	for (size_t i = 0; r == 0 && i < m->n_networks; i++)
		r = set_id(m->networks[i], p->networks[i], err);
	if (r < 0)
		return r;
	p->head.type = SERVICE_PUT;
	p->head.version = SERVICE_VERSION;
	p->dns = m->dns_udp >= 0 && m->dns_tcp >= 0;
	p->internal = m->internal;
	p->n_networks = (uint8_t)m->n_networks;
	p->n_servers = (uint8_t)m->n_servers;
	p->n_relays = (uint32_t)m->n_relays;
	p->addresses[0] = m->ip4;
	p->addresses[1] = m->ip6;
	if (m->n_servers)
		memcpy(p->servers, m->servers, m->n_servers * sizeof(*m->servers));
	for (size_t i = 0; i < m->n_relays; i++) {
		const struct net_relay *from = &m->relays[i];

		relays[i] = (struct service_relay){ .from = from->from,
						    .to = from->to,
						    .from_port = from->from_port,
						    .to_port = from->to_port,
						    .proto = from->proto,
						    .transparent = from->transparent };
	}
	return 0;
}

int net_service_put(struct net_service *s, const struct net_member *m, struct err *err)
{
	const int fds[] = { m->pidfd, m->dns_udp, m->dns_tcp };
	cleanup_free struct service_put *p = NULL;

	if (m->n_relays > SERVICE_RELAYS)
		return err_fail(err, ERR_LIMIT,
				"%zu ports on the loopback interface are more than the %d that a "
				"container can have there",
				m->n_relays, SERVICE_RELAYS);
	const size_t len = sizeof(*p) + m->n_relays * sizeof(struct service_relay);
	p = xcalloc(1, len);
	int r = fill_put(m, p, err);
	return r < 0 ? r : send_request(s, p, len, fds, p->dns ? 3 : 1, err);
}

int net_service_remove(struct net_service *s, const char *id, struct err *err)
{
	struct service_head head = { .type = SERVICE_REMOVE, .version = SERVICE_VERSION };

	int r = set_id(id, head.id, err);
	return r < 0 ? r : send_request(s, &head, sizeof(head), NULL, 0, err);
}

int net_service_done(struct net_service *s, struct err *err)
{
	struct service_reply reply;
	int failed = 0;

	while (s->waiting > 0) {
		int fd, r = take_answer(s, &reply, &fd, failed ? NULL : err);

		if (r < 0)
			return failed ? failed : r;
		fd_close(fd);
		if (reply.result < 0 && !failed) {
			failed = reply.result;
			if (err)
				*err = reply.err;
		}
	}
	return failed;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/timeutil.h"
#include "monitor/monitor.h"
#include "sys/pidfd.h"

#define NS_PER_MS INT64_C(1000000)
#define DEAF_NS   (100 * NS_PER_MS)

struct client *client_add(struct monitor *m, int sock)
{
	struct client *c = &m->clients[m->n_clients++];

	*c = (struct client){ .sock = sock, .out = { -EBADF, -EBADF } };
	return c;
}

void client_remove(struct monitor *m, struct client *c)
{
	c->sock = fd_close(c->sock);
	for (size_t i = 0; i < STREAMS; i++)
		c->out[i] = fd_close(c->out[i]);
	*c = m->clients[--m->n_clients];
}

/* The directory is its owner's alone; this holds wherever the socket may have been moved. */
static bool is_welcome(int sock)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

void client_accept(struct monitor *m)
{
	int sock = accept4(m->fds[MONITOR_FD_CONTROL], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	/* It stays in the queue; poll(2) would not wait. */
	if (sock < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		m->deaf_ns = time_monotonic_ns() + DEAF_NS;
	if (sock < 0)
		return;
	if (m->n_clients < CLIENTS_MAX && is_welcome(sock))
		client_add(m, sock);
	else
		fd_close(sock);
}

int clients_hear_again(struct monitor *m)
{
	int64_t left = m->deaf_ns ? m->deaf_ns - time_monotonic_ns() : 0;

	if (left > 0)
		return (int)(left / NS_PER_MS) + 1;
	m->deaf_ns = 0;
	return -1;
}

int client_tell(const struct client *c, const struct monitor_msg *msg, const int *fds, size_t n)
{
	ssize_t r = fd_send(c->sock, msg, sizeof(*msg), fds, n);

	return r < 0 ? (int)r : 0;
}

void clients_tell_exited(const struct monitor *m)
{
	const struct monitor_msg msg = { .type = MONITOR_EXITED,
					 .value = m->status,
					 .finished_ns = m->finished_ns,
					 .flags = m->oom ? MONITOR_EXIT_OOM : 0 };

	for (size_t k = 0; k < m->n_clients; k++)
		if (!m->clients[k].starter)
			client_tell(&m->clients[k], &msg, NULL, 0);
}

/* A pipe of the client's own for the stream: one that has ended already is empty. */
static int open_out(struct monitor *m, struct client *c, size_t i, int *ret)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	*ret = p[0];
	if (m->streams[i].from < 0) {
		fd_close(p[1]);
		return 0;
	}
	c->out[i] = p[1];
	c->taken[i] = m->streams[i].len; /* what others have yet to take came before it */
	return 0;
}

int client_tell_started(struct monitor *m, struct client *c, bool with_output, bool with_stdin)
{
	const struct monitor_msg msg = { .type = MONITOR_STARTED, .value = m->container.pid };
	bool pty = m->io.pty >= 0, again = c->out[0] >= 0 || c->out[1] >= 0;
	int fds[3], pipes[STREAMS] = { -EBADF, -EBADF }, r = 0;
	size_t n = 0;

	for (size_t i = 0; r == 0 && with_output && !again && i < (pty ? 1u : 2u); i++)
		r = open_out(m, c, i, &pipes[i]);
	if (with_output && (pty || (with_stdin && m->io.in >= 0)))
		fds[n++] = pty ? m->io.pty : m->io.in;
	for (size_t i = 0; i < STREAMS; i++)
		if (pipes[i] >= 0)
			fds[n++] = pipes[i];
	if (r == 0)
		r = client_tell(c, &msg, fds, n);
	for (size_t i = 0; i < STREAMS; i++)
		fd_close(pipes[i]);
	return r;
}

/* The starter is the only one for whom the container's output can end. */
static void close_output(struct monitor *m, struct client *c, int number)
{
	size_t i = (size_t)(number - 1);
	bool others = false;

	if (number < 1 || number > STREAMS)
		return;
	c->out[i] = fd_close(c->out[i]);
	c->stuck_ns = 0;
	for (size_t k = 0; k < m->n_clients; k++)
		others = others || m->clients[k].out[i] >= 0;
	if (c->starter && !others) {
		relay_close(m, &m->streams[i]);
		m->io.pty = fd_close(m->io.pty); /* the terminal hangs up */
	} else if (m->streams[i].len)
		relay_deliver(m, &m->streams[i]);
}

/* fd is taken over. */
static void change_ports(struct monitor *m, struct client *c, int fd)
{
	if (m->ports_fd > 0)
		fd_close(m->ports_fd);
	m->ports_fd = fd > 0 ? fd : 0;
	client_tell(c, &(const struct monitor_msg){ .type = MONITOR_PORTS }, NULL, 0);
}

/* *fd came with it, or is negative. */
static void obey(struct monitor *m, struct client *c, const struct monitor_msg *msg, int *fd)
{
	switch (msg->type) {
	case MONITOR_SIGNAL:
		if (m->container.pidfd >= 0)
			pidfd_kill(m->container.pidfd, msg->value);
		break;
	case MONITOR_CLOSE_OUTPUT:
		close_output(m, c, msg->value);
		break;
	case MONITOR_DONE:
		m->client_done = m->client_done || c->starter;
		break;
	case MONITOR_ATTACH:
		if (client_tell_started(m, c, true, msg->value) < 0)
			client_remove(m, c);
		break;
	case MONITOR_PROBE:
		probing_ask(m, c);
		break;
	case MONITOR_HEALTH:
		probing_change(m, msg->value, msg->flags);
		client_tell(c, &(const struct monitor_msg){ .type = MONITOR_HEALTH }, NULL, 0);
		break;
	case MONITOR_PORTS:
		change_ports(m, c, take_fd(*fd));
		break;
	case MONITOR_STOP_RESTART:
		m->no_restart = true;
		client_tell(c, &(const struct monitor_msg){ .type = MONITOR_STOP_RESTART }, NULL,
			    0);
		break;
	default:
		break; /* WAIT: EXITED comes to all */
	}
}

void client_event(struct monitor *m, struct client *c)
{
	struct monitor_msg msg = { 0 };
	cleanup_fd int fd = -EBADF;
	size_t n_fds = 1;
	ssize_t len = fd_recv(c->sock, &msg, sizeof(msg), &fd, &n_fds);

	if (!n_fds)
		fd = -EBADF; /* what came is closed */
	if (len == -EAGAIN || len == -EINTR)
		return;
	if (len == (ssize_t)sizeof(msg)) {
		obey(m, c, &msg, &fd);
		return;
	}
	client_remove(m, c);
	for (size_t i = 0; i < STREAMS; i++)
		if (m->streams[i].len)
			relay_deliver(m, &m->streams[i]);
}

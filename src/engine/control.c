/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/control.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/timeutil.h"
#include "runtime/monitor_proto.h"

#define BACKLOG           64
#define ANSWER_TIMEOUT_MS 5000

/* By the directory's fd: paths of sockets are short. */
static int control_address(struct engine *eng, const char *id, struct sockaddr_un *ret)
{
	int len;

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	len = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s/%s", eng->run_fd,
		       id, MONITOR_CONTROL_SOCKET);
	return len >= (int)sizeof(ret->sun_path) ? -ENAMETOOLONG : 0;
}

int control_listen(struct engine *eng, const char *id, struct err *err)
{
	cleanup_fd int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cleanup_free char *path = xasprintf("%s/%s", id, MONITOR_CONTROL_SOCKET);
	struct sockaddr_un addr;
	int r = sock < 0 ? -errno : control_address(eng, id, &addr);

	if (r == 0 && bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		r = -errno;
		/* of a monitor that is gone */
		if (r == -EADDRINUSE && unlinkat(eng->run_fd, path, 0) == 0)
			r = bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	}
	if (r == 0 && listen(sock, BACKLOG) < 0)
		r = -errno;
	if (r < 0)
		return err_errno(err, -r, "making the control socket of container %s", id);
	return take_fd(sock);
}

int control_open(struct engine *eng, const char *id)
{
	cleanup_fd int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr;
	int r = sock < 0 ? -errno : control_address(eng, id, &addr);

	if (r == 0 && NO_EINTR(connect(sock, (struct sockaddr *)&addr, sizeof(addr))) < 0)
		r = -errno;
	return r < 0 ? r : take_fd(sock);
}

static int control_send(int sock, uint32_t type, int value)
{
	const struct monitor_msg msg = { .type = type, .value = value };
	ssize_t r = fd_send(sock, &msg, sizeof(msg), NULL, 0);

	return r == -ECONNRESET ? -EPIPE : r < 0 ? (int)r : 0;
}

/* The next message, by the deadline (monotonic ns; 0: none). */
static int control_receive(int sock, int64_t deadline_ns, struct monitor_msg *ret, int *ret_fds,
			   size_t *inout_n)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	int64_t left_ms = -1;
	ssize_t len;
	int r;

	if (deadline_ns) {
		left_ms = (deadline_ns - time_monotonic_ns()) / 1000000;
		left_ms = left_ms < 0 ? 0 : left_ms;
	}
	r = NO_EINTR(poll(&p, 1, (int)left_ms));
	if (r <= 0)
		return r < 0 ? -errno : -ETIME;
	len = fd_recv(sock, ret, sizeof(*ret), ret_fds, inout_n);
	if (len == 0 || len == -ECONNRESET)
		return -EPIPE;
	return len < 0 ? (int)len : len == (ssize_t)sizeof(*ret) ? 0 : -EPROTO;
}

static int64_t deadline(int timeout_ms)
{
	return timeout_ms < 0 ? 0 : time_monotonic_ns() + timeout_ms * INT64_C(1000000) + 1;
}

int control_signal(int sock, int signo)
{
	return control_send(sock, MONITOR_SIGNAL, signo);
}

int control_want_exit(int sock)
{
	return control_send(sock, MONITOR_WAIT, 0);
}

int control_wait(int sock, int timeout_ms, int *ret_code, int64_t *ret_ns)
{
	int64_t end = deadline(timeout_ms);
	struct monitor_msg msg;
	size_t n;
	int r;

	do {
		n = 0;
		r = control_receive(sock, end, &msg, NULL, &n);
	} while (r == 0 && msg.type != MONITOR_EXITED);
	if (r < 0)
		return r;
	*ret_code = msg.value;
	*ret_ns = msg.finished_ns;
	return 0;
}

/* The answer is of the same type. fd goes with the question, unless it is negative. */
static int ask(int sock, const struct monitor_msg *question, int fd)
{
	int64_t end = deadline(ANSWER_TIMEOUT_MS);
	struct monitor_msg msg;
	size_t n;
	ssize_t len = fd_send(sock, question, sizeof(*question), &fd, fd >= 0);
	int r = len == -ECONNRESET ? -EPIPE : len < 0 ? (int)len : 0;

	while (r == 0) {
		n = 0;
		r = control_receive(sock, end, &msg, NULL, &n);
		if (r == 0 && msg.type == question->type)
			break;
	}
	return r;
}

int control_stop_restart(int sock)
{
	return ask(sock, &(const struct monitor_msg){ .type = MONITOR_STOP_RESTART }, -EBADF);
}

int control_health(int sock, int first_ms, uint32_t limit_ms)
{
	return ask(sock,
		   &(const struct monitor_msg){
		       .type = MONITOR_HEALTH, .value = first_ms, .flags = limit_ms },
		   -EBADF);
}

int control_ports(int sock, int keep)
{
	return ask(sock, &(const struct monitor_msg){ .type = MONITOR_PORTS }, keep);
}

int control_probe(int sock, int timeout_ms, int *ret)
{
	int64_t end = deadline(timeout_ms);
	struct monitor_msg msg;
	size_t n;
	int r = control_send(sock, MONITOR_PROBE, 0);

	while (r == 0) {
		n = 0;
		r = control_receive(sock, end, &msg, NULL, &n);
		if (r == 0 && msg.type == MONITOR_PROBED)
			break;
		if (r == 0 && msg.type == MONITOR_EXITED)
			return -EPIPE;
	}
	if (r == 0)
		*ret = msg.value;
	return r;
}

void control_forbid_restart(struct engine *eng, const char *id)
{
	cleanup_fd int sock = control_open(eng, id);

	if (sock >= 0)
		control_stop_restart(sock);
}

int control_attach(int sock, bool with_stdin, int ret_fds[3], size_t *ret_n)
{
	int64_t end = deadline(ANSWER_TIMEOUT_MS);
	struct monitor_msg msg;
	int r = control_send(sock, MONITOR_ATTACH, with_stdin);

	*ret_n = 3;
	if (r == 0)
		r = control_receive(sock, end, &msg, ret_fds, ret_n);
	if (r == 0 && msg.type == MONITOR_STARTED)
		return 0;
	for (size_t i = 0; r == 0 && i < *ret_n; i++)
		fd_close(ret_fds[i]);
	*ret_n = 0;
	return r < 0 ? r : -EPIPE; /* EXITED */
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "runtime/container.h"
#include "runtime/sync.h"
#include "sys/pidfd.h"

/* What travels: the record is sent only as far as it is used. */
struct packet {
	int32_t type;
	int64_t number;
	struct err err;
};

int sync_pair(int ret[2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0)
		return err_errno(err, errno, "making a socket pair");
	return 0;
}

static int packet_send(int sock, const struct packet *p, size_t len, const int *fds, size_t n_fds)
{
	ssize_t n = fd_send(sock, p, len, fds, n_fds);

	return n < 0 ? (int)n : 0;
}

int sync_send(int sock, enum sync_type type, int64_t number, const int *fds, size_t n_fds)
{
	struct packet p = { .type = type, .number = number };

	return packet_send(sock, &p, offsetof(struct packet, err), fds, n_fds);
}

int sync_write(int sock, enum sync_type type, int64_t number)
{
	struct packet p = { .type = type, .number = number };
	ssize_t n = NO_EINTR(write(sock, &p, offsetof(struct packet, err)));

	return n < 0 ? -errno : 0;
}

int sync_read_go(int sock)
{
	struct packet p = { 0 };
	ssize_t n = NO_EINTR(read(sock, &p, sizeof(p)));

	if (n < 0)
		return -errno;
	return n > 0 && p.type == SYNC_GO ? 0 : -EPIPE;
}

int sync_send_error(int sock, const struct err *err)
{
	struct packet p = { .type = SYNC_ERROR, .err = *err };

	return packet_send(sock, &p, sizeof(p), NULL, 0);
}

static ssize_t packet_recv(int sock, bool plain, struct packet *p, struct sync_msg *msg)
{
	ssize_t n;

	msg->n_fds = plain ? 0 : SYNC_FDS_MAX;
	if (!plain)
		return fd_recv(sock, p, sizeof(*p), msg->fds, &msg->n_fds);
	/* A message header without room for control data: nothing is opened. */
	n = NO_EINTR(recv(sock, p, sizeof(*p), MSG_TRUNC));
	if (n < 0)
		return -errno;
	return n > (ssize_t)sizeof(*p) ? -EMSGSIZE : n;
}

static int receive(int sock, bool plain, struct sync_msg *ret, struct err *err)
{
	struct packet p = { 0 };
	struct sync_msg msg = { 0 };
	ssize_t n;

	n = packet_recv(sock, plain, &p, &msg);
	/* It died with a message of ours unread; its own last one may still be here. */
	if (n == -ECONNRESET)
		n = packet_recv(sock, plain, &p, &msg);
	if (n == 0 || n == -ECONNRESET)
		return 0;
	if (n < 0)
		return err_errno(err, (int)-n, "receiving from the other process");
	msg.type = (enum sync_type)p.type;
	msg.number = p.number;
	msg.err = p.err;
	err_sanitize(&msg.err);
	*ret = msg;
	return 1;
}

int sync_recv(int sock, struct sync_msg *ret, struct err *err)
{
	return receive(sock, false, ret, err);
}

int sync_recv_plain(int sock, struct sync_msg *ret, struct err *err)
{
	return receive(sock, true, ret, err);
}

int sync_take_error(struct sync_msg *msg, struct err *err)
{
	sync_msg_done(msg);
	if (err)
		*err = msg->err;
	return msg->err.errnum > 0 ? -msg->err.errnum : -EIO;
}

int sync_expect(int sock, enum sync_type type, struct sync_msg *ret, struct err *err)
{
	struct sync_msg msg;
	int r;

	r = sync_recv(sock, &msg, err);
	if (r < 0)
		return r;
	if (r == 0)
		return err_errno(err, EPIPE, "waiting for the other process");
	if (msg.type == SYNC_ERROR)
		return sync_take_error(&msg, err);
	if (msg.type != type) {
		sync_msg_done(&msg);
		return err_errno(err, EPROTO, "unexpected message %d", (int)msg.type);
	}
	if (ret)
		*ret = msg;
	else
		sync_msg_done(&msg);
	return 0;
}

void sync_msg_done(struct sync_msg *msg)
{
	for (size_t i = 0; i < msg->n_fds; i++)
		fd_close(msg->fds[i]);
	msg->n_fds = 0;
}

int sync_check_process(pid_t pid, int pidfd, struct err *err)
{
	siginfo_t info = { 0 };

	if (pidfd_pid(pidfd) != pid ||
	    waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return err_fail(err, ERR_DENIED, "the process is not a child of this one");
	return 0;
}

int sync_take_process(struct sync_msg *msg, pid_t maker, struct container *ret, struct err *err)
{
	pid_t pid = (pid_t)msg->number;
	int r;

	if (msg->n_fds > 1 || ret->pidfd >= 0 || pid <= 0 || pid != msg->number || pid == maker)
		return err_errno(err, EPROTO, "receiving the process");
	if (msg->n_fds == 0) {
		msg->fds[0] = pidfd_of(pid);
		if (msg->fds[0] < 0)
			return err_errno(err, -msg->fds[0], "opening the process");
		msg->n_fds = 1;
	}
	r = sync_check_process(pid, msg->fds[0], err);
	if (r < 0)
		return r;
	*ret = (struct container){ .pid = pid, .pidfd = msg->fds[0] };
	msg->n_fds = 0;
	return 0;
}

bool sync_has_pidfds(void)
{
	cleanup_fd int own = pidfd_of(getpid());

	return own >= 0 || own == -EMFILE || own == -ENFILE;
}

void sync_drain_process(int sock, pid_t maker, struct container *ret)
{
	bool plain = sync_has_pidfds();
	struct sync_msg msg;

	while (ret->pidfd < 0 && sock >= 0 && receive(sock, plain, &msg, NULL) > 0) {
		if (msg.type == SYNC_INIT_PID)
			sync_take_process(&msg, maker, ret, NULL);
		sync_msg_done(&msg);
	}
}

bool sync_admit(unsigned int *due, enum sync_type type)
{
	unsigned int bit = (int)type >= 0 && type < 32 ? SYNC_BIT(type) : 0;

	if (!(*due & bit))
		return false;
	*due &= ~bit;
	return true;
}

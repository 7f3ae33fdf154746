/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/netlink.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/fd.h"

#define ANSWER_MAX     32768 /* the kernel fills what it is given, up to this */
#define ANSWER_SECONDS 10
#define LIST_ATTEMPTS  10
#define SEND_PLAIN     65536 /* fits into a socket's buffer as it is made */

/* Any socket takes interface ioctls; a Unix one is the cheapest (35 us with the kernel's work, 38
 * by rtnetlink) and is there without IPv4. A new `lo` has no other flag that could get lost. */
int netlink_loopback_up(struct err *err)
{
	struct ifreq req = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	cleanup_fd int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return err_errno(err, errno, "making socket for interface lo");
	if (ioctl(sock, SIOCSIFFLAGS, &req) < 0)
		return err_errno(err, errno, "bringing interface lo up");
	return 0;
}

int netlink_open(int protocol, struct err *err)
{
	/* An answer comes with the request; this is for a kernel that gives none. */
	const struct timeval limit = { .tv_sec = ANSWER_SECONDS };
	const int on = 1;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return err_errno(err, errno, "making a netlink socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	return fd;
}

/* The kernel takes no more at once than the socket's buffer, which is doubled by itself. */
static int send_all(int sock, const struct nlbuf *q)
{
	const int size = (int)(q->buf.len + 4096);

	if (q->buf.len > SEND_PLAIN &&
	    setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return NO_EINTR(send(sock, q->buf.data, q->buf.len, 0)) < 0 ? -errno : 0;
}

static int receive(int sock, void *answer, size_t size)
{
	struct sockaddr_nl from = { 0 };
	socklen_t from_len = sizeof(from);
	ssize_t n;

	do
		n = NO_EINTR(
		    recvfrom(sock, answer, size, MSG_TRUNC, (struct sockaddr *)&from, &from_len));
	while (n >= 0 && from.nl_pid != 0); /* only the kernel's word counts */
	if (n < 0)
		return -errno;
	return (size_t)n > size ? -EMSGSIZE : (int)n;
}

/* NLMSGERR_ATTR_MSG, behind the request's header, or all of the request. */
static void take_text(const struct nlmsg_view *m, const struct nlmsghdr *request, char *ret,
		      size_t size)
{
	size_t at = sizeof(struct nlmsgerr), left;
	struct nlattr_view a;
	const char *p;

	if (!(m->flags & NLM_F_ACK_TLVS))
		return;
	if (!(m->flags & NLM_F_CAPPED) && request->nlmsg_len > sizeof(*request))
		at += NLMSG_ALIGN((size_t)request->nlmsg_len - sizeof(*request));
	if (at > m->len)
		return;
	p = m->body + at;
	left = m->len - at;
	while (nlattr_next(&p, &left, &a) > 0)
		if (a.type == NLMSGERR_ATTR_MSG && a.len > 0)
			snprintf(ret, size, "%.*s", (int)strnlen(a.data, a.len),
				 (const char *)a.data);
}

/* 0, 1: the last answer, or -errno. */
static int take_error(const struct nlmsg_view *m, const struct nlbuf *q, struct netlink_answers *a)
{
	struct nlmsgerr e = { 0 };

	if (m->len < sizeof(e.error))
		return -EPROTO;
	memcpy(&e, m->body, m->len < sizeof(e) ? m->len : sizeof(e));
	if (e.error > 0 || e.error < -4095)
		return -EPROTO;
	if (e.error && a->error == 0) {
		a->error = e.error;
		a->seq = m->seq;
		take_text(m, &e.msg, a->text, sizeof(a->text));
	}
	/* What is wrong with a batch as a whole is told of its first message. */
	return m->seq == (q ? q->last : 0) || (e.error && q && q->whole && m->seq == 1);
}

/* 0 also of a message that nobody wants. */
static int take_message(const struct nlmsg_view *m, const struct nlbuf *q,
			struct netlink_answers *a)
{
	int e = 0;

	if (m->flags & NLM_F_DUMP_INTR)
		a->disturbed = true;
	if (m->type == NLMSG_ERROR)
		return take_error(m, q, a);
	if (m->type == NLMSG_DONE) {
		if (m->len >= sizeof(e))
			memcpy(&e, m->body, sizeof(e));
		if (e < 0 && e >= -4095 && a->error == 0)
			a->error = e;
		return 1;
	}
	return a->each && m->type == a->type ? a->each(m->body, m->len, a->to) : 0;
}

int netlink_answers_parse(const struct nlbuf *q, const void *data, size_t len,
			  struct netlink_answers *a)
{
	const char *p = data;
	struct nlmsg_view m;
	int r;

	while ((r = nlmsg_next(&p, &len, &m)) > 0) {
		r = take_message(&m, q, a);
		if (r > 0 && a->error)
			return a->error;
		if (r != 0)
			return r;
	}
	return r;
}

int netlink_talk(int sock, const struct nlbuf *q, struct netlink_answers *a)
{
	char answer[ANSWER_MAX] __attribute__((aligned(8)));
	int r = send_all(sock, q);

	while (r == 0) {
		r = receive(sock, answer, sizeof(answer));
		if (r >= 0)
			r = netlink_answers_parse(q, answer, (size_t)r, a);
	}
	return r < 0 ? r : 0;
}

int netlink_fail(const struct nlbuf *q, const struct netlink_answers *a, int r, struct err *err)
{
	const char *what = nlbuf_what_of(q, a->seq ? a->seq : q->seq);

	return a->text[0] ? err_errno(err, -r, "%s (%s)", what, a->text)
			  : err_errno(err, -r, "%s", what);
}

int netlink_batch(int sock, const struct nlbuf *q, struct err *err)
{
	struct netlink_answers a = { .each = NULL };
	int r = netlink_talk(sock, q, &a);

	return r < 0 ? netlink_fail(q, &a, r, err) : 0;
}

int netlink_list(int sock, const struct nlbuf *q, struct netlink_answers *a,
		 void (*reset)(void *to))
{
	for (int i = 0; i < LIST_ATTEMPTS; i++) {
		int r;

		a->disturbed = false;
		r = netlink_talk(sock, q, a);
		if (r == 0 && !a->disturbed)
			return 0;
		reset(a->to);
		if (r < 0)
			return r;
	}
	return -EAGAIN;
}

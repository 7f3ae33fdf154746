/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests over netlink(7): many in one send(2), and the kernel's answers. Messages are made and
 * taken apart with nlbuf.h. A socket belongs to the network namespace that it was made in for ever,
 * and keeps that one alive. And the one thing that a container's init needs itself. netdevice(7).
 */
#pragma once

#include "base/err.h"
#include "sys/nlbuf.h"

/* Brings `lo` of this network namespace up (the kernel adds 127.0.0.1 and ::1). */
int netlink_loopback_up(struct err *err);

/* A socket of that protocol (NETLINK_*), in the network namespace of the caller. */
int netlink_open(int protocol, struct err *err);

/* What is expected of the answers, and what they say. */
struct netlink_answers {
	uint16_t type;                                       /* of the messages that are wanted */
	int (*each)(const char *body, size_t len, void *to); /* NULL: none is; 0 or -errno */
	void *to;

	int error;      /* of the first message that failed, as -errno; 0: none has */
	uint32_t seq;   /* its number */
	char text[128]; /* what the kernel says to it, "" when nothing */
	bool disturbed; /* what was listed changed meanwhile: to be repeated */
};

/* Sends all messages and takes the answers, until the one to the last message with NLM_F_ACK or
 * NLM_F_DUMP. The others are not undone when one fails (but q->whole). 0, or -errno: the first
 * message's that failed, each's, or the socket's. After an error of a listing the rest of it is
 * still in the socket, which is of no use then. */
int netlink_talk(int sock, const struct nlbuf *q, struct netlink_answers *a);
/* The error record for it: nlbuf_what() of the message that failed, and the kernel's text. Returns
 * r. */
int netlink_fail(const struct nlbuf *q, const struct netlink_answers *a, int r, struct err *err);
/* Both, where no messages but answers are wanted. */
int netlink_batch(int sock, const struct nlbuf *q, struct err *err);
/* netlink_talk() for a listing (NLM_F_DUMP), which is repeated while it is disturbed; reset forgets
 * what each has put to a->to. It is forgotten after an error, too. */
int netlink_list(int sock, const struct nlbuf *q, struct netlink_answers *a,
		 void (*reset)(void *to));

/* Pure part, for tests and fuzzing: one datagram of the answers to q (NULL: to a listing of number
 * 0). 0: more to come, 1: that was the last, or -errno as netlink_talk(). */
int netlink_answers_parse(const struct nlbuf *q, const void *data, size_t len,
			  struct netlink_answers *a);

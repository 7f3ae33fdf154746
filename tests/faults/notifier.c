/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notifier ACTION...: a service that writes to $NOTIFY_SOCKET. Static, to run in a container.
 *   send=TEXT  one datagram, in which \n is a newline and \0 a NUL
 *   big=N      one of N bytes, "READY=1" the first line
 *   many=N     N datagrams that say nothing of interest
 *   barrier    BARRIER=1 with a descriptor; "closed" when it was closed within five seconds
 * What goes wrong is written as an error's name.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int sock;

static void send_bytes(const char *text, size_t len, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)text, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *c;

		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	if (sendmsg(sock, &msg, MSG_NOSIGNAL) < 0)
		printf("%s\n", strerrorname_np(errno));
}

static void send_text(char *text)
{
	char *from = text, *to = text;

	while (*from) {
		if (from[0] == '\\' && (from[1] == 'n' || from[1] == '0')) {
			*to++ = from[1] == 'n' ? '\n' : '\0';
			from += 2;
		} else {
			*to++ = *from++;
		}
	}
	send_bytes(text, (size_t)(to - text), -1);
}

static void send_big(size_t len)
{
	char *text = malloc(len + 1);

	memset(text, 'x', len);
	memcpy(text, "READY=1\n", 8);
	send_bytes(text, len, -1);
	free(text);
}

static void barrier(void)
{
	int ends[2];

	if (pipe(ends) < 0)
		exit(1);
	send_bytes("BARRIER=1", 9, ends[1]);
	close(ends[1]);
	struct pollfd p = { .fd = ends[0] };

	puts(poll(&p, 1, 5000) == 1 ? "closed" : "open");
	close(ends[0]);
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");

	sock = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (!path || sock < 0)
		return 2;
	strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		printf("%s\n", strerrorname_np(errno));
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		char *arg = argv[i];

		if (strncmp(arg, "send=", 5) == 0)
			send_text(arg + 5);
		else if (strncmp(arg, "big=", 4) == 0)
			send_big(strtoul(arg + 4, NULL, 10));
		else if (strncmp(arg, "many=", 5) == 0)
			for (unsigned long n = strtoul(arg + 5, NULL, 10); n > 0; n--)
				send_bytes("WATCHDOG=1", 10, -1);
		else if (strcmp(arg, "barrier") == 0)
			barrier();
		else
			return 2;
		fflush(stdout);
	}
	return 0;
}

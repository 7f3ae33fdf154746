/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes from inside the container's namespaces, without a process of the container's. Nothing is
 * executed here, no name looked up but of one file, which is not opened, and of what a server
 * answers no more read than a line.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/sanitized.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "monitor/probe.h"
#include "runtime/health.h"
#include "sys/cap.h"
#include "sys/ns.h"
#include "sys/pidfd.h"
#include "sys/prctl.h"
#include "sys/seccomp.h"

#define NS_PER_S            INT64_C(1000000000)
#define CAP_DAC_READ_SEARCH 2

struct inside {
	const struct container *container;
	const char *target;
	int out;
};

static void say(const struct inside *in, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(const struct inside *in, const char *fmt, ...)
{
	char text[HEALTH_HTTP_LINE_MAX + 256];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	str_mask_controls(text, "");
	if (len > 0 && write(in->out, text, (size_t)len) < 0)
		_exit(1); /* nobody listens any more */
}

/* ---- getting in ---- */

/* One of the container's: what was opened by a pid was its own when it is there after that, for
 * then nobody else has got the number. */
static int open_ns(const struct inside *in, unsigned int flag, struct err *err)
{
	cleanup_fd int fd = ns_open_of(in->container->pid, flag, err);

	if (fd < 0)
		return fd;
	int r = pidfd_kill(in->container->pidfd, 0);
	/* It may have become somebody else in there. */
	if (r < 0 && r != -EPERM)
		return err_errno(err, -r, "looking at the container's first process");
	return take_fd(fd);
}

/* Rights over a namespace are had in the user namespace that owns it. */
static int join(const struct inside *in, unsigned int flag, struct err *err)
{
	cleanup_fd int fd = open_ns(in, flag, err);
	cleanup_fd int user = -EBADF;
	int r;

	if (fd < 0 || ns_is_own(fd, flag) == 1)
		return fd < 0 ? fd : 0;
	r = ns_join(fd, flag, err);
	if (r != -EPERM)
		return r;
	user = open_ns(in, CLONE_NEWUSER, err);
	if (user < 0)
		return user;
	r = ns_join(user, CLONE_NEWUSER, err);
	return r < 0 ? r : ns_join(fd, flag, err);
}

static const char network_calls[] =
    "socket connect sendto recvfrom getsockopt setsockopt poll ppoll";
static const char file_calls[] = "open openat openat2 fstat newfstatat statx readlink readlinkat";
static const char all_calls[] =
    "read write close fcntl brk mmap munmap mremap madvise clock_gettime clock_nanosleep "
    "rt_sigreturn rt_sigprocmask restart_syscall exit exit_group";

static int keep_calls(const char *own, struct err *err)
{
	cleanup_free char *text = xasprintf("%s %s", all_calls, own);
	cleanup_strv char **names = strv_split(text, ' ');
	const struct seccomp_rule rule = { .names = names, .action = SECCOMP_RET_ALLOW };
	const struct seccomp_policy policy = { .default_action = SECCOMP_RET_ERRNO | EPERM,
					       .rules = &rule,
					       .n_rules = 1 };
	cleanup_buf struct buf bpf = BUF_INIT;
	int r = seccomp_compile(&policy, &bpf, err);

	return r < 0 ? r : seccomp_install(bpf.data, bpf.len, 0, err);
}

/* keep_caps: of those that it has. */
static int confine(uint64_t keep_caps, const char *calls, struct err *err)
{
	struct cap_sets now = { 0 }, then = { 0 };
	int r = cap_get_three(&now);

	if (r == 0)
		r = prctl_no_new_privs();
	if (r < 0)
		return err_errno(err, -r, "confining the probe");
	then.effective = then.permitted = now.permitted & keep_caps;
	r = cap_apply(&then, err);
	return r < 0 || SANITIZED ? r : keep_calls(calls, err);
}

/* ---- connections ---- */

/* However long it takes: who made this process kills it in time. */
static bool wait_for(int sock, short events)
{
	struct pollfd p = { .fd = sock, .events = events };

	return poll(&p, 1, -1) > 0;
}

static int connect_one(const char *address, bool ipv6, uint16_t port)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	const struct sockaddr *sa = ipv6 ? (const void *)&a6 : (const void *)&a4;
	int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, error = 0;
	cleanup_fd int sock = socket(sa->sa_family, type, 0);
	socklen_t len = sizeof(error);

	if (sock < 0 || inet_pton(sa->sa_family, address,
				  ipv6 ? (void *)&a6.sin6_addr : (void *)&a4.sin_addr) != 1)
		return sock < 0 ? -errno : -EINVAL;
	if (connect(sock, sa, ipv6 ? sizeof(a6) : sizeof(a4)) == 0)
		return take_fd(sock);
	if (errno != EINPROGRESS)
		return -errno;
	if (!wait_for(sock, POLLOUT))
		return -ETIMEDOUT;
	if (getsockopt(sock, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return error ? -error : take_fd(sock);
}

static int connect_to(const struct inside *in, const struct health_target *t)
{
	const char *shown = t->address[0] ? t->address : "localhost";
	int sock, second;

	if (t->address[0]) {
		sock = connect_one(t->address, t->ipv6, t->port);
	} else {
		sock = connect_one("127.0.0.1", false, t->port);
		second = sock == -ECONNREFUSED ? connect_one("::1", true, t->port) : sock;
		/* no IPv6 is no news */
		sock = second < 0 ? sock : second;
	}
	if (sock < 0)
		say(in, "connecting to %s port %u: %s", shown, t->port, strerror(-sock));
	return sock;
}

static int probe_tcp(const struct inside *in)
{
	struct health_target t;
	int sock = health_parse_tcp(in->target, &t) < 0 ? -EINVAL : connect_to(in, &t);

	if (sock >= 0)
		say(in, "connected to port %u", t.port);
	fd_close(sock);
	return sock < 0 ? 1 : 0;
}

static int send_request(const struct inside *in, int sock, const struct health_target *t)
{
	bool v6 = t->address[0] && t->ipv6;
	cleanup_free char *text =
	    xasprintf("GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\n"
		      "User-Agent: inro\r\nAccept: */*\r\n"
		      "Connection: close\r\n\r\n",
		      t->path, v6 ? "[" : "", t->address[0] ? t->address : "localhost",
		      v6 ? "]" : "", t->port);
	size_t len = strlen(text);
	ssize_t n;

	for (size_t done = 0; done < len; done += (size_t)n) {
		n = send(sock, text + done, len - done, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN && wait_for(sock, POLLOUT))
			n = 0;
		else if (n < 0)
			return -errno;
	}
	return 0;
}

/* No more than the first line. */
static int read_status(const struct inside *in, int sock, char line[HEALTH_HTTP_LINE_MAX + 1],
		       int *ret_status)
{
	size_t len = 0;
	ssize_t n;
	int r = -EAGAIN;

	while (r == -EAGAIN && wait_for(sock, POLLIN)) {
		n = recv(sock, line + len, HEALTH_HTTP_LINE_MAX - len, 0);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		len += (size_t)n;
		r = health_http_status(line, len, ret_status);
	}
	line[len] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	return r == -EAGAIN ? -ETIMEDOUT : r;
}

static int probe_http(const struct inside *in)
{
	char line[HEALTH_HTTP_LINE_MAX + 1];
	struct health_target t;
	int status = 0, r;
	cleanup_fd int sock = health_parse_http(in->target, &t) < 0 ? -EINVAL : connect_to(in, &t);

	if (sock < 0)
		return 1;
	r = send_request(in, sock, &t);
	if (r == 0)
		r = read_status(in, sock, line, &status);
	if (r == -EINVAL)
		say(in, "GET %s: the answer is not HTTP's", t.path);
	else if (r < 0)
		say(in, "GET %s: %s", t.path,
		    r == -EPIPE ? "the server has closed the connection" : strerror(-r));
	else
		say(in, "GET %s: %s", t.path, line);
	return r == 0 && status >= 200 && status < 400 ? 0 : 1;
}

/* ---- files ---- */

static int probe_file(const struct inside *in)
{
	cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -EBADF;
	struct err err = ERR_INIT;
	int64_t max_ns, age_ns;
	struct stat st;

	if (root < 0 || health_parse_file(in->target, &path, &max_ns) < 0)
		return 1;
	/* Not opened: a pipe would wait for its writer. */
	fd = path_open_in(root, path, O_PATH, 0, &err);
	if (fd < 0 || fstat(fd, &st) < 0) {
		say(in, "%s: %s", path, strerror(fd < 0 ? -fd : errno));
		return 1;
	}
	age_ns = time_now_ns() - (st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec);
	say(in, "%s: written %lld s ago", path, (long long)(age_ns / NS_PER_S));
	return max_ns && age_ns > max_ns ? 1 : 0;
}

/* ---- the process ---- */

static const struct {
	const char *kind;
	unsigned int join;
	uint64_t caps;
	const char *calls;
	int (*probe)(const struct inside *in);
} kinds[] = {
	{ "TCP", CLONE_NEWNET, 0, network_calls, probe_tcp },
	{ "HTTP", CLONE_NEWNET, 0, network_calls, probe_http },
	{ "FILE", CLONE_NEWNS, UINT64_C(1) << CAP_DAC_READ_SEARCH, file_calls, probe_file },
};

void probe_inside_main(const struct container *container, char *const *test, int out)
{
	const struct inside in = { .container = container, .target = test[1], .out = out };
	struct err err = ERR_INIT;

	/* Before it is in there, where somebody may be allowed to trace. */
	prctl_dumpable(false);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!str_eq(test[0], kinds[i].kind))
			continue;
		int r = join(&in, kinds[i].join, &err);
		fd_close(container->pidfd);
		if (r < 0 || confine(kinds[i].caps, kinds[i].calls, &err) < 0) {
			say(&in, "%s", err.msg);
			_exit(1);
		}
		_exit(kinds[i].probe(&in));
	}
	_exit(1);
}

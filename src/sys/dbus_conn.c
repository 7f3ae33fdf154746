/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/dbus_conn.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"

#define READ_BYTES     8192
#define AUTH_BYTES_MAX 4096

/* --- addresses --- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes the "%2d" escapes of an address's value. NULL: not valid. */
static char *unescape(const char *s, size_t len)
{
	cleanup_buf struct buf b = BUF_INIT;

	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)s[i];

		if (c == '%') {
			int high = len - i > 2 ? hex_digit(s[i + 1]) : -1;
			int low = high < 0 ? -1 : hex_digit(s[i + 2]);

			if (low < 0)
				return NULL;
			c = high * 16 + low;
			i += 2;
		}
		if (!c)
			return NULL;
		buf_addc(&b, (char)c);
	}
	return buf_take(&b);
}

/* 1: has a path, 0: another transport, -EINVAL. */
static int one_address(const char *text, char ***paths)
{
	const char *rest = str_after(text, "unix:");

	if (!rest)
		return strchr(text, ':') ? 0 : -EINVAL;
	while (*rest) {
		size_t len = strcspn(rest, ",");
		const char *value = str_after(rest, "path=");

		if (value) {
			char *path = unescape(value, len - strlen("path="));
			if (!path)
				return -EINVAL;
			strv_take(paths, path);
			return path[0] == '/' ? 1 : -EINVAL;
		}
		rest += len + (rest[len] == ',');
	}
	return 0;
}

int dbus_address_paths(const char *address, char ***ret, struct err *err)
{
	cleanup_strv char **each = strv_split(address, ';');
	cleanup_strv char **paths = NULL;

	for (char **a = each; *a; a++) {
		if (!**a)
			continue;
		if (one_address(*a, &paths) < 0) {
			cleanup_free char *shown = str_escape(address);
			return err_fail(err, ERR_INVALID, "not a D-Bus address: \"%s\"", shown);
		}
	}
	*ret = take_ptr(paths);
	return 0;
}

/* --- connecting --- */

static int wait_for(int fd, short events, int64_t deadline)
{
	int64_t left = deadline - time_monotonic_ns();
	struct pollfd p = { .fd = fd, .events = events };
	int ms = left <= 0 ? 0 : left / 1000000 >= 60000 ? 60000 : (int)(left / 1000000) + 1;
	int r = poll(&p, 1, ms);

	if (r < 0)
		return errno == EINTR ? 0 : -errno;
	return r == 0 && left <= 0 ? -ETIMEDOUT : 0;
}

/* A full backlog says EAGAIN at once where a blocking socket would wait for ever. */
static int connect_until(int fd, const struct sockaddr_un *addr, int64_t deadline)
{
	struct timespec pause = { .tv_nsec = 1000 * 1000 };

	while (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (time_monotonic_ns() > deadline)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int check_peer(int fd, const char *path, struct err *err)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return err_errno(err, errno, "asking who listens on %s", path);
	if (peer.uid == 0 || peer.uid == geteuid())
		return 0;
	err_fail(err, ERR_DENIED, "%s belongs to user %u: not trusted", path, peer.uid);
	return -EPERM;
}

/* In one go, as sd-bus does. But messages wait for the answer: systemd's side may leave what came
 * with BEGIN in its buffer until more arrives. */
static int greet(struct dbus_conn *c, struct err *err)
{
	/* Without a name the other side takes what SO_PEERCRED says, which is right in a user
	 * namespace, too, where our own idea of our uid would not be. */
	static const char auth[] = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";
	static const struct dbus_call hello = {
		.destination = "org.freedesktop.DBus",
		.path = "/org/freedesktop/DBus",
		.interface = "org.freedesktop.DBus",
		.member = "Hello",
	};

	/* There is room for it in a new socket. */
	if (send(c->fd, auth, sizeof(auth) - 1, MSG_NOSIGNAL) != sizeof(auth) - 1)
		return err_errno(err, errno, "writing to %s", c->path);
	if (c->bus)
		dbus_queue(c, &hello, NULL, &c->hello);
	return 0;
}

int dbus_connect(const char *path, bool bus, int64_t deadline, struct dbus_conn *ret,
		 struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	cleanup_fd int fd = -EBADF;
	int r;

	if (strlen(path) >= sizeof(addr.sun_path))
		return err_errno(err, ENAMETOOLONG, "connecting to %s", path);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(err, errno, "making a socket");
	r = connect_until(fd, &addr, deadline);
	if (r < 0)
		return err_errno(err, -r, "connecting to %s", path);
	r = check_peer(fd, path, err);
	if (r < 0)
		return r;
	*ret = (struct dbus_conn){ .fd = take_fd(fd), .path = xstrdup(path), .bus = bus };
	r = greet(ret, err);
	if (r < 0)
		dbus_disconnect(ret);
	return r;
}

void dbus_disconnect(struct dbus_conn *c)
{
	fd_close(c->fd);
	free(c->path);
	buf_done(&c->out);
	buf_done(&c->in);
	*c = (struct dbus_conn)DBUS_CONN_INIT;
}

/* --- messages --- */

void dbus_queue(struct dbus_conn *c, const struct dbus_call *call, const struct buf *body,
		uint32_t *ret_serial)
{
	struct dbus_call direct = *call;

	if (!c->bus)
		direct.destination = NULL;
	*ret_serial = ++c->serial;
	dbus_put_call(&c->out, &direct, c->serial, body);
}

static int flush(struct dbus_conn *c, int64_t deadline, struct err *err)
{
	while (c->out.len) {
		ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);

		if (n > 0) {
			memmove(c->out.data, c->out.data + n, c->out.len - (size_t)n);
			c->out.len -= (size_t)n;
			continue;
		}
		int r = n < 0 && errno != EAGAIN && errno != EINTR
			    ? -errno
			    : wait_for(c->fd, POLLOUT, deadline);
		if (r < 0)
			return err_errno(err, -r, "writing to %s", c->path);
	}
	return 0;
}

static int fill(struct dbus_conn *c, int64_t deadline, struct err *err)
{
	ssize_t n;
	int r = c->authenticated ? flush(c, deadline, err) : 0;

	/* Also when the other side never stops sending. */
	if (r >= 0 && time_monotonic_ns() > deadline)
		return err_errno(err, ETIMEDOUT, "waiting for an answer on %s", c->path);
	if (r < 0)
		return r;
	buf_reserve(&c->in, READ_BYTES);
	for (;;) {
		n = recv(c->fd, c->in.data + c->in.len, READ_BYTES, 0);
		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
		r = wait_for(c->fd, POLLIN, deadline);
		if (r < 0)
			return err_errno(err, -r, "waiting for an answer on %s", c->path);
	}
	if (n <= 0)
		return err_errno(err, n < 0 ? errno : ECONNRESET, "reading from %s", c->path);
	c->in.len += (size_t)n;
	c->in.data[c->in.len] = '\0';
	return 0;
}

static void drop(struct dbus_conn *c, size_t n)
{
	memmove(c->in.data, c->in.data + n, c->in.len - n);
	c->in.len -= n;
}

/* 1: an answer, 0: none yet. What comes before it answers the steps on the way to it. */
static int take_auth_line(struct dbus_conn *c, struct err *err)
{
	char *end = c->in.len ? memmem(c->in.data, c->in.len, "\r\n", 2) : NULL;
	bool ok;

	if (!end) {
		if (c->in.len > AUTH_BYTES_MAX)
			return err_errno(err, EBADMSG, "authenticating on %s", c->path);
		return 0;
	}
	*end = '\0';
	ok = str_starts(c->in.data, "OK ");
	if (!ok && !str_eq(c->in.data, "DATA")) {
		cleanup_free char *shown = str_escape(c->in.data);
		err_fail(err, ERR_DENIED, "authenticating on %s: the answer is \"%.60s\"", c->path,
			 shown);
		return -EACCES;
	}
	drop(c, (size_t)(end - c->in.data) + 2);
	return ok;
}

static int authenticate(struct dbus_conn *c, int64_t deadline, struct err *err)
{
	int r = 0;

	for (int lines = 0; !c->authenticated && r >= 0; lines++) {
		r = lines < 64 ? take_auth_line(c, err)
			       : err_errno(err, EBADMSG, "authenticating on %s", c->path);
		if (r > 0)
			c->authenticated = true;
		else if (r == 0 && !(c->in.len && memmem(c->in.data, c->in.len, "\r\n", 2)))
			r = fill(c, deadline, err);
	}
	return r < 0 ? r : 0;
}

/* The first whole message in the buffer: 1, 0: not there yet. */
static int take_message(struct dbus_conn *c, struct dbus_msg *ret, struct err *err)
{
	size_t size;
	int r;

	if (c->in.len < DBUS_HEADER_MIN)
		return 0;
	r = dbus_msg_size(c->in.data, &size);
	if (r == 0 && c->in.len < size)
		return 0;
	if (r == 0)
		r = dbus_msg_parse(c->in.data, size, ret);
	if (r < 0)
		return err_errno(err, -r, "reading a message from %s", c->path);
	c->taken = size;
	return 1;
}

static int next(struct dbus_conn *c, int64_t deadline, struct dbus_msg *ret, struct err *err)
{
	int r = authenticate(c, deadline, err);

	if (r >= 0)
		r = flush(c, deadline, err);
	for (;;) {
		if (r < 0)
			return r;
		drop(c, c->taken);
		c->taken = 0;
		r = take_message(c, ret, err);
		if (r < 0)
			return r;
		if (r == 0) {
			r = fill(c, deadline, err);
			continue;
		}
		if (!c->hello || ret->reply_serial != c->hello)
			return 0;
		c->hello = 0;
		if (ret->type == DBUS_ERROR)
			return err_fail(err, ERR_DENIED, "%s refuses the connection: %s", c->path,
					ret->error_name);
	}
}

int dbus_next(struct dbus_conn *c, int64_t deadline, struct dbus_msg *ret, struct err *err)
{
	int r = c->fd < 0 ? err_errno(err, ENOTCONN, "reading from %s", c->path)
			  : next(c, deadline, ret, err);

	/* Nobody knows where the next message would begin, or which call it would answer. */
	if (r < 0)
		c->fd = fd_close(c->fd);
	return r;
}

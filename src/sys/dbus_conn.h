/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A blocking D-Bus client on a Unix socket, to a bus or to a peer directly. Nothing is waited for
 * until dbus_next(), not even the answer to the authentication. Only sockets with a
 * path, and only those that root or the own user listens on. One thread, fds are CLOEXEC. Times are
 * deadlines, time_monotonic_ns().
 */
#pragma once

#include "sys/dbus.h"

struct dbus_conn {
	int fd; /* -EBADF: not connected */
	char *path;
	bool bus; /* a message bus, not a peer */
	bool authenticated;
	uint32_t serial, hello;
	struct buf out, in;
	size_t taken; /* of in: the message that dbus_next() returned last */
};
#define DBUS_CONN_INIT                                                                             \
	{                                                                                          \
		.fd = -EBADF, .in = BUF_INIT, .out = BUF_INIT                                      \
	}

/* The paths in a D-Bus address list ("unix:path=/run/user/1000/bus,guid=...;unix:..."), NULL when
 * there is none: other transports, abstract sockets among them (which anybody may listen on), are
 * passed over. Pure. ERR_INVALID. */
int dbus_address_paths(const char *address, char ***ret, struct err *err);

/* Connects and asks to be authenticated as this process's user; on a bus, queues its Hello.
 * -errno of connect(2); -EPERM (ERR_DENIED): somebody else's socket. */
int dbus_connect(const char *path, bool bus, int64_t deadline, struct dbus_conn *ret,
		 struct err *err);
/* Queues; *ret_serial is what the reply will have. */
void dbus_queue(struct dbus_conn *c, const struct dbus_call *call, const struct buf *body,
		uint32_t *ret_serial);
/* Sends what is queued and waits for the next message. *ret is valid until the next call.
 * -ETIMEDOUT after the deadline, -ECONNRESET: the other side has hung up. After any error the
 * connection is closed. */
int dbus_next(struct dbus_conn *c, int64_t deadline, struct dbus_msg *ret, struct err *err);
void dbus_disconnect(struct dbus_conn *c);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inro-monitor: one per container, a session of its own. It creates the container in-process, holds
 * its stdio and its lock, tells the client how it ended, removes its cgroups and runtime state, and
 * cleans up after a client that is gone. Single-threaded. Protocol: runtime/monitor_proto.h.
 */
#pragma once

#include "runtime/container.h"
#include "runtime/monitor_proto.h"

/* Our ends of the container's stdio. The client gets copies and pumps; only when it is gone do we
 * read, and throw away, so that the container never blocks on a full pipe. */
struct stdio {
	struct container_stdio child; /* the container's ends: closed once it runs */
	int in, out, err;             /* pipes */
	int pty;                      /* master, instead of the pipes */
};
#define STDIO_INIT                                                                                 \
	{                                                                                          \
		.child = { -EBADF, -EBADF, -EBADF }, .in = -EBADF, .out = -EBADF, .err = -EBADF,   \
		.pty = -EBADF                                                                      \
	}

int stdio_open(struct stdio *io, bool tty, bool with_stdin, struct err *err);
void stdio_close_child(struct stdio *io);
/* The fds that the client gets, in the protocol's order. Returns how many. */
size_t stdio_client_fds(const struct stdio *io, int fds[3]);
/* Our copies that nobody needs while the client has its own: the container must see a closed pipe
 * when the client closes it. */
void stdio_release_stdin(struct stdio *io);
void stdio_release_output(struct stdio *io, int number); /* 1 or 2; a terminal is both */
/* Reads and discards what is there, from fd *fd; closes it at its end. */
void stdio_discard(int *fd);
void stdio_done(struct stdio *io);

struct monitor {
	int sock; /* client; -EBADF when it is gone */
	struct monitor_start start;
	int *fds; /* all that came, in the protocol's order */
	size_t n_fds;
	struct runtime runtime;
	struct stdio io;
	struct container container;
	bool client_done;
};

/* Receives START and its fds. */
int monitor_receive(struct monitor *m, struct err *err);
/* Creates and starts the container, and tells the client either way. */
int monitor_create(struct monitor *m, struct err *err);
/* Until the container's init has ended. Returns its exit status 0..255 or -errno. */
int monitor_supervise(struct monitor *m, struct err *err);
/* Exit record (in the lock file), EXITED, runtime state away, GONE, wait for the client's DONE. */
int monitor_finish(struct monitor *m, int status, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal's master on its way to who asked for it with --console-socket. */
#pragma once

#include "oci/spec.h"
#include "runtime/sync.h"

/* Who gets the master of process.terminal. */
struct console_target {
	int *fd_out;             /* a caller in this process, or NULL: */
	const char *socket_path; /* --console-socket */
	int sock;                /* connected to that, owned, or -EBADF */
	int cancel_fd;           /* runtime/cancel.h */
};

/* The size of a new terminal, set before the program can look: process.consoleSize, else that of
 * the runtime's own terminal, which would reach the program as a SIGWINCH a moment later. */
void console_set_size(const struct spec_process *p, int master);
/* Before anything is made, where there is to be a terminal: connects to the socket. ERR_USAGE:
 * there is none, and nobody else who would take it. */
int console_prepare(struct console_target *to, struct err *err);
/* Hands on what came with SYNC_CONSOLE. */
int console_give(const struct console_target *to, struct sync_msg *msg, struct err *err);

/* fd, CLOEXEC, or -errno. */
int console_connect(const char *path, int cancel_fd, struct err *err);
/* Sends one fd with a name beside it, as runc does. 0 or -errno. */
int console_send(int sock, int master, int cancel_fd, struct err *err);

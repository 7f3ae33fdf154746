/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unix sockets of programs that get a file descriptor from the runtime: a terminal, a process, a
 * seccomp listener. One that does not accept or read must not hold the runtime up for good: a
 * signal at cancel_fd (runtime/cancel.h) ends the wait.
 */
#pragma once

#include "base/err.h"

/* A stream socket, CLOEXEC, connected to path. what: the path's name in errors. fd, -ECANCELED or
 * -errno. */
int peer_connect(const char *what, const char *path, int cancel_fd, struct err *err);
/* All of data, with this fd. 0, -ECANCELED or -errno. */
int peer_send(int sock, const void *data, size_t len, int fd, int cancel_fd, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal's master on its way to who asked for it with --console-socket. */
#pragma once

#include "base/err.h"

/* Before anything is made. fd, CLOEXEC, or -errno. */
int console_connect(const char *path, struct err *err);
/* Sends one fd with a name beside it, as runc does. 0 or -errno. */
int console_send(int sock, int master, struct err *err);

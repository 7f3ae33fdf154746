/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal's master on its way to who asked for it with --console-socket. */
#pragma once

#include "oci/spec.h"

/* The size of a new terminal, set before the program can look: process.consoleSize, else that of
 * the runtime's own terminal, which would reach the program as a SIGWINCH a moment later. */
void console_set_size(const struct spec_process *p, int master);
/* Before anything is made. fd, CLOEXEC, or -errno. */
int console_connect(const char *path, struct err *err);
/* Sends one fd with a name beside it, as runc does. 0 or -errno. */
int console_send(int sock, int master, struct err *err);

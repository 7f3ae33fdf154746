/* SPDX-License-Identifier: Apache-2.0 */
/* A runtime that stays until the container's process ends (`run`, `exec`): it passes signals and
 * the terminal on. */
#pragma once

#include <termios.h>

#include "runtime/container.h"
#include "runtime/pump.h"

struct foreground {
	struct container c;
	int signals;             /* signalfd */
	int master;              /* pty, or -EBADF */
	int notify;              /* the container's notification socket, or -EBADF */
	const char *notify_host; /* who is told; NULL: nobody any more */
	struct termios saved;
	bool raw, ended;
	int status; /* wait status */
	struct pump to_container, from_container;
};

/* Before the process is made, so that no signal is lost. foreground_done() in any case. */
int foreground_begin(struct foreground *f, bool subreaper, struct err *err);
/* With f->c and f->master set. Returns the exit status: the process's, or 128 and a signal. */
int foreground_stay(struct foreground *f);
void foreground_done(struct foreground *f);

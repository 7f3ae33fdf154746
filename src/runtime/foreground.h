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
	struct detach_keys keys; /* typed on a terminal they end foreground_stay() */
	bool raw, ended, left;
	int status; /* wait status */
	struct pump to_container, from_container;
};

/* Before the process is made, so that no signal is lost. foreground_done() in any case. */
int foreground_begin(struct foreground *f, bool subreaper, struct err *err);
/* With f->c and f->master set. Returns the exit status: the process's, or 128 and a signal; 0 with
 * f->left when the user has left it: then it goes on, and its terminal is for terminal_keep(). */
int foreground_stay(struct foreground *f);
/* A program whose terminal nobody reads any more would wait when that is full, and get SIGHUP when
 * it is closed: a process of its own has it from here on, reads what comes and throws it away,
 * until nobody writes any more. */
struct keeper {
	int master;
	int pidfd; /* of the program; negative: its end is somebody else's business */
	int fd;    /* is kept open; or negative */
	/* Told where the kernel tells others than the parent how it has ended (6.15). */
	void (*ended)(const void *data, int wait_status);
	const void *data;
};
int terminal_keep(const struct runtime *rt, const struct keeper *keeper, struct err *err);
void foreground_done(struct foreground *f);

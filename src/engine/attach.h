/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's terminal or pipes joined to a container's: pumps both ways, forwards signals and the
 * window's size, and keeps the terminal raw as long as it takes. Signals that are forwarded must be
 * blocked (attach_block_signals) from before the container starts until the process ends.
 */
#pragma once

#include <signal.h>
#include <termios.h>

#include "base/err.h"
#include "runtime/detach_keys.h"

struct pump {
	int from, to;
	bool owns_from, owns_to, nosplice, ready;
	struct detach_keys *keys; /* end the session when they come by; or NULL */
};

struct attach {
	int sock;           /* monitor; borrowed */
	int signal_fd, pty; /* owned; pty: master */
	bool guest;         /* the end is somebody else's business: EXITED is the last word */
	struct pump in, out, err;
	struct detach_keys keys;
	bool left;   /* the user has typed the keys: the container goes on */
	bool enough; /* the user does not want the rest of the output */
	bool raw;
	struct termios saved;
	/* What the monitor has said. */
	bool exited, gone;
	int status;
	int64_t finished_ns;
	bool oom_killed;
	int lost; /* why not all of its output could be written: -errno, -EINTR: a signal came */
	/* Called once, when the container has ended. May be NULL. */
	void (*on_exit)(struct attach *a);
	void *data;
};

/* Blocks the signals that are forwarded (when proxy) and SIGWINCH and SIGPIPE, and gives a signalfd
 * for them. fd or -errno. */
int attach_block_signals(bool proxy, struct err *err);
/* fds: what STARTED brought, taken over. */
void attach_init(struct attach *a, int sock, int signal_fd, const int *fds, size_t n_fds, bool tty,
		 bool with_stdin);
/* These streams are read, and shown nowhere. */
int attach_hide(struct attach *a, bool out, bool err_too, struct err *err);
/* On a terminal, these let go of the container; NULL: the default ones. */
int attach_set_keys(struct attach *a, const char *keys, struct err *err);
/* Until the container has ended, its output is drained and the monitor has cleaned up, or the user
 * has left. 0, or -errno: -EPIPE when the monitor died. The terminal is as before in any case. A
 * reader of the output is waited for until a signal comes. */
int attach_run(struct attach *a, struct err *err);
void attach_done(struct attach *a);

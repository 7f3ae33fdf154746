/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inro-monitor: one per container, a session of its own. It creates the container in-process, holds
 * its stdio and its lock, hands output to whoever is attached, tells its clients how the container
 * ended, removes its cgroups and runtime state, and becomes the clean-up role unless a client sees
 * to that. Single-threaded, and its memory does not grow with what passes through. Protocol:
 * runtime/monitor_proto.h.
 */
#pragma once

#include "monitor/logfile.h"
#include "runtime/container.h"
#include "runtime/monitor_proto.h"

/* Our ends of the container's stdio. */
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
/* The container gets these, which are taken over; nothing is read or logged. */
void stdio_pass(struct stdio *io, int fds[3]);
void stdio_close_child(struct stdio *io);
void stdio_done(struct stdio *io);

#define CLIENTS_MAX 64
#define STREAMS     2
#define STREAM_SIZE 16384

/* Who is connected. It lasts as long as its socket. */
struct client {
	int sock;
	bool starter;          /* at the other end of fd 3 */
	int out[STREAMS];      /* write ends, non-blocking, of the pipes that it reads; -EBADF */
	size_t taken[STREAMS]; /* of what is in the stream's buffer */
	int64_t stuck_ns;      /* monotonic: since when it takes nothing; 0: it does */
	bool widened;          /* its pipes have been given more room */
	bool wants_probe;      /* and is told what has come of it */
};

/* What comes out of the container: stdout (or the pty) and stderr. */
struct stream {
	int from;    /* of struct stdio, which closes it; -EBADF: it has ended */
	size_t left; /* once the container has ended: what was written before */
	size_t len;
	size_t logged; /* of it */
};

/* The container's health check. The process that makes a probe does all the rest (probe.h). */
struct probing {
	int64_t started_ns;          /* monotonic, as all of these: when the container was */
	int64_t due_ns, deadline_ns; /* of the next probe, 0: none; of the one that runs */
	int pipe, pidfd;             /* of that; -EBADF */
	pid_t pid;
	bool told; /* it has said what came of it */
};

struct monitor {
	struct monitor_start start;
	int sock; /* fd 3, until clients[] has it */
	int *fds; /* all that came, in the protocol's order */
	size_t n_fds;
	int shm_fd, userns_above; /* of them, or 0 */
	int ports_fd;             /* what keeps published ports, or 0 */
	int netns_fd;             /* made while the orders were being written, or 0 */
	struct runtime runtime;
	struct stdio io;
	struct container container;

	struct client clients[CLIENTS_MAX];
	size_t n_clients;
	int64_t deaf_ns; /* monotonic: nobody is let in before; 0: all are */
	struct stream streams[STREAMS];
	struct probing probing;
	int notify;              /* where it says that it is ready; -EBADF: nobody wants to know */
	const char *notify_host; /* who does; NULL: that has been told */

	bool ended, client_done, no_restart;
	bool limited; /* in its memory */
	bool oom;     /* a process was killed for want of it */
	int status;
	int64_t finished_ns;

	/* Last: what is untouched of these takes no memory. */
	struct logfile log;
	char bufs[STREAMS][STREAM_SIZE];
};

/* Executes inro, once it is there: while it is being exchanged for another version it isn't. Comes
 * back after 10 s of trying. */
void monitor_become_inro(const struct monitor *m, const char *const *argv);
/* Is the end the starter's business, and it still there? */
bool monitor_awaits_starter(const struct monitor *m);

/* Receives START and its fds. */
int monitor_receive(struct monitor *m, struct err *err);
/* Creates and starts the container, and tells the client either way. */
int monitor_create(struct monitor *m, struct err *err);
/* Until the container has ended, what it wrote is handed on, its runtime state is removed, and the
 * starter is done with it or gone. */
int monitor_supervise(struct monitor *m, struct err *err);

/* clients.c: each of these may remove clients: not for use in a loop that counts up. */
struct client *client_add(struct monitor *m, int sock);
void client_remove(struct monitor *m, struct client *c);
/* A connection at the control socket. */
void client_accept(struct monitor *m);
/* There was no fd for one: it is tried again after a while. Returns how long poll may wait, in ms.
 */
int clients_hear_again(struct monitor *m);
/* It has said something, or is gone. */
void client_event(struct monitor *m, struct client *c);
int client_tell(const struct client *c, const struct monitor_msg *msg, const int *fds, size_t n);
/* STARTED, with pipes to read from unless !with_output. */
int client_tell_started(struct monitor *m, struct client *c, bool with_output, bool with_stdin);
/* EXITED, to all but the starter that knows. */
void clients_tell_exited(const struct monitor *m);

/* health.c */
void probing_init(struct monitor *m);
/* The client wants a probe now, or that which runs. */
void probing_ask(struct monitor *m, struct client *c);
/* Another health check, or none (MONITOR_HEALTH). */
void probing_change(struct monitor *m, int first_ms, uint32_t limit_ms);
/* Its pipe, its pidfd can be read. */
void probing_said(struct monitor *m);
void probing_ended(struct monitor *m);
/* Begins the one that is due, ends one that takes too long. Returns how long poll may wait, in ms;
 * -1: as long as it likes. */
int probing_tick(struct monitor *m);
/* The container has ended. */
void probing_end(struct monitor *m);

/* relay.c */
void relay_init(struct monitor *m);
/* The stream can be read: fills its buffer and hands out what can be. */
void relay_fill(struct monitor *m, struct stream *s);
/* The container has ended: what is in its pipes now is the last. */
void relay_end(struct monitor *m);
/* To all that have not all of it. */
void relay_deliver(struct monitor *m, struct stream *s);
/* No more comes: its readers see the end. */
void relay_close(struct monitor *m, struct stream *s);
/* Lets go of those that have taken nothing for too long. Returns how long poll may wait, in ms. */
int relay_expire(struct monitor *m);
/* Has this client yet to take of it? */
bool relay_pending(const struct monitor *m, const struct client *c, size_t stream);

/* output_log.c */
int output_log_open(struct monitor *m, struct err *err);
/* What it has not yet of the stream's buffer. true: it has all of it. */
bool output_log_take(struct monitor *m, struct stream *s);
/* What has waited goes to the file. Returns how long poll may wait, in ms; -1: as long as it likes.
 */
int output_log_tick(struct monitor *m);
/* The container has ended: from now on it takes all, if need be to drop it. */
void output_log_end(struct monitor *m);
void output_log_close(struct monitor *m);

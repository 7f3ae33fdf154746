/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between the runtime and a container's init (and the intermediate process of
 * runtime/ns.h) over one SOCK_SEQPACKET pair: each message is one packet of a type, a fixed payload
 * and fds. The end of the connection means that the other side has died or, after SYNC_EXEC, that
 * the container's program runs.
 */
#pragma once

#include "base/err.h"

struct container;

enum sync_type {
	/* init -> runtime */
	SYNC_ERROR,       /* err; the sender exits */
	SYNC_USERNS_MADE, /* the intermediate process waits for its mappings */
	SYNC_JOINED,      /* it is in its namespaces, and sets the container up itself */
	SYNC_INIT_PID,    /* pid and pidfd of the process that it made */
	SYNC_NETDEV,      /* an rtnetlink socket in its network namespace: move the interfaces */
	SYNC_HOOKS,       /* everything is mounted: run prestart and createRuntime hooks */
	SYNC_CONSOLE,     /* the pty's master */
	SYNC_LISTENER,    /* the seccomp notify fd: listener.h */
	SYNC_READY,       /* created; waits for start */
	SYNC_EXEC,        /* about to execute the program */
	SYNC_CRIU,        /* our end of the connection to what becomes criu */
	/* runtime -> init */
	SYNC_MAPS_DONE,
	SYNC_NETNS,  /* the network namespace that was made for it */
	SYNC_CGROUP, /* limits are set; fds to write "0" to; number: the init's pid out here */
	SYNC_PID,    /* number: the pid out here of the process that was made last; it may go on */
	SYNC_GO,
};

#define SYNC_FDS_MAX 16
struct sync_msg {
	enum sync_type type;
	int64_t number;
	struct err err; /* SYNC_ERROR only */
	int fds[SYNC_FDS_MAX];
	size_t n_fds;
};

int sync_pair(int ret[2], struct err *err); /* CLOEXEC */
/* 0 or -errno (-EPIPE: the other side is gone; no signal). */
int sync_send(int sock, enum sync_type type, int64_t number, const int *fds, size_t n_fds);
/* The same by write(2), the one call that every seccomp filter must allow at that point. */
int sync_write(int sock, enum sync_type type, int64_t number);
/* Waits for SYNC_GO by read(2). */
int sync_read_go(int sock);
int sync_send_error(int sock, const struct err *err);
/* 1: a message, 0: the other side is gone, -errno. The fds belong to the caller. */
int sync_recv(int sock, struct sync_msg *ret, struct err *err);
/*
 * The same from a process that the container can see, and so perhaps trace: fds that come are
 * dropped by the kernel, which does not open them. One of a file on a filesystem of the container's
 * (FUSE) would be asked about close(2), for good, and no signal ends that wait.
 */
int sync_recv_plain(int sock, struct sync_msg *ret, struct err *err);
/* Receives a message which must be of this type; SYNC_ERROR's record becomes *err. ret may be NULL
 * (fds are closed). 0 or -errno. */
int sync_expect(int sock, enum sync_type type, struct sync_msg *ret, struct err *err);
/* The record of a SYNC_ERROR becomes *err. Closes the fds. Returns its -errno. */
int sync_take_error(struct sync_msg *msg, struct err *err);
void sync_msg_done(struct sync_msg *msg); /* closes the fds that were not taken */

/*
 * Takes the process of a SYNC_INIT_PID, which has to be a child of this one, and not its maker,
 * whose pid that is. The socket may be in the hands of somebody who can trace the process that he
 * sees: which one it is, to be signalled and written to files, is not to be believed. Of a plain
 * message the pidfd is opened here. ret->pidfd is negative before.
 */
int sync_take_process(struct sync_msg *msg, pid_t maker, struct container *ret, struct err *err);
/* What it looks at: that pidfd is of this pid, and of a child of this process. */
int sync_check_process(pid_t pid, int pidfd, struct err *err);
/* Can that be done here? Some sandboxes know no pidfd_open(2). */
bool sync_has_pidfds(void);
/* The process from what is still unread after a failure. From now on nobody can send. Whatever
 * there is besides, no fd of it is opened, where that can be done: sync_recv_plain(). */
void sync_drain_process(int sock, pid_t maker, struct container *ret);

/* What the other side may send, each once: bits of 1 << enum sync_type. */
bool sync_admit(unsigned int *due, enum sync_type type);
#define SYNC_BIT(type) (1u << (type))

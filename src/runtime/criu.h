/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Talking to criu, which is found in $PATH and executed as `criu swrk 3`: requests and responses
 * are packets on a socket pair, and while criu works it sends notifications that it waits for.
 */
#pragma once

#include "base/err.h"
#include "runtime/criu_rpc.h"

/* Namespaces by path (extRootPidNS) and the cgroup v2 freezer. */
#define CRIU_VERSION_MIN 31500
#define CRIU_SOCKET      3 /* criu's number of it; its fds that are passed follow */

struct criu {
	int sock;
	pid_t pid;
	int pidfd;
	int cancel_fd; /* runtime/cancel.h: a request is given up; <= 0: none */
};
#define CRIU_INIT                                                                                  \
	{                                                                                          \
		.sock = -EBADF, .pid = -1, .pidfd = -EBADF                                         \
	}

/* The program: the first executable `criu` of $PATH, which relative directories are left out of.
 * ERR_UNSUPPORTED: there is none. */
int criu_find(char **ret_path, struct err *err);
/* criu executes it to keep a network namespace quiet; else it is asked to use nftables itself. */
bool criu_has_iptables(void);
/* The two ends of a new connection. Numbers of fds that criu is told are those of the process that
 * calls this: criu opens them in /proc/PID/fd. */
int criu_connection(int ret[2], struct err *err);
/* Starts criu and makes sure that it answers and is new enough. more: requests will follow. */
int criu_start(const char *program, bool more, struct criu *ret, struct err *err);

/* Answers a notification; an error ends the request. The fds belong to the caller. */
typedef int (*criu_notify_fn)(void *data, const struct criu_resp *resp, const int *fds,
			      size_t n_fds, struct err *err);
/* One request up to its final response. The kind of error is ERR_SYSTEM when criu says that it
 * failed: its log tells why. notify may be NULL: notifications are agreed to. */
int criu_request(struct criu *c, const struct criu_req *req, criu_notify_fn notify, void *data,
		 struct criu_resp *ret, struct err *err);
/* That this criu and this kernel can do what is asked for; the features are named in the error. */
int criu_require(struct criu *c, const struct criu_features *features, struct err *err);
/* Closes the connection, upon which criu gives up what it is doing and cleans up after itself, and
 * waits. check: an exit status other than 0 is an error. */
int criu_end(struct criu *c, bool check, struct err *err);

/* How messages of criu's own failures begin; what comes then gives way to its log. */
#define CRIU_FAILED "criu failed"
/* The last errors of a log of criu, without its timestamps, on one line. Pure. */
void criu_log_errors(const char *text, size_t len, struct buf *out);
/* Adds to err what the log in that directory says, and where it is. Returns r. */
int criu_quote_log(int dirfd, const char *name, int r, struct err *err);

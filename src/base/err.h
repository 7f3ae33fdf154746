/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error record: a plain value on the caller's stack, no allocation, nothing to free. It crosses
 * process boundaries in one write(2) (init -> runtime, monitor -> inro).
 *
 * Functions return 0, a count or an fd, or a negative errno. They take `struct err *` last where a
 * message helps; it may be NULL. Who fails first fills it, callers wrap it with context, main() or
 * the API's handler prints it once. Messages: lower case, gerund and object, no full stop.
 */
#pragma once

#include "base/util.h"

enum err_kind {
	ERR_SYSTEM,         /* a system call failed; errnum says why */
	ERR_USAGE,          /* wrong command line */
	ERR_INVALID,        /* a configuration, image or request that breaks its specification */
	ERR_NOT_FOUND,      /* no such container, image ... */
	ERR_EXISTS,         /* name or id in use */
	ERR_CONFLICT,       /* the object is in the wrong state for this */
	ERR_DENIED,         /* refused by policy */
	ERR_UNSUPPORTED,    /* the kernel, this build or this mode cannot do it */
	ERR_LIMIT,          /* input over a limit of ours */
	ERR_CORRUPT,        /* stored or received data fails verification */
	ERR_NOT_EXECUTABLE, /* container command found but not executable: exit status 126 */
	ERR_CMD_NOT_FOUND,  /* container command not found: exit status 127 */
	ERR_KINDS
};

struct err {
	int errnum; /* positive errno, 0 if none */
	enum err_kind kind;
	char msg[1000]; /* always terminated; cut with "..." when too long */
	char hint[256]; /* what to do about it, "" if there is nothing */
};

#define ERR_INIT                                                                                   \
	{                                                                                          \
		.errnum = 0, .kind = ERR_SYSTEM, .msg = "", .hint = ""                             \
	}

/* Sets "<message>: <strerror(errnum)>", kind ERR_SYSTEM. Returns -errnum. */
int err_errno(struct err *err, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Sets the message alone. Returns the negative errno that stands for the kind (ENOENT, EINVAL ...).
 */
int err_fail(struct err *err, enum err_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "<context>: " before the message that is there. Returns r, so callers can return it. */
int err_wrap(struct err *err, int r, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Sets the hint unless a deeper layer has set one. Returns r. */
int err_hint(struct err *err, int r, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Changes the kind (for example ERR_SYSTEM of execve(2) into ERR_CMD_NOT_FOUND). Returns r. */
int err_set_kind(struct err *err, int r, enum err_kind kind);

/* Exit status of the docker-style command line: 125, 126 or 127. */
int err_exit_status(const struct err *err);

/* A record that came over a pipe is not trusted to be terminated or in range: makes it so. */
void err_sanitize(struct err *err);

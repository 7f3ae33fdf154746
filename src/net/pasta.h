/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pasta(1): connects a network namespace of a user's to the outside by sockets of that user's. It
 * runs until it is ended: one that got its namespace by PID outlives it. Found again by its pid
 * file, whose path is on its command line. Root's namespaces are closed to it: it gives up root's
 * rights first.
 */
#pragma once

#include "base/err.h"

struct pasta {
	pid_t pid;            /* whose user and network namespace; held by the caller meanwhile */
	const char *pid_file; /* absolute, in a directory of ours */
	char *const *options; /* the user's, or NULL */
	char *const *ports;   /* -t and -u with their values, or NULL: none */
};

/* The words of `--network pasta:OPTIONS`, separated by commas, that may be given: not those which
 * say whose namespaces it gets, as whom it runs and what it writes. ERR_USAGE names the one that
 * may not. The caller frees *ret (strv_free). */
int pasta_options_parse(const char *text, char ***ret, struct err *err);

/* Returns when it is ready, 20 ms and more. One that is there with this pid file stays. ERR_SYSTEM:
 * what it said; ERR_UNSUPPORTED: it isn't installed. -ENETUNREACH: this machine has no default
 * route, so there is nothing to connect to. */
int pasta_start(const struct pasta *p, struct err *err);
/* pidfd, or -ESRCH. */
int pasta_find(const char *pid_file);
/* Ends it, and removes the file; that it is not there is no error. */
void pasta_end(const char *pid_file);
/* The first line of what it says of itself, heap; NULL: nothing. */
char *pasta_version(void);

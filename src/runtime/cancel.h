/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving a creation up: SIGINT, SIGTERM, SIGHUP and SIGQUIT end a runtime that makes a container
 * only after it has undone what there is. The fd of cancel_begin() is readable when one has come;
 * 0 or a negative one means that nothing interrupts.
 */
#pragma once

#include <signal.h>

#include "base/err.h"

/* Those of them that would end this process: not what its caller ignores, which would be pending
 * for ever where it is blocked. */
void cancel_signals(sigset_t *ret);

/* Blocks them, but for those that the caller's caller ignores (nohup), for the rest of this
 * process's life. A signalfd or -errno. */
int cancel_begin(struct err *err);
/* Blocks them without taking them. */
int cancel_block(struct err *err);
/* Waits until there is something to read from fd: 0, though a signal may have come, too: it is the
 * program's when that is what the fd says. -ECANCELED when there is but the signal. */
int cancel_wait(int cancel_fd, int fd, struct err *err);
/* The same with a limit in ms, or -1, and the signal stays to be taken. 1: there is something to
 * read from fd; 0: nothing in this time; -ECANCELED or -errno. */
int cancel_poll(int cancel_fd, int fd, int timeout_ms);
/* "interrupted by signal 15 (TERM)". Takes the signal, so that a second one interrupts what
 * undoes. -ECANCELED. */
int cancel_error(int cancel_fd, struct err *err);

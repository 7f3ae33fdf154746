/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container that is paused for as long as this process is at work on its files, and no longer: a
 * process of its own pauses it, and lets it go on when the other end of its socket is closed, by
 * freeze_end() or by the death of the one who works. Ctrl-C does not reach it.
 */
#pragma once

#include "engine/record.h"

struct freeze {
	int fd, pidfd;
	pid_t pid;
};
#define FREEZE_INIT                                                                                \
	{                                                                                          \
		.fd = -EBADF, .pidfd = -EBADF, .pid = -1                                           \
	}
/* 0 also when there is nothing to do: it does not run, or is paused already. */
int freeze_begin(struct engine *eng, const struct record *rec, struct freeze *ret, struct err *err);
/* It goes on when this returns. */
void freeze_end(struct freeze *fz);

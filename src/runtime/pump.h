/* SPDX-License-Identifier: Apache-2.0 */
/* One direction of a terminal's bytes, with a buffer in between so that neither side blocks the
 * other. Poll-driven by its owner. */
#pragma once

#include <poll.h>

#include "runtime/detach_keys.h"

#define PUMP_POLLFDS 2
struct pump {
	int from, to;
	bool eof;
	struct detach_keys *keys; /* are looked for in what is read; NULL: none */
	bool left;                /* they were there, and what came before them is in buf */
	size_t start, end;        /* of what buf holds */
	char buf[4096];
};

void pump_init(struct pump *p, int from, int to);
/* Fills PUMP_POLLFDS entries with what this direction waits for. */
void pump_poll(const struct pump *p, struct pollfd *fds);
void pump_move(struct pump *p, const struct pollfd *fds);
/* The other side has ended: moves what is left (from is non-blocking). */
void pump_drain(struct pump *p);

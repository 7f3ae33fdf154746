/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clean-up role: what a monitor becomes when nobody else sees to its container's end. It
 * records the end, tells all who wait, and starts the container again where its restart policy says
 * so. It holds the container's lock, and serves the control socket while it waits for a restart.
 */
#pragma once

#include "engine/engine.h"

struct cleanup {
	const char *id;
	int status;
	int lock, control; /* -EBADF: none; taken over */
	int *clients;      /* sockets of those who wait; closed */
	size_t n_clients;
	uint32_t backoff_ms; /* before the last restart; 0: there was none */
	bool stopped;        /* somebody has asked for the end */
};
/* -errno, or the exit status: that of the container where it is a service's main process and nobody
 * has stopped it, else 0. */
int engine_cleanup(struct engine *eng, struct cleanup *c, struct err *err);

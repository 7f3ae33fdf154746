/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp notify fd on its way from a container's init to the agent. */
#pragma once

#include "runtime/state.h"
#include "runtime/sync.h"

/* Sends the fd of this SYNC_LISTENER, or the one that it names, out of the process, to the listener
 * path that the container was created with, beside the container process state that the
 * specification defines. A signal at cancel_fd (runtime/cancel.h) ends the wait for an agent. */
int listener_deliver(const struct container *process, const struct sync_msg *msg,
		     const struct state *st, int cancel_fd, struct err *err);

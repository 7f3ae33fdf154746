/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp notify fd on its way from a container's init to the agent. */
#pragma once

#include "runtime/state.h"
#include "runtime/sync.h"

/*
 * SYNC_LISTENER says where it is: LISTENER_FOLLOWS, in the next message, of the same type; or the
 * number is what pidfd_getfd(2) takes from the process, where the filter does not let that send.
 */
#define LISTENER_FOLLOWS (-1)

/*
 * Sends it to the listener path that the container was created with, beside the container process
 * state that the specification defines. msg came from sock. A signal at cancel_fd
 * (runtime/cancel.h) ends the wait for an agent. A process of its own takes and checks it: what
 * comes may be a file of the container's filesystem, and closing that may wait for it.
 */
int listener_deliver(const struct container *process, int sock, const struct sync_msg *msg,
		     const struct state *st, int cancel_fd, struct err *err);

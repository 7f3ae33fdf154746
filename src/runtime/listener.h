/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp notify fd on its way from a container's init to the agent. */
#pragma once

#include "runtime/state.h"

/* Takes fd number fd out of the process and sends it to the listener path that the container was
 * created with, beside the container process state that the specification defines. */
int listener_deliver(const struct container *process, int fd, const struct state *st,
		     struct err *err);

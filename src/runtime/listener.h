/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp notify fd on its way from a container's init to the agent. */
#pragma once

#include "runtime/container.h"

/* Takes fd number fd out of the process and sends it to s->listener_path. */
int listener_deliver(int pidfd, int fd, const struct spec_seccomp *s,
		     const struct container_state *state, struct err *err);

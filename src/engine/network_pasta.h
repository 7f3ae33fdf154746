/* SPDX-License-Identifier: Apache-2.0 */
/* --network pasta: a container of a user's with a pasta of its own (net/pasta.h). */
#pragma once

#include "engine/record.h"
#include "net/ports.h"

/* A step of a start: connects the network namespace of this init; ports are what was chosen for it,
 * bound by nobody. */
int net_pasta_start(struct engine *eng, const struct record *rec, const struct port_bindings *ports,
		    int pidfd, struct err *err);
/* It ends with the container; there may be none. */
void net_pasta_end(struct engine *eng, const char *id);

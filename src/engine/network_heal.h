/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers that run and have lost their interfaces, or the other ends of these: somebody deleted
 * a bridge or a veth, or killed who holds a user's networks. They get them again, with the same
 * addresses, MACs and routes, so that others find them where they were.
 */
#pragma once

#include "engine/record.h"

/* All that run, but those of this owner (NULL: none). What fails for one is warned of. In networks
 * of a user's that have been made anew (net/rootless.h, fresh) an inro-net of those before them is
 * ended, and there are the firewall's rules. */
int network_heal(struct engine *eng, const char *but, struct err *err);

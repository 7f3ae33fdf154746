/* SPDX-License-Identifier: Apache-2.0 */
/* Where this engine's networks are (net/place.h): root's here, a user's in namespaces of theirs. */
#pragma once

#include "engine/join.h"
#include "net/place.h"

/* Looked for once, and kept until engine_done(), which a user's namespaces outlive by some seconds
 * unless somebody else keeps them. make: they are made when they aren't there (20 ms and more);
 * otherwise -ESRCH, without an error record: then there are no links, rules or sockets either. */
int network_place(struct engine *eng, bool make, struct net_place *ret, struct err *err);
/* What the monitor of a container gets of it, behind the n that it joins, where there is room for
 * NETWORK_PLACE_JOINS: what keeps it, for one on networks (its own, or of one whose network
 * namespace it joins), and the user namespace that its own is made in. How many, which the caller
 * closes. */
#define NETWORK_PLACE_JOINS 2
int network_place_joins(struct engine *eng, bool on_networks, struct join_fd *joined, int n,
			struct err *err);
/* Frees what is kept. */
void network_place_done(struct engine *eng);

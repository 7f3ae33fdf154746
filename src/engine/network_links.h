/* SPDX-License-Identifier: Apache-2.0 */
/* What a container's networks come to as interfaces: addresses, routes, the bridge's own. */
#pragma once

#include "engine/network_start.h"

/* Makes those from the first on; others are there already, and stay what they are when this fails.
 * What it has made by then goes with the container's end, or, runs, at once: its namespace has
 * things of its own as well, and ERR_EXISTS is of one that is called so. engine_net() was called.
 */
int net_links_plug(struct engine *eng, const struct net_start *ns, size_t first, int netns,
		   bool runs, struct err *err);
/* All of them, where one has gone or is on its bridge no longer. 1: so it was; 0: all is well. */
int net_links_heal(struct engine *eng, const struct net_start *ns, int netns, struct err *err);
/* That one. 1: it is there, and was made whole. */
int net_links_there(struct engine *eng, const struct net_start *ns, size_t i, int netns,
		    struct err *err);
/* That it isn't there is no error. The host's own goes back. */
int net_links_unplug(struct engine *eng, const struct network *net, const struct endpoint *ep,
		     int netns, struct err *err);
/* The default routes of these interfaces, where one is gone that had them. */
int net_links_reroute(struct engine *eng, const struct net_start *ns, int netns, struct err *err);
/* One less. */
void net_links_drop(struct net_start *ns, size_t i);

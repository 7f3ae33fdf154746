/* SPDX-License-Identifier: Apache-2.0 */
/* What files tell of a container's networks: its own addresses in its /etc/hosts. */
#pragma once

#include "engine/network_start.h"

/* The addresses that it has been given this time, behind what the file was made with. In place: it
 * is mounted, or about to be. */
int net_hosts_write(struct engine *eng, const struct record *rec, const struct net_start *ns,
		    struct err *err);

/* Its /etc/resolv.conf, of one of root's, if it has one of its own. */
int net_resolv_write(struct engine *eng, const struct record *rec, const struct buf *text,
		     struct err *err);

/* The host name that it was made with; the caller frees. Never what its /etc/hostname says, which
 * it may write: others are told of it. */
char *net_hostname(const struct record *rec);

/* The text, for tests: what follows is replaced. */
#define NET_HOSTS_MARK "# addresses of this container\n"
void net_hosts_text(const struct net_start *ns, const char *hostname, const char *name,
		    struct buf *text);

/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of networks.c, network_*.c and leases.c. */
#pragma once

#include "engine/db.h"
#include "engine/networks.h"

/* Its column's text; "": none. */
void network_ip_write(const struct network_ip *ip, struct buf *out);
/* What can't be read is as if there was none. */
void network_ip_read(sqlite3_stmt *stmt, int column, struct network_ip *ret);
/* In a transaction of the caller's, with its event. */
int network_insert(struct engine *eng, const struct network *net, struct err *err);
bool network_is_default(const struct network *net);
/* That it is there already is no error. */
int network_default_make(struct engine *eng, struct err *err);
/* Addresses of name servers. */
int network_servers_check(char *const *servers, struct err *err);
/* Without subnets and bridge, which are not chosen yet; asked subnets, gateways and ranges are in
 * it. */
int network_asked_read(const struct network_asked *asked, struct network *net, struct err *err);
/* One word of docker's or podman's -o. */
int network_option(struct network *net, const char *key, const char *value, struct err *err);
/* An address that nobody gets. In a transaction of the caller's. */
int lease_keep(struct engine *eng, const struct network *net, const struct net_addr *addr,
	       struct err *err);

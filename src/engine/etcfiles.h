/* SPDX-License-Identifier: Apache-2.0 */
/* The files that every container gets its own of: /etc/hostname, /etc/hosts, /etc/resolv.conf, and,
 * when asked for, /etc/localtime. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "engine/runopts.h"

/* What its networks add. */
struct etc_network {
	bool names;          /* names are asked of NET_NAMES_ADDRESS */
	const char *gateway; /* this machine's address there; NULL: it has none */
};
/* Writes them into the container's directory. hostname: the container's. net NULL: it is on no
 * network. */
int etc_files_write(int dirfd, const struct run_options *opts, const char *hostname,
		    const struct etc_network *net, struct err *err);

/* --dns none: the image's is left. */
bool etc_without_resolv(const struct run_options *opts);
/* A time zone's name, which is to lead nowhere but below /usr/share/zoneinfo. */
bool etc_zone_valid(const char *zone);

/* The texts, for tests. host: what the machine's own file says, "" when it has none. */
int etc_hosts_text(const struct run_options *opts, const struct etc_network *net, const char *host,
		   struct buf *out, struct err *err);
void etc_resolv_text(const struct run_options *opts, const struct etc_network *net,
		     const char *host, struct buf *out);

/* SPDX-License-Identifier: Apache-2.0 */
/* The files that every container gets its own of: /etc/hostname, /etc/hosts, /etc/resolv.conf, and,
 * when asked for, /etc/localtime. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "engine/runopts.h"

/* Writes them into the container's directory. hostname: the container's. */
int etc_files_write(int dirfd, const struct run_options *opts, const char *hostname,
		    struct err *err);

/* --dns none: the image's is left. */
bool etc_without_resolv(const struct run_options *opts);
/* A time zone's name, which is to lead nowhere but below /usr/share/zoneinfo. */
bool etc_zone_valid(const char *zone);

/* The texts, for tests. host: what the machine's own file says, "" when it has none. */
int etc_hosts_text(const struct run_options *opts, const char *host, struct buf *out,
		   struct err *err);
void etc_resolv_text(const struct run_options *opts, const char *host, struct buf *out);

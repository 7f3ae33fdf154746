/* SPDX-License-Identifier: Apache-2.0 */
/* The files that every container gets its own of: /etc/hostname, /etc/hosts, /etc/resolv.conf. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "engine/runopts.h"

/* Writes them into the container's directory. hostname: the container's. */
int etc_files_write(int dirfd, const struct run_options *opts, const char *hostname,
		    struct err *err);

/* The texts, for tests. host: what the machine's own file says, "" when it has none. */
int etc_hosts_text(const struct run_options *opts, const char *host, struct buf *out,
		   struct err *err);
void etc_resolv_text(const struct run_options *opts, const char *host, struct buf *out);

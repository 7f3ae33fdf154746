/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of others that the networks need: nft(8), pasta(1). Found by fixed paths, never by
 * $PATH, which is the user's; with nothing of the caller's environment. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct net_program {
	const char *name, *package;
	const char *const *paths; /* NULL at the end */
};

/* Runs the first that is there with this input (NULL: none) to its end, which for a daemon is that
 * it is ready. What it says on its standard output and error is appended to said, at most 64 kB
 * of it. Its exit status, or -errno; ERR_UNSUPPORTED: it isn't installed. */
int net_program_run(const struct net_program *p, char *const *argv, const struct buf *in,
		    struct buf *said, struct err *err);

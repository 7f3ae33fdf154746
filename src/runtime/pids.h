/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a container, and what the host's ps(1) shows of them. */
#pragma once

#include "runtime/container.h"

struct pids {
	pid_t *items; /* sorted */
	size_t n;
};
void pids_done(struct pids *pids);
#define cleanup_pids CLEANUP(pids_done)
/* Takes those out that are in seen, where the others are put. */
void pids_take_new(struct pids *pids, struct pids *seen);

/* Those of its cgroup; where it has none, those in its pid namespace that this user may look at.
 * *ret is zeroed before. */
int container_pids(const struct runtime *rt, const char *id, struct pids *ret, struct err *err);
/* ps(1)'s heading and its lines about them. args: its options, NULL or none: -ef. ERR_USAGE: it
 * does not understand them, or shows no column PID. */
int container_ps(const struct pids *pids, char *const *args, struct buf *out, struct err *err);

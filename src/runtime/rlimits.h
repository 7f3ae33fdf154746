/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each process of a container that runs may use: getrlimit(2), prlimit(2). A limit belongs to
 * a process and goes on to its children, so that all that there are get a new one, and those that
 * appear meanwhile. A process is known by when it was started, too: no recycled pid is touched.
 */
#pragma once

#include "runtime/container.h"

/* What they had before. Zeroed: nothing was changed. */
struct rlimits_journal {
	struct rlimits_old *items;
	size_t n;
};
void rlimits_journal_done(struct rlimits_journal *j);
#define cleanup_rlimits_journal CLEANUP(rlimits_journal_done)

/* What may be refused: the limits whose hard part grows, of all processes, or nothing. Without
 * CAP_SYS_RESOURCE no hard limit can be raised, and none of a process of another user be changed:
 * -EPERM, for the others, too, which are tried here. */
int container_rlimits_raise(const struct runtime *rt, const char *id,
			    const struct spec_rlimit *limits, size_t n, struct rlimits_journal *ret,
			    struct err *err);
/* Then the others, which without that capability nobody can take back. */
int container_rlimits_set(const struct runtime *rt, const char *id,
			  const struct spec_rlimit *limits, size_t n, struct err *err);
/* Gives back what those had whose limits were raised. */
void container_rlimits_revert(const struct rlimits_journal *j);

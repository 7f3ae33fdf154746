/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a container, as the host's ps(1) shows them. */
#pragma once

#include "engine/engine.h"

struct top {
	char **titles;
	char ***rows; /* as many words in each as there are titles, NULL-terminated */
	size_t n_rows;
};
void top_done(struct top *top);
#define cleanup_top CLEANUP(top_done)

/* Of those in seen nothing is said, the others are put there; seen may be NULL: where the members
 * of a pod have no cgroups each shows all that is in the pid namespace that they share. ps_args:
 * podman's words for columns (top_words.h), or options of ps(1), none: -ef. ERR_CONFLICT: it does
 * not run. */
struct pids;
int engine_top(struct engine *eng, const char *word, char *const *ps_args, struct pids *seen,
	       struct top *ret, struct err *err);
/* What ps(1) has written. Pure. */
void top_parse(const char *text, struct top *ret);

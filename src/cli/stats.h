/* SPDX-License-Identifier: Apache-2.0 */
/* What stats.c (looks and columns), stats_view.c (the picture) and stats_screen.c (the terminal)
 * share. */
#pragma once

#include "cli/format.h"
#include "engine/stats.h"

struct stats_row {
	const struct engine_stats *s;
	bool whole; /* ids are not shortened */
};
extern const struct cli_table stats_table; /* of struct stats_row */
/* docker's binary units: "1.5MiB". The caller frees. */
char *stats_size(uint64_t bytes);

struct stats_samples {
	struct engine_stats *items;
	size_t n;
};
void stats_samples_done(struct stats_samples *s);

struct stats_wish {
	bool all, latest, whole;
	char *const *names; /* none: all that run */
	bool forgive;       /* a name that is not there is left out */
};
int stats_look(struct engine *eng, const struct stats_wish *wish, struct stats_samples *ret,
	       struct err *err);

/* On the whole terminal, standard input and output, until the user has enough. */
int stats_screen(struct engine *eng, const struct stats_wish *wish, uint64_t interval_ms,
		 struct err *err);

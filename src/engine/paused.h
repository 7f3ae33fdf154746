/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marks of containers that `inro pause` has been at: empty files <runroot>/paused/<id>, so that a
 * listing looks at the freezers of these alone, and finds them by reading one directory. A mark
 * says no more than that: whether the container is paused is told by its cgroup.
 */
#pragma once

#include "engine/record.h"

/* 0 or -errno. */
int paused_mark(struct engine *eng, const char *id);
/* None is fine. */
void paused_unmark(struct engine *eng, const char *id);
bool paused_is_marked(struct engine *eng, const char *id);
/* Calls fn for each record with a mark. all: every container, as what a killed command has left for
 * one that is not among them goes. */
void paused_each(struct engine *eng, struct record_list *all,
		 void (*fn)(struct engine *eng, struct record *rec));

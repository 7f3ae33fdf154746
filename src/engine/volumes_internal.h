/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of volumes.c and volumes_remove.c. */
#pragma once

#include "engine/volumes.h"

#define VOLUME_ASIDE   '.' /* in front of a name */
#define VOLUME_GARBAGE '_'

extern const char *const volume_event[]; /* attributes */

/* all: the fd of <root>/volumes. */
/* One that was to be removed by a command that was killed before it had said so to the database. */
void volume_put_back(int all, const char *name);
/* name: ".NAME". */
int volume_make_garbage(int all, const char *name, struct err *err);
/* Adds the first column of what a query with one parameter gives. */
int volume_strings(struct engine *eng, const char *sql, const char *value, char ***ret,
		   struct err *err);
int volume_no_such(const char *name, struct err *err);

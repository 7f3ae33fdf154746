/* SPDX-License-Identifier: Apache-2.0 */
/* Making another one of what there is. */
#pragma once

#include "engine/asked.h"
#include "engine/record.h"

/* What a container was created with, without what was its own alone: name and files. */
int clone_read(struct engine *eng, const struct record *rec, struct asked *ret, struct err *err);
/* As podman's: NAME-clone, and then with a number behind, of a clone, too, that is_free (1, 0 or
 * -errno). The caller frees. */
int clone_name(struct engine *eng, const char *from,
	       int (*is_free)(struct engine *eng, const char *name, struct err *err), char **ret,
	       struct err *err);
/* For a container. */
int clone_name_is_free(struct engine *eng, const char *name, struct err *err);

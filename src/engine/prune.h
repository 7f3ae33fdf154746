/* SPDX-License-Identifier: Apache-2.0 */
/* Removing containers that have ended. */
#pragma once

#include "engine/engine.h"

/* Those that meet the filters label and until. *ret_ids: which went, even when another one could
 * not be removed, which is the error. */
int containers_prune(struct engine *eng, char *const *filters, char ***ret_ids, uint64_t *ret_freed,
		     struct err *err);

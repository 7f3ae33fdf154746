/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks that meet conditions, and removing them.
 *
 *   name=REGEX, id=PREFIX, driver=WORD, scope=local, label=KEY[=VALUE], label!=...
 *   type=custom|builtin   builtin: the default one
 *   dangling=BOOL         nobody uses it, and it is not the default one
 *   until=TIME            made before it (filter_time())
 */
#pragma once

#include "engine/networks.h"

/* By name, the default one among them, which is made when that can be. filters NULL: all. */
int networks_query(struct engine *eng, char *const *filters, struct network_list *ret,
		   struct err *err);
/* Those that nobody uses but the default one, by until and label. *ret_names: which went, even when
 * another one could not be removed, which is the error. */
int networks_prune(struct engine *eng, char *const *filters, char ***ret_names, struct err *err);
/* Not the default one: ERR_DENIED. force: pods and containers that use it go before, also those
 * that run. */
int network_rm(struct engine *eng, const char *word, bool force, struct err *err);
/* All of them, also the default one. What can't be removed is the error, and does not keep the
 * others. */
int networks_reset(struct engine *eng, struct err *err);

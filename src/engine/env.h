/* SPDX-License-Identifier: Apache-2.0 */
/* The variables that a user gives a process, by --env-file and -e. */
#pragma once

#include "base/err.h"

/* Files first, words after them; a name without a value is taken from our own environment. Adds to
 * *ret, also when it fails. */
int env_gather(char *const *files, char *const *words, char ***ret, struct err *err);
/* All of our own environment, or what it says of proxies: the caller frees. */
char **env_own(bool all, bool proxies);

/* SPDX-License-Identifier: Apache-2.0 */
/* Names of containers: what is allowed, and random ones for those that were given none. */
#pragma once

#include "base/err.h"

#define NAME_MAX_LEN 128

/* [a-zA-Z0-9][a-zA-Z0-9_.-]+, as docker; the error says what was expected. */
int name_check(const char *name, struct err *err);
/* "adjective_surname"; from the attempt'th on with a digit behind. The caller frees. */
char *name_random(unsigned int attempt);

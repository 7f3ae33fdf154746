/* SPDX-License-Identifier: Apache-2.0 */
/* Comma-separated values, as docker has them in --mount and --network. */
#pragma once

#include "base/err.h"

/* One line; a value may be in quotes, where "" is a quote. Frees: strv_free(). */
int csv_parse(const char *text, char ***ret, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/* Inside base/opt*.c only. */
#pragma once

#include "base/opt.h"

/* Of opt_parse(): --version is known, too. Not for commands' flags. */
#define OPT_PARSE_VERSION (1U << 16)
/* What opt_parse() returns when these were asked for. */
enum { OPT_ASKED_HELP = 1, OPT_ASKED_VERSION = 2 };

static inline bool opt_has_value(const struct opt *o)
{
	return o->kind != OPT_FLAG;
}

/* What help and the man page call the value, NULL for flags. */
const char *opt_value_name(const struct opt *o);
const struct opt *opt_find(const struct opt *opts, size_t n, const char *name, size_t len);
const struct opt *opt_find_short(const struct opt *opts, size_t n, char c);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration files of sections and keys. Pure. A line is one of
 *
 *   [section]                  letters, digits, "_" and "-"
 *   [section "subject"]        the subject is any text without quotes
 *   key = value                letters, digits, "_", "-", ".", "/"; "..." around the value
 *   # comment, ; comment       also after spaces; not after a value
 *
 * or empty. Spaces around a value don't count but in quotes. Nothing is cut or guessed: what
 * doesn't look like this, isn't UTF-8, holds control characters or is over a limit is an error with
 * the line's number. (libinih shortens a section's name to 50 bytes and continues with it, and
 * doesn't tell line numbers.)
 */
#pragma once

#include "base/err.h"

#define INI_BYTES_MAX (1u << 20)
#define INI_LINE_MAX  4096

struct ini_entry {
	size_t line;         /* from 1 */
	const char *section; /* "" before the first */
	const char *subject; /* NULL: none */
	const char *key;     /* NULL: this is the section's own line */
	const char *value;
};

/* Calls fn with each section and each key in the file's order; the first error ends it. Errors,
 * fn's too, get "<what>:<line>: " in front. */
int ini_parse(const char *text, size_t len, const char *what,
	      int (*fn)(void *ctx, const struct ini_entry *entry, struct err *err), void *ctx,
	      struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings and strict numbers (design rule 8): the whole string must be the number, no leading or
 * trailing space, no sign unless said, no octal by accident, no wrap. Parsers return 0 or -EINVAL
 * (-ERANGE when out of range) and leave the output untouched on failure.
 */
#pragma once

#include "base/util.h"

bool str_eq(const char *a, const char *b); /* NULL equals NULL only */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* Returns the rest of s behind prefix, or NULL. */
const char *str_after(const char *s, const char *prefix);

int str_parse_u64(const char *s, uint64_t *ret) MUST_CHECK; /* [0-9]+, no leading zeros but "0" */
int str_parse_i64(const char *s, int64_t *ret) MUST_CHECK;  /* the same with an optional '-' */
int str_parse_u32(const char *s, uint32_t *ret) MUST_CHECK;
int str_parse_int(const char *s, int *ret) MUST_CHECK;
int str_parse_mode(const char *s, uint32_t *ret) MUST_CHECK; /* [0-7]{1,5}, <= 07777 */
/* true false 1 0 yes no, and Go's True TRUE t T ... */
int str_parse_bool(const char *s, bool *ret) MUST_CHECK;
/* "512", "64k", "1.5g", "2GiB", "1t": docker's units, powers of 1024. */
int str_parse_bytes(const char *s, uint64_t *ret) MUST_CHECK;
/* "1.5" cpus -> 1500000000 nano cpus; at most nine decimals. */
int str_parse_nano(const char *s, uint64_t *ret) MUST_CHECK;
/* The kernel's dev_valid_name(): 1 to 15 characters; and printable, which it does not ask. */
bool str_is_ifname(const char *s);
/* Length of the valid UTF-8 sequence at s (1 to 4), 0 at the end or when there is none. */
size_t str_utf8_len(const char *s);
/* Printable form with C escapes for control bytes and non-UTF-8, for messages; never NULL. Frees:
 * caller. */
char *str_escape(const char *s);
/* For a terminal: control characters become "?" in place, but for those in keep ("\n\t"). Returns
 * s. Text of images and configurations goes into messages and tables; it must not steer them. */
char *str_mask_controls(char *s, const char *keep);
/* The number of letters to change, add or drop to make b of a (Levenshtein); SIZE_MAX when one is
 * longer than STR_EDITS_MAX. For "did you mean". */
#define STR_EDITS_MAX 64
size_t str_edits(const char *a, const char *b);

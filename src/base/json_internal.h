/* SPDX-License-Identifier: Apache-2.0 */
/* Inside base/json*.c only: what parsing, writing and freeing share about the kinds. */
#pragma once

#include "base/json.h"

/* How an integer kind lies in the struct, and its range. */
struct json_int {
	size_t size; /* of the value in bytes; 0: not an integer kind */
	size_t value_at;
	bool is_signed, is_opt;
	int64_t min;
	uint64_t max;
};
extern const struct json_int json_ints[JSON_KINDS];

/* JSON_ARRAY and JSON_OBJ_MAP: every JSON_LIST(T) looks like this. */
struct json_items {
	char *items;
	size_t n;
};

/* Where a text breaks RFC 8259, and how; why is NULL while it does not. */
struct json_fault {
	size_t at;
	const char *why;
};

/*
 * Checks all that json-c's strict mode lets through: token by token, strings (quotes, control
 * bytes, UTF-8, no NUL), numbers (form, integers within 64 bits) and words. The order of tokens is
 * left to json-c. Returns the number of members of all objects together, by which duplicate names
 * show, or -EINVAL.
 */
ssize_t json_check_tokens(const char *text, size_t len, struct json_fault *fault);
/* In a valid text: the first name that its object has had before, as text with escapes; NULL when
 * there is none. The caller frees. */
char *json_find_duplicate(const char *text, size_t len);

/* SPDX-License-Identifier: Apache-2.0 */
/* Inside base/json*.c only: what parsing, writing and freeing share about the kinds. */
#pragma once

#include "base/json.h"

#define JSON_SHOWN_MAX 80 /* bytes of a wrong value that an error repeats */

struct json_object;

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

/* Where we are in the document: a chain on the stack that becomes text only in an error. */
struct json_place {
	const struct json_place *up;
	const char *name; /* of a member; NULL: an element */
	size_t index;
};

struct json_parser {
	const char *what;
	struct err *err;
};

/* json_parse.c: fails with "<what>: <path>: <text>". */
int json_fail_at(struct json_parser *ps, const struct json_place *at, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* v is an object. Parses its members, then checks it. */
int json_parse_object(struct json_parser *ps, const struct json_desc *desc, struct json_object *v,
		      void *to, const struct json_place *at);

/* json_kinds.c: v is not null. Fails unless it is an object. */
int json_expect_object(struct json_parser *ps, struct json_object *v, const struct json_place *at);
/* Parses v, which is not null, into the field at to. */
int json_parse_value(struct json_parser *ps, const struct json_field *f, struct json_object *v,
		     void *to, const struct json_place *at);
/* "a string": what the kind is in JSON. */
const char *json_kind_noun(enum json_kind kind);

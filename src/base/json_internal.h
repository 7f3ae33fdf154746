/* SPDX-License-Identifier: Apache-2.0 */
/* Inside base/json*.c only: what parsing, writing and freeing share about the kinds. */
#pragma once

#include "base/json.h"

#define JSON_SHOWN_MAX 80 /* bytes of a wrong value that an error repeats */

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

/* json_lex.c: tokens of RFC 8259, without what these formats can't hold (integers over 64 bits,
 * NUL). */
struct json_lexer {
	const char *p, *end;
	const char *token; /* start of the last one */
	const char *why;   /* p is at a fault; NULL: there is none */
};
/* The next token's first byte, or 0 at the end or at a fault. Leaves p behind the token. */
char json_lex(struct json_lexer *l);

enum json_type {
	JSON_TYPE_NULL,
	JSON_TYPE_BOOL,
	JSON_TYPE_INT,
	JSON_TYPE_FLOAT,
	JSON_TYPE_STRING,
	JSON_TYPE_ARRAY,
	JSON_TYPE_OBJECT,
	JSON_TYPES
};
/* A value; those inside an array or object follow it, so the next one beside it is at v + v->size.
 */
struct json_value {
	enum json_type type;
	const char *key;  /* of a member, decoded; NULL: an element, or the top */
	const char *text; /* a string: decoded, terminated; else as written, not terminated */
	uint32_t len;     /* of text */
	uint32_t n;       /* members or elements */
	uint32_t size;    /* in values, itself included */
	uint32_t key_at;  /* where the key's token is in the document */
};
struct json_tree {
	struct json_value *values; /* the first is the document */
	size_t n, cap;
	char *strings; /* what key and text of strings point to */
	size_t strings_len;
};
enum json_problem {
	JSON_NO_PROBLEM,
	JSON_SYNTAX,    /* at, why */
	JSON_DUPLICATE, /* the key whose token is at */
	JSON_TOO_DEEP,
	JSON_TOO_MANY
};
struct json_fault {
	enum json_problem problem;
	size_t at;
	const char *why;
};
/* json_tree.c: parses the text, which must stay while the tree is used. false: *fault says why;
 * also then json_tree_done(). */
bool json_tree_parse(struct json_tree *t, const char *text, size_t len, struct json_fault *fault);
void json_tree_done(struct json_tree *t);
/* The member of an object, NULL when it is absent or null. */
const struct json_value *json_tree_member(const struct json_value *object, const char *name);
/* Appends the value as JSON text without spaces. */
void json_tree_write(const struct json_value *v, struct buf *out);
#define json_tree_foreach(item, v)                                                                 \
	for (const struct json_value *item = (v) + 1; item < (v) + (v)->size; item += item->size)

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
int json_parse_object(struct json_parser *ps, const struct json_desc *desc,
		      const struct json_value *v, void *to, const struct json_place *at);

/* Its one field is all of it: json.h. */
static inline bool json_is_whole(const struct json_desc *desc)
{
	return desc->n_fields == 1 && !desc->fields[0].name;
}

/* json_kinds.c: v is not null. Fails unless it is an object. */
int json_expect_object(struct json_parser *ps, const struct json_value *v,
		       const struct json_place *at);
/* Parses v, which is not null, into the field at to. */
int json_parse_value(struct json_parser *ps, const struct json_field *f, const struct json_value *v,
		     void *to, const struct json_place *at);
/* "a string": what the kind is in JSON. */
const char *json_kind_noun(enum json_kind kind);

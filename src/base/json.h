/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON <-> struct through one table of field descriptors per struct: the table parses, checks,
 * writes, and frees. Strict (RFC 8259: no comments, no trailing commas, no NaN, no duplicate
 * keys, no integers over 64 bits, valid UTF-8 without NUL), with limits on bytes, values and depth.
 * Errors name the place: "linux.resources.memory.limit: expected an integer, got a string". Unknown
 * members are ignored, unless the desc is closed. null counts as absent; an element of an array
 * can't be null.
 *
 * Memory: strings, arrays and sub-objects that parsing made belong to the struct; json_free() frees
 * all of them and zeroes the struct. A struct filled by hand must use heap memory the same way.
 *
 * Shapes in the struct, by kind (field at .offset):
 *   JSON_STR      char *                       NULL: absent
 *   JSON_BOOL     bool                         absent: false
 *   JSON_OPT_BOOL struct opt_bool
 *   JSON_I64      int64_t                      absent: 0
 *   JSON_U64      uint64_t
 *   JSON_U32      uint32_t
 *   JSON_I32      int32_t
 *   JSON_OPT_I64 / _U64 / _U32 / _I32          struct opt_i64 ...
 *   JSON_ENUM     int                          names[] lists the words, value = index; absent: -1
 *   JSON_STRV     char **                      array of strings, NULL: absent
 *   JSON_MAP      struct json_map              object of strings, order kept
 *   JSON_OBJ      T *  (heap)                  desc; NULL: absent
 *   JSON_STRUCT   T    (in place)              desc; absent: like {}, its check does not run
 *   JSON_ARRAY    JSON_LIST(T)                 desc; items NULL and n 0: absent or empty
 *   JSON_OBJ_MAP  like JSON_ARRAY, for an object of objects by name: the first member of T is
 *                 char *key, filled with the name (its desc does not list it)
 *   JSON_U32S     struct json_u32s             array of integers
 *   JSON_RAW      char *                       any value, kept as its JSON text
 *   JSON_RAW_MAP  struct json_map              object, its values kept as their JSON text; null
 *                                              too, so that what is not known can be written again
 *
 * A document that is an array at its top, or an object of anything there or in an array: a desc
 * with one single field, of kind JSON_ARRAY or JSON_RAW_MAP and with name NULL.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct opt_bool {
	bool set, value;
};
struct opt_i64 {
	bool set;
	int64_t value;
};
struct opt_u64 {
	bool set;
	uint64_t value;
};
struct opt_u32 {
	bool set;
	uint32_t value;
};
struct opt_i32 {
	bool set;
	int32_t value;
};

struct json_pair {
	char *key, *value;
};
struct json_map {
	struct json_pair *items;
	size_t n;
};
struct json_u32s {
	uint32_t *items;
	size_t n;
};
#define JSON_LIST(T)                                                                               \
	struct {                                                                                   \
		T *items;                                                                          \
		size_t n;                                                                          \
	}

enum json_kind {
	JSON_STR,
	JSON_BOOL,
	JSON_OPT_BOOL,
	JSON_I64,
	JSON_U64,
	JSON_U32,
	JSON_I32,
	JSON_OPT_I64,
	JSON_OPT_U64,
	JSON_OPT_U32,
	JSON_OPT_I32,
	JSON_ENUM,
	JSON_STRV,
	JSON_MAP,
	JSON_OBJ,
	JSON_STRUCT,
	JSON_ARRAY,
	JSON_OBJ_MAP,
	JSON_U32S,
	JSON_RAW,
	JSON_RAW_MAP,
	JSON_KINDS
};

enum {
	JSON_REQUIRED = 1 << 0,  /* absent is an error */
	JSON_KEEP = 1 << 1,      /* written even when empty, zero or false (default: left out) */
	JSON_NOT_EMPTY = 1 << 2, /* "" or [] is an error when present */
	JSON_NIL_LIST = 1 << 3   /* of JSON_RAW: to a template null is Go's list that is nil */
};

struct json_desc;

struct json_field {
	const char *name;
	enum json_kind kind;
	size_t offset;
	const struct json_desc *desc; /* JSON_OBJ, _STRUCT, _ARRAY, _OBJ_MAP */
	const char *const *names;     /* JSON_ENUM, NULL-terminated */
	unsigned int flags;
};

struct json_desc {
	size_t size;
	const struct json_field *fields;
	size_t n_fields;
	/* Checks what single fields cannot; runs after the fields. May be NULL. Its errors are made
	 * with json_fail(), so that the parser can put the object's path before them. */
	int (*check)(const void *object, struct err *err);
	bool closed; /* a member that the table does not have is an error */
};

#define JSON_FIELD(T, member, key, k, ...)                                                         \
	{                                                                                          \
		.name = (key), .kind = (k), .offset = offsetof(T, member), ##__VA_ARGS__           \
	}
#define JSON_DESC(T, table, ...)                                                                   \
	{                                                                                          \
		.size = sizeof(T), .fields = (table), .n_fields = ARRAY_SIZE(table), ##__VA_ARGS__ \
	}

#define JSON_DEPTH_MAX 32
#define JSON_BYTES_MAX (16 * 1024 * 1024)
/* Each takes some 50 bytes, or as much as a struct, and only two in the text. */
#define JSON_VALUES_MAX (512 * 1024)

/* Parses text (len bytes, need not be terminated) into *object, which the caller zeroed. what names
 * the document in errors ("config.json"). On failure the object is freed and zeroed. 0 or -errno.
 */
int json_parse(const struct json_desc *desc, void *object, const char *text, size_t len,
	       const char *what, struct err *err);
enum { JSON_PRETTY = 1, JSON_NEWLINE = 2 };
void json_write(const struct json_desc *desc, const void *object, unsigned int flags,
		struct buf *out);
void json_free(const struct json_desc *desc, void *object);
/* Appends a document that json_parse() has taken, as JSON_PRETTY and JSON_NEWLINE would write it,
 * members that no table knows among them. */
void json_indent(const char *text, size_t len, struct buf *out);

/* For check functions: member is relative to the checked object: "soft", "args[0]", or "" for the
 * object itself. Sets kind ERR_INVALID and the message ".soft: expected ..." or ": expected ...",
 * to which the parser adds the path in front ("config.json: process.rlimits[1]"); at the top of the
 * document it removes the leading "." or ": ". Returns -EINVAL. */
int json_fail(struct err *err, const char *member, const char *fmt, ...) PRINTF_LIKE(3, 4);

const char *json_map_get(const struct json_map *map, const char *key);       /* value or NULL */
void json_map_set(struct json_map *map, const char *key, const char *value); /* copies */
bool json_map_remove(struct json_map *map, const char *key); /* false: it was not there */
void json_map_done(struct json_map *map);
/* Appends s as a JSON string with quotes. Invalid UTF-8 becomes U+FFFD. */
void json_write_string(struct buf *out, const char *s);

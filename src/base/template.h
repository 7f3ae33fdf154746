/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's text/template over JSON values, for --format: actions, pipelines, variables, if, range,
 * with, define, template, block, break, continue, comments, trim markers, and the functions of Go
 * and docker. Results are Go's, but for what needs Go's types: complex numbers, methods, addresses.
 *
 * A table (base/json.h) tells what the values are: the members that it lists are fields, as of a Go
 * struct. An absent one has the value zero of its kind, one that the table does not have is an
 * error that names similar ones. Members of JSON_MAP, JSON_OBJ_MAP and JSON_RAW, and all without a
 * table, are those of a map: an absent one is "<no value>".
 *
 * Templates come from users, data from images: both have limits (TEMPLATE_*_MAX). Pure.
 */
#pragma once

#include "base/buf.h"
#include "base/json.h"

#define TEMPLATE_BYTES_MAX  (64 * 1024)        /* of the text */
#define TEMPLATE_DEPTH_MAX  64                 /* of nested actions, pipelines and templates */
#define TEMPLATE_OUTPUT_MAX (16 * 1024 * 1024) /* bytes */
#define TEMPLATE_MEMORY_MAX (64 * 1024 * 1024) /* bytes, for values */
#define TEMPLATE_STEPS_MAX  (4 * 1000 * 1000)  /* nodes that are evaluated */

struct template;

/* "\t" and "\n" outside of actions mean a tab and a newline: a shell hands them on as written. */
enum { TEMPLATE_ESCAPES = 1 << 0 };

/* ERR_USAGE: the message has line and column. */
int template_parse(const char *text, unsigned int flags, struct template **ret, struct err *err);
void template_free(struct template *t); /* NULL is fine */

struct template_data {
	const char *json;
	size_t len;
	const struct json_desc *desc; /* of the document; NULL: there is none */
	bool fields; /* without desc: the members of the top's object, or of the objects in the
			top's array, are fields: there are no others */
	bool mask;   /* control characters in the data become "?": for terminals */
};
/* Appends to out, also when it fails on the way. */
int template_execute(const struct template *t, const struct template_data *data, struct buf *out,
		     struct err *err);

static inline void template_cleanup_(struct template **t)
{
	template_free(*t);
}
#define cleanup_template CLEANUP(template_cleanup_)

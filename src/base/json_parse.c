/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <stdarg.h>

#include "base/json_internal.h"
#include "base/str.h"

static void add_place(struct buf *out, const struct json_place *at)
{
	if (!at)
		return;
	add_place(out, at->up);
	if (at->name)
		buf_addf(out, "%s%s", out->len ? "." : "", at->name);
	else
		buf_addf(out, "[%zu]", at->index);
}

int json_fail_at(struct json_parser *ps, const struct json_place *at, const char *fmt, ...)
{
	cleanup_buf struct buf path = BUF_INIT;
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	add_place(&path, at);
	if (path.len == 0)
		return err_fail(ps->err, ERR_INVALID, "%s: %s", ps->what, text);
	return err_fail(ps->err, ERR_INVALID, "%s: %s: %s", ps->what, buf_str(&path), text);
}

/* A check's message is ".member: text" or ": text"; the path of the object goes in front. */
static int run_check(struct json_parser *ps, const struct json_desc *desc, const void *object,
		     const struct json_place *at)
{
	cleanup_buf struct buf path = BUF_INIT;
	cleanup_free char *msg = NULL;
	struct err *err = ps->err;
	enum err_kind kind;
	int r = desc->check ? desc->check(object, err) : 0;
	const char *rest;

	if (r >= 0)
		return 0;
	kind = err->kind;
	msg = xstrdup(err->msg);
	rest = msg;
	add_place(&path, at);
	if (path.len == 0)
		rest += *rest == '.' ? 1 : str_starts(rest, ": ") ? 2 : 0;
	err_fail(err, kind, "%s: %s%s", ps->what, buf_str(&path), rest);
	return r;
}

static int parse_field(struct json_parser *ps, const struct json_field *f,
		       const struct json_value *v, void *to, const struct json_place *at)
{
	if (v)
		return json_parse_value(ps, f, v, to, at);
	if (f->flags & JSON_REQUIRED)
		return json_fail_at(ps, at, "missing, expected %s", json_kind_noun(f->kind));
	return 0;
}

/* An absent enum is -1, also in structs in place that are absent themselves. */
static void init_enums(const struct json_desc *desc, void *to)
{
	for (size_t i = 0; i < desc->n_fields; i++) {
		const struct json_field *f = &desc->fields[i];

		if (f->kind == JSON_ENUM)
			*(int *)((char *)to + f->offset) = -1;
		else if (f->kind == JSON_STRUCT)
			init_enums(f->desc, (char *)to + f->offset);
	}
}

static int check_members(struct json_parser *ps, const struct json_desc *desc,
			 const struct json_value *v, const struct json_place *at)
{
	json_tree_foreach(item, v)
	{
		cleanup_free char *shown = NULL;
		size_t i = 0;

		while (i < desc->n_fields && !str_eq(desc->fields[i].name, item->key))
			i++;
		if (i < desc->n_fields)
			continue;
		shown = str_escape(item->key);
		return json_fail_at(ps, at, "unknown member \"%.*s\"", JSON_SHOWN_MAX, shown);
	}
	return 0;
}

int json_parse_object(struct json_parser *ps, const struct json_desc *desc,
		      const struct json_value *v, void *to, const struct json_place *at)
{
	int r;

	if (json_is_whole(desc)) {
		r = parse_field(ps, desc->fields, v, (char *)to + desc->fields->offset, at);
		return r < 0 ? r : run_check(ps, desc, to, at);
	}
	init_enums(desc, to);
	r = desc->closed ? check_members(ps, desc, v, at) : 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < desc->n_fields; i++) {
		const struct json_field *f = &desc->fields[i];
		const struct json_place here = { .up = at, .name = f->name };

		r = parse_field(ps, f, json_tree_member(v, f->name), (char *)to + f->offset, &here);
		if (r < 0)
			return r;
	}
	return run_check(ps, desc, to, at);
}

static int parse_top(struct json_parser *ps, const struct json_desc *desc,
		     const struct json_value *v, void *to)
{
	bool whole = json_is_whole(desc);
	int r = whole ? 0 : json_expect_object(ps, v, NULL);

	if (r < 0)
		return r;
	return json_parse_object(ps, desc, whole && v->type == JSON_TYPE_NULL ? NULL : v, to, NULL);
}

static int fail_syntax(struct json_parser *ps, const char *text, size_t at, const char *why)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < at; i++) {
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
	}
	return err_fail(ps->err, ERR_INVALID, "%s: line %zu, column %zu: %s", ps->what, line,
			column, why);
}

/* The name's token as it stands there, without its quotes. */
static int fail_duplicate(struct json_parser *ps, const char *text, size_t len, size_t at)
{
	struct json_lexer l = { .p = text + at, .end = text + len };

	json_lex(&l);
	size_t n = (size_t)(l.p - l.token) - 2;
	return err_fail(ps->err, ERR_INVALID, "%s: member \"%.*s\" twice in one object", ps->what,
			n < JSON_SHOWN_MAX ? (int)n : JSON_SHOWN_MAX, l.token + 1);
}

static int fail_tree(struct json_parser *ps, const char *text, size_t len,
		     const struct json_fault *fault)
{
	switch (fault->problem) {
	case JSON_DUPLICATE:
		return fail_duplicate(ps, text, len, fault->at);
	case JSON_TOO_DEEP:
		return err_fail(ps->err, ERR_LIMIT, "%s: nested more than %d levels deep", ps->what,
				JSON_DEPTH_MAX);
	case JSON_TOO_MANY:
		return err_fail(ps->err, ERR_LIMIT, "%s: more than %d values", ps->what,
				JSON_VALUES_MAX);
	default:
		return fail_syntax(ps, text, fault->at, fault->why);
	}
}

int json_parse(const struct json_desc *desc, void *object, const char *text, size_t len,
	       const char *what, struct err *err)
{
	CLEANUP(json_tree_done) struct json_tree tree = { .n = 0 };
	struct err ignored;
	struct json_parser ps = { .what = what, .err = err ? err : &ignored };
	struct json_fault fault;
	int r;

	if (len > JSON_BYTES_MAX)
		return err_fail(err, ERR_LIMIT, "%s: larger than %d bytes", what, JSON_BYTES_MAX);
	if (!json_tree_parse(&tree, text, len, &fault))
		return fail_tree(&ps, text, len, &fault);
	r = parse_top(&ps, desc, tree.values, object);
	if (r < 0)
		json_free(desc, object);
	return r;
}

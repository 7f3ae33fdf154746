/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <json-c/json.h>
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

static int parse_field(struct json_parser *ps, const struct json_field *f, json_object *v, void *to,
		       const struct json_place *at)
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

int json_parse_object(struct json_parser *ps, const struct json_desc *desc, json_object *v,
		      void *to, const struct json_place *at)
{
	int r;

	init_enums(desc, to);
	for (size_t i = 0; i < desc->n_fields; i++) {
		const struct json_field *f = &desc->fields[i];
		const struct json_place here = { .up = at, .name = f->name };
		json_object *member = NULL;

		json_object_object_get_ex(v, f->name, &member);
		r = parse_field(ps, f, member, (char *)to + f->offset, &here);
		if (r < 0)
			return r;
	}
	return run_check(ps, desc, to, at);
}

static int parse_top(struct json_parser *ps, const struct json_desc *desc, json_object *v, void *to)
{
	const struct json_field *f = desc->fields;
	int r;

	if (desc->n_fields == 1 && !f->name) {
		r = parse_field(ps, f, v, (char *)to + f->offset, NULL);
		return r < 0 ? r : run_check(ps, desc, to, NULL);
	}
	r = json_expect_object(ps, v, NULL);
	return r < 0 ? r : json_parse_object(ps, desc, v, to, NULL);
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

static ssize_t count_members(json_object *v)
{
	ssize_t n = 0;

	if (json_object_get_type(v) == json_type_object) {
		n = json_object_object_length(v);
		json_object_object_foreach(v, name, member)
		{
			(void)name;
			n += count_members(member);
		}
	} else if (json_object_get_type(v) == json_type_array) {
		for (size_t i = 0; i < json_object_array_length(v); i++)
			n += count_members(json_object_array_get_idx(v, i));
	}
	return n;
}

/* json-c keeps the last of several members of one name: then it has fewer than the text. */
static int check_duplicates(struct json_parser *ps, json_object *v, ssize_t members,
			    const char *text, size_t len)
{
	cleanup_free char *name = NULL;

	if (count_members(v) == members)
		return 0;
	name = json_find_duplicate(text, len);
	return err_fail(ps->err, ERR_INVALID, "%s: member \"%.*s\" twice in one object", ps->what,
			JSON_SHOWN_MAX, name ? name : "");
}

static int read_tree(struct json_parser *ps, json_tokener *tok, const char *text, size_t len,
		     json_object **ret)
{
	enum json_tokener_error e;

	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	*ret = json_tokener_parse_ex(tok, text, (int)len);
	e = json_tokener_get_error(tok);
	if (e == json_tokener_success)
		return 0;
	if (e == json_tokener_error_depth)
		return err_fail(ps->err, ERR_LIMIT, "%s: nested more than %d levels deep", ps->what,
				JSON_DEPTH_MAX);
	if (e == json_tokener_continue)
		return fail_syntax(ps, text, len, "unexpected end");
	return fail_syntax(ps, text, json_tokener_get_parse_end(tok), json_tokener_error_desc(e));
}

int json_parse(const struct json_desc *desc, void *object, const char *text, size_t len,
	       const char *what, struct err *err)
{
	struct err ignored;
	struct json_parser ps = { .what = what, .err = err ? err : &ignored };
	struct json_fault fault;
	json_object *v = NULL;
	json_tokener *tok;
	ssize_t members;
	int r;

	if (len > JSON_BYTES_MAX)
		return err_fail(err, ERR_LIMIT, "%s: larger than %d bytes", what, JSON_BYTES_MAX);
	members = json_check_tokens(text, len, &fault);
	if (members < 0)
		return fail_syntax(&ps, text, fault.at, fault.why);
	tok = json_tokener_new_ex(JSON_DEPTH_MAX);
	if (!tok)
		return err_errno(err, ENOMEM, "parsing %s", what);
	r = read_tree(&ps, tok, text, len, &v);
	if (r == 0)
		r = check_duplicates(&ps, v, members, text, len);
	if (r == 0)
		r = parse_top(&ps, desc, v, object);
	json_object_put(v);
	json_tokener_free(tok);
	if (r < 0)
		json_free(desc, object);
	return r;
}

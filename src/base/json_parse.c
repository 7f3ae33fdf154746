/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>

#include "base/json_internal.h"
#include "base/str.h"

#define SHOWN_MAX 80 /* bytes of a wrong value that an error repeats */

/* Where we are in the document: a chain on the stack that becomes text only in an error. */
struct place {
	const struct place *up;
	const char *name; /* of a member; NULL: an element */
	size_t index;
};

struct parser {
	const char *what;
	struct err *err;
};

static int parse_object(struct parser *ps, const struct json_desc *desc, json_object *v, void *to,
			const struct place *at);

static void add_place(struct buf *out, const struct place *at)
{
	if (!at)
		return;
	add_place(out, at->up);
	if (at->name)
		buf_addf(out, "%s%s", out->len ? "." : "", at->name);
	else
		buf_addf(out, "[%zu]", at->index);
}

static PRINTF_LIKE(3, 4) int fail_at(struct parser *ps, const struct place *at, const char *fmt,
				     ...)
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

static const char *type_name(json_object *v)
{
	static const char *const names[] = {
		[json_type_null] = "null",
		[json_type_boolean] = "a boolean",
		[json_type_double] = "a number that is no integer",
		[json_type_int] = "an integer",
		[json_type_object] = "an object",
		[json_type_array] = "an array",
		[json_type_string] = "a string",
	};

	return names[json_object_get_type(v)];
}

static int expect(struct parser *ps, const struct place *at, json_object *v, json_type type,
		  const char *expected)
{
	if (json_object_get_type(v) == type)
		return 0;
	return fail_at(ps, at, "expected %s, got %s", expected, type_name(v));
}

static char *dup_string(json_object *v)
{
	return xstrndup(json_object_get_string(v), (size_t)json_object_get_string_len(v));
}

static int parse_str(struct parser *ps, const struct json_field *f, json_object *v, void *to,
		     const struct place *at)
{
	int r = expect(ps, at, v, json_type_string, "a string");

	if (r < 0)
		return r;
	if ((f->flags & JSON_NOT_EMPTY) && json_object_get_string_len(v) == 0)
		return fail_at(ps, at, "expected a string that is not empty");
	*(char **)to = dup_string(v);
	return 0;
}

static int parse_bool(struct parser *ps, const struct json_field *f, json_object *v, void *to,
		      const struct place *at)
{
	int r = expect(ps, at, v, json_type_boolean, "a boolean");

	if (r < 0)
		return r;
	if (f->kind == JSON_OPT_BOOL)
		*(struct opt_bool *)to = (struct opt_bool){ true, json_object_get_boolean(v) };
	else
		*(bool *)to = json_object_get_boolean(v);
	return 0;
}

/* Reads an integer in the range of its kind. As text said, the value's bits are in *ret. */
static int get_int(struct parser *ps, const struct json_int *k, json_object *v, uint64_t *ret,
		   const struct place *at)
{
	int r = expect(ps, at, v, json_type_int, "an integer");
	int64_t i;
	bool ok;

	if (r < 0)
		return r;
	/* json-c keeps what is over INT64_MAX as unsigned and clamps in the other getter */
	i = json_object_get_int64(v);
	*ret = i < 0 ? (uint64_t)i : json_object_get_uint64(v);
	ok = i < 0 ? i >= k->min : *ret <= k->max;
	if (!ok)
		return fail_at(ps, at,
			       "expected an integer from %" PRId64 " to %" PRIu64 ", got %s",
			       k->min, k->max, json_object_get_string(v));
	return 0;
}

static int parse_int(struct parser *ps, const struct json_field *f, json_object *v, void *to,
		     const struct place *at)
{
	const struct json_int *k = &json_ints[f->kind];
	uint64_t value;
	int r = get_int(ps, k, v, &value, at);

	if (r < 0)
		return r;
	if (k->is_opt)
		*(bool *)to = true;
	if (k->size == sizeof(uint64_t))
		*(uint64_t *)((char *)to + k->value_at) = value;
	else
		*(uint32_t *)((char *)to + k->value_at) = (uint32_t)value;
	return 0;
}

static int parse_enum(struct parser *ps, const struct json_field *f, json_object *v, void *to,
		      const struct place *at)
{
	cleanup_buf struct buf words = BUF_INIT;
	cleanup_free char *shown = NULL;
	int r = expect(ps, at, v, json_type_string, "a string");

	if (r < 0)
		return r;
	for (int i = 0; f->names[i]; i++) {
		if (strcmp(f->names[i], json_object_get_string(v)) == 0) {
			*(int *)to = i;
			return 0;
		}
		buf_addf(&words, "%s\"%s\"", i ? ", " : "", f->names[i]);
	}
	shown = str_escape(json_object_get_string(v));
	return fail_at(ps, at, "expected one of %s, got \"%.*s\"", buf_str(&words), SHOWN_MAX,
		       shown);
}

static int expect_array(struct parser *ps, const struct json_field *f, json_object *v,
			const struct place *at, size_t *ret_n)
{
	int r = expect(ps, at, v, json_type_array, "an array");

	if (r < 0)
		return r;
	*ret_n = json_object_array_length(v);
	if ((f->flags & JSON_NOT_EMPTY) && *ret_n == 0)
		return fail_at(ps, at, "expected an array that is not empty");
	return 0;
}

static int parse_strv(struct parser *ps, const struct json_field *f, json_object *v, void *to,
		      const struct place *at)
{
	char **list;
	size_t n;
	int r = expect_array(ps, f, v, at, &n);

	if (r < 0)
		return r;
	*(char ***)to = list = xcalloc(n + 1, sizeof(char *));
	for (size_t i = 0; i < n; i++) {
		const struct place here = { .up = at, .index = i };
		json_object *item = json_object_array_get_idx(v, i);

		r = expect(ps, &here, item, json_type_string, "a string");
		if (r < 0)
			return r;
		list[i] = dup_string(item);
	}
	return 0;
}

static int parse_u32s(struct parser *ps, const struct json_field *f, json_object *v, void *to,
		      const struct place *at)
{
	struct json_u32s *list = to;
	size_t n;
	int r = expect_array(ps, f, v, at, &n);

	if (r < 0 || n == 0)
		return r;
	list->items = xcalloc(n, sizeof(*list->items));
	for (; list->n < n; list->n++) {
		const struct place here = { .up = at, .index = list->n };
		uint64_t value;

		r = get_int(ps, &json_ints[JSON_U32], json_object_array_get_idx(v, list->n), &value,
			    &here);
		if (r < 0)
			return r;
		list->items[list->n] = (uint32_t)value;
	}
	return 0;
}

static int expect_object(struct parser *ps, const struct json_field *f, json_object *v,
			 const struct place *at)
{
	int r = expect(ps, at, v, json_type_object, "an object");

	if (r == 0 && (f->flags & JSON_NOT_EMPTY) && json_object_object_length(v) == 0)
		return fail_at(ps, at, "expected an object that is not empty");
	return r;
}

static int parse_map(struct parser *ps, const struct json_field *f, json_object *v, void *to,
		     const struct place *at)
{
	struct json_map *map = to;
	int r = expect_object(ps, f, v, at);

	if (r < 0 || json_object_object_length(v) == 0)
		return r;
	map->items = xcalloc((size_t)json_object_object_length(v), sizeof(*map->items));
	json_object_object_foreach(v, name, value)
	{
		const struct place here = { .up = at, .name = name };

		if (!value)
			continue;
		r = expect(ps, &here, value, json_type_string, "a string");
		if (r < 0)
			return r;
		map->items[map->n].key = xstrdup(name);
		map->items[map->n++].value = dup_string(value);
	}
	return 0;
}

static int parse_obj(struct parser *ps, const struct json_field *f, json_object *v, void *to,
		     const struct place *at)
{
	int r = expect_object(ps, f, v, at);

	if (r < 0)
		return r;
	if (f->kind == JSON_STRUCT)
		return parse_object(ps, f->desc, v, to, at);
	*(void **)to = xcalloc(1, f->desc->size);
	return parse_object(ps, f->desc, v, *(void **)to, at);
}

static int parse_array(struct parser *ps, const struct json_field *f, json_object *v, void *to,
		       const struct place *at)
{
	struct json_items *list = to;
	size_t n;
	int r = expect_array(ps, f, v, at, &n);

	if (r < 0 || n == 0)
		return r;
	list->items = xcalloc(n, f->desc->size);
	while (list->n < n) {
		const struct place here = { .up = at, .index = list->n };
		json_object *item = json_object_array_get_idx(v, list->n);
		char *to_item = list->items + list->n * f->desc->size;

		r = expect(ps, &here, item, json_type_object, "an object");
		if (r < 0)
			return r;
		list->n++; /* from here on json_free() looks at it */
		r = parse_object(ps, f->desc, item, to_item, &here);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_obj_map(struct parser *ps, const struct json_field *f, json_object *v, void *to,
			 const struct place *at)
{
	struct json_items *list = to;
	int r = expect_object(ps, f, v, at);

	if (r < 0 || json_object_object_length(v) == 0)
		return r;
	list->items = xcalloc((size_t)json_object_object_length(v), f->desc->size);
	json_object_object_foreach(v, name, value)
	{
		const struct place here = { .up = at, .name = name };
		char *item = list->items + list->n * f->desc->size;

		if (!value)
			continue;
		r = expect(ps, &here, value, json_type_object, "an object");
		if (r < 0)
			return r;
		*(char **)item = xstrdup(name);
		list->n++;
		r = parse_object(ps, f->desc, value, item, &here);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_raw(struct parser *ps, const struct json_field *f, json_object *v, void *to,
		     const struct place *at)
{
	*(char **)to = xstrdup(json_object_to_json_string_ext(
	    v, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	return 0;
}

static const struct {
	int (*parse)(struct parser *ps, const struct json_field *f, json_object *v, void *to,
		     const struct place *at);
	const char *noun;
} kinds[JSON_KINDS] = {
	[JSON_STR] = { parse_str, "a string" },
	[JSON_BOOL] = { parse_bool, "a boolean" },
	[JSON_OPT_BOOL] = { parse_bool, "a boolean" },
	[JSON_I64] = { parse_int, "an integer" },
	[JSON_U64] = { parse_int, "an integer" },
	[JSON_U32] = { parse_int, "an integer" },
	[JSON_I32] = { parse_int, "an integer" },
	[JSON_OPT_I64] = { parse_int, "an integer" },
	[JSON_OPT_U64] = { parse_int, "an integer" },
	[JSON_OPT_U32] = { parse_int, "an integer" },
	[JSON_OPT_I32] = { parse_int, "an integer" },
	[JSON_ENUM] = { parse_enum, "a string" },
	[JSON_STRV] = { parse_strv, "an array" },
	[JSON_MAP] = { parse_map, "an object" },
	[JSON_OBJ] = { parse_obj, "an object" },
	[JSON_STRUCT] = { parse_obj, "an object" },
	[JSON_ARRAY] = { parse_array, "an array" },
	[JSON_OBJ_MAP] = { parse_obj_map, "an object" },
	[JSON_U32S] = { parse_u32s, "an array" },
	[JSON_RAW] = { parse_raw, "a value" },
};

/* A check's message is ".member: text" or ": text"; the path of the object goes in front. */
static int run_check(struct parser *ps, const struct json_desc *desc, const void *object,
		     const struct place *at)
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

static int parse_field(struct parser *ps, const struct json_field *f, json_object *v, void *to,
		       const struct place *at)
{
	if (v)
		return kinds[f->kind].parse(ps, f, v, to, at);
	if (f->flags & JSON_REQUIRED)
		return fail_at(ps, at, "missing, expected %s", kinds[f->kind].noun);
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

static int parse_object(struct parser *ps, const struct json_desc *desc, json_object *v, void *to,
			const struct place *at)
{
	int r;

	init_enums(desc, to);
	for (size_t i = 0; i < desc->n_fields; i++) {
		const struct json_field *f = &desc->fields[i];
		const struct place here = { .up = at, .name = f->name };
		json_object *member = NULL;

		json_object_object_get_ex(v, f->name, &member);
		r = parse_field(ps, f, member, (char *)to + f->offset, &here);
		if (r < 0)
			return r;
	}
	return run_check(ps, desc, to, at);
}

static int parse_top(struct parser *ps, const struct json_desc *desc, json_object *v, void *to)
{
	const struct json_field *f = desc->fields;
	int r;

	if (desc->n_fields == 1 && !f->name) {
		r = parse_field(ps, f, v, (char *)to + f->offset, NULL);
		return r < 0 ? r : run_check(ps, desc, to, NULL);
	}
	r = expect(ps, NULL, v, json_type_object, "an object");
	return r < 0 ? r : parse_object(ps, desc, v, to, NULL);
}

static int fail_syntax(struct parser *ps, const char *text, size_t at, const char *why)
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
static int check_duplicates(struct parser *ps, json_object *v, ssize_t members, const char *text,
			    size_t len)
{
	cleanup_free char *name = NULL;

	if (count_members(v) == members)
		return 0;
	name = json_find_duplicate(text, len);
	return err_fail(ps->err, ERR_INVALID, "%s: member \"%.*s\" twice in one object", ps->what,
			SHOWN_MAX, name ? name : "");
}

static int read_tree(struct parser *ps, json_tokener *tok, const char *text, size_t len,
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
	struct parser ps = { .what = what, .err = err ? err : &ignored };
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

/* SPDX-License-Identifier: Apache-2.0 */
/* Values of the tree into the field kinds of base/json.h. */
#include "base/json.h"

#include <inttypes.h>

#include "base/json_internal.h"
#include "base/str.h"

static const char *type_name(const struct json_value *v)
{
	static const char *const names[] = {
		[JSON_TYPE_NULL] = "null",
		[JSON_TYPE_BOOL] = "a boolean",
		[JSON_TYPE_FLOAT] = "a number that is no integer",
		[JSON_TYPE_INT] = "an integer",
		[JSON_TYPE_OBJECT] = "an object",
		[JSON_TYPE_ARRAY] = "an array",
		[JSON_TYPE_STRING] = "a string",
	};

	return names[v->type];
}

static int expect(struct json_parser *ps, const struct json_place *at, const struct json_value *v,
		  enum json_type type, const char *expected)
{
	if (v->type == type)
		return 0;
	return json_fail_at(ps, at, "expected %s, got %s", expected, type_name(v));
}

static char *dup_string(const struct json_value *v)
{
	return xstrndup(v->text, v->len);
}

static int parse_str(struct json_parser *ps, const struct json_field *f, const struct json_value *v,
		     void *to, const struct json_place *at)
{
	int r = expect(ps, at, v, JSON_TYPE_STRING, "a string");

	if (r < 0)
		return r;
	if ((f->flags & JSON_NOT_EMPTY) && v->len == 0)
		return json_fail_at(ps, at, "expected a string that is not empty");
	*(char **)to = dup_string(v);
	return 0;
}

static int parse_bool(struct json_parser *ps, const struct json_field *f,
		      const struct json_value *v, void *to, const struct json_place *at)
{
	int r = expect(ps, at, v, JSON_TYPE_BOOL, "a boolean");

	if (r < 0)
		return r;
	if (f->kind == JSON_OPT_BOOL)
		*(struct opt_bool *)to = (struct opt_bool){ true, *v->text == 't' };
	else
		*(bool *)to = *v->text == 't';
	return 0;
}

/* Reads an integer in the range of its kind. As text said, the value's bits are in *ret. */
static int get_int(struct json_parser *ps, const struct json_int *k, const struct json_value *v,
		   uint64_t *ret, const struct json_place *at)
{
	int r = expect(ps, at, v, JSON_TYPE_INT, "an integer");
	char text[24]; /* the lexer lets in what has 64 bits */
	int64_t i = 0;
	bool ok;

	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "%.*s", (int)v->len, v->text);
	if (*text == '-') {
		/* str_parse_i64() takes no "-0", and *ret 0 is right for it */
		ok = str_eq(text, "-0") || str_parse_i64(text, &i) == 0;
		*ret = (uint64_t)i;
		ok = ok && i >= k->min;
	} else {
		ok = str_parse_u64(text, ret) == 0 && *ret <= k->max;
	}
	if (!ok)
		return json_fail_at(ps, at,
				    "expected an integer from %" PRId64 " to %" PRIu64 ", got %s",
				    k->min, k->max, text);
	return 0;
}

static int parse_int(struct json_parser *ps, const struct json_field *f, const struct json_value *v,
		     void *to, const struct json_place *at)
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

static int parse_enum(struct json_parser *ps, const struct json_field *f,
		      const struct json_value *v, void *to, const struct json_place *at)
{
	cleanup_buf struct buf words = BUF_INIT;
	cleanup_free char *shown = NULL;
	int r = expect(ps, at, v, JSON_TYPE_STRING, "a string");

	if (r < 0)
		return r;
	for (int i = 0; f->names[i]; i++) {
		if (strcmp(f->names[i], v->text) == 0) {
			*(int *)to = i;
			return 0;
		}
		buf_addf(&words, "%s\"%s\"", i ? ", " : "", f->names[i]);
	}
	shown = str_escape(v->text);
	return json_fail_at(ps, at, "expected one of %s, got \"%.*s\"", buf_str(&words),
			    JSON_SHOWN_MAX, shown);
}

static int expect_array(struct json_parser *ps, const struct json_field *f,
			const struct json_value *v, const struct json_place *at, size_t *ret_n)
{
	int r = expect(ps, at, v, JSON_TYPE_ARRAY, "an array");

	if (r < 0)
		return r;
	*ret_n = v->n;
	if ((f->flags & JSON_NOT_EMPTY) && *ret_n == 0)
		return json_fail_at(ps, at, "expected an array that is not empty");
	return 0;
}

static int parse_strv(struct json_parser *ps, const struct json_field *f,
		      const struct json_value *v, void *to, const struct json_place *at)
{
	char **list;
	size_t n;
	int r = expect_array(ps, f, v, at, &n);

	if (r < 0)
		return r;
	*(char ***)to = list = xcalloc(n + 1, sizeof(char *));
	n = 0;
	json_tree_foreach(item, v)
	{
		const struct json_place here = { .up = at, .index = n };

		r = expect(ps, &here, item, JSON_TYPE_STRING, "a string");
		if (r < 0)
			return r;
		list[n++] = dup_string(item);
	}
	return 0;
}

static int parse_u32s(struct json_parser *ps, const struct json_field *f,
		      const struct json_value *v, void *to, const struct json_place *at)
{
	struct json_u32s *list = to;
	size_t n;
	int r = expect_array(ps, f, v, at, &n);

	if (r < 0 || n == 0)
		return r;
	list->items = xcalloc(n, sizeof(*list->items));
	json_tree_foreach(item, v)
	{
		const struct json_place here = { .up = at, .index = list->n };
		uint64_t value;

		r = get_int(ps, &json_ints[JSON_U32], item, &value, &here);
		if (r < 0)
			return r;
		list->items[list->n++] = (uint32_t)value;
	}
	return 0;
}

static int expect_object(struct json_parser *ps, const struct json_field *f,
			 const struct json_value *v, const struct json_place *at)
{
	int r = expect(ps, at, v, JSON_TYPE_OBJECT, "an object");

	if (r == 0 && (f->flags & JSON_NOT_EMPTY) && v->n == 0)
		return json_fail_at(ps, at, "expected an object that is not empty");
	return r;
}

static int parse_map(struct json_parser *ps, const struct json_field *f, const struct json_value *v,
		     void *to, const struct json_place *at)
{
	struct json_map *map = to;
	int r = expect_object(ps, f, v, at);

	if (r < 0 || v->n == 0)
		return r;
	map->items = xcalloc(v->n, sizeof(*map->items));
	json_tree_foreach(value, v)
	{
		const struct json_place here = { .up = at, .name = value->key };

		if (value->type == JSON_TYPE_NULL)
			continue;
		r = expect(ps, &here, value, JSON_TYPE_STRING, "a string");
		if (r < 0)
			return r;
		map->items[map->n].key = xstrdup(value->key);
		map->items[map->n++].value = dup_string(value);
	}
	return 0;
}

static int parse_obj(struct json_parser *ps, const struct json_field *f, const struct json_value *v,
		     void *to, const struct json_place *at)
{
	int r = expect_object(ps, f, v, at);

	if (r < 0)
		return r;
	if (f->kind == JSON_STRUCT)
		return json_parse_object(ps, f->desc, v, to, at);
	*(void **)to = xcalloc(1, f->desc->size);
	return json_parse_object(ps, f->desc, v, *(void **)to, at);
}

static int parse_array(struct json_parser *ps, const struct json_field *f,
		       const struct json_value *v, void *to, const struct json_place *at)
{
	struct json_items *list = to;
	size_t n;
	int r = expect_array(ps, f, v, at, &n);

	if (r < 0 || n == 0)
		return r;
	list->items = xcalloc(n, f->desc->size);
	json_tree_foreach(item, v)
	{
		const struct json_place here = { .up = at, .index = list->n };
		char *to_item = list->items + list->n * f->desc->size;

		r = expect(ps, &here, item, JSON_TYPE_OBJECT, "an object");
		if (r < 0)
			return r;
		list->n++; /* from here on json_free() looks at it */
		r = json_parse_object(ps, f->desc, item, to_item, &here);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_obj_map(struct json_parser *ps, const struct json_field *f,
			 const struct json_value *v, void *to, const struct json_place *at)
{
	struct json_items *list = to;
	int r = expect_object(ps, f, v, at);

	if (r < 0 || v->n == 0)
		return r;
	list->items = xcalloc(v->n, f->desc->size);
	json_tree_foreach(value, v)
	{
		const struct json_place here = { .up = at, .name = value->key };
		char *item = list->items + list->n * f->desc->size;

		if (value->type == JSON_TYPE_NULL)
			continue;
		r = expect(ps, &here, value, JSON_TYPE_OBJECT, "an object");
		if (r < 0)
			return r;
		*(char **)item = xstrdup(value->key);
		list->n++;
		r = json_parse_object(ps, f->desc, value, item, &here);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_raw(struct json_parser *ps, const struct json_field *f, const struct json_value *v,
		     void *to, const struct json_place *at)
{
	cleanup_buf struct buf text = BUF_INIT;

	json_tree_write(v, &text);
	*(char **)to = buf_take(&text);
	return 0;
}

static int parse_raw_map(struct json_parser *ps, const struct json_field *f,
			 const struct json_value *v, void *to, const struct json_place *at)
{
	struct json_map *map = to;
	int r = expect_object(ps, f, v, at);

	if (r < 0 || v->n == 0)
		return r;
	map->items = xcalloc(v->n, sizeof(*map->items));
	json_tree_foreach(value, v)
	{
		cleanup_buf struct buf text = BUF_INIT;

		json_tree_write(value, &text);
		map->items[map->n].key = xstrdup(value->key);
		map->items[map->n++].value = buf_take(&text);
	}
	return 0;
}

static const struct {
	int (*parse)(struct json_parser *ps, const struct json_field *f, const struct json_value *v,
		     void *to, const struct json_place *at);
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
	[JSON_RAW_MAP] = { parse_raw_map, "an object" },
};

int json_expect_object(struct json_parser *ps, const struct json_value *v,
		       const struct json_place *at)
{
	return expect(ps, at, v, JSON_TYPE_OBJECT, "an object");
}

int json_parse_value(struct json_parser *ps, const struct json_field *f, const struct json_value *v,
		     void *to, const struct json_place *at)
{
	return kinds[f->kind].parse(ps, f, v, to, at);
}

const char *json_kind_noun(enum json_kind kind)
{
	return kinds[kind].noun;
}

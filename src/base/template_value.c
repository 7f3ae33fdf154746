/* SPDX-License-Identifier: Apache-2.0 */
/* What the data's values are to a template. */
#include "base/template_internal.h"

#include <ctype.h>
#include <inttypes.h>

#include "base/str.h"

#define NEAR_MAX 3 /* edits between a field and what was meant to be it */
/* A member without a table: its kind is in the JSON. */
#define ANY JSON_RAW

const char *const tval_kind_names[] = {
	[TV_NONE] = "no value", [TV_NULL] = "nil",      [TV_NIL] = "nil pointer",
	[TV_BOOL] = "bool",     [TV_INT] = "int",       [TV_UINT] = "uint",
	[TV_FLOAT] = "float64", [TV_STRING] = "string", [TV_LIST] = "list",
	[TV_MAP] = "map",       [TV_STRUCT] = "struct",
};

static struct tval of_number(const struct json_value *v)
{
	char text[512];
	struct tval f = { .kind = TV_FLOAT };
	int64_t i;
	uint64_t u;

	snprintf(text, sizeof(text), "%.*s", (int)v->len, v->text);
	if (v->type == JSON_TYPE_INT) {
		if (str_parse_i64(text, &i) == 0)
			return tval_int(i);
		if (str_parse_u64(text, &u) == 0)
			return (struct tval){ .kind = TV_UINT, .u = u };
	}
	f.f = strtod(text, NULL);
	return f;
}

static struct tval of_string(struct texec *x, const struct json_value *v)
{
	const char *s = v->text;

	for (uint32_t i = 0; x->mask && i < v->len; i++) {
		unsigned char c = (unsigned char)s[i];

		/* also the controls of ISO 6429 as UTF-8 writes them */
		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f || c == 0xc2)
			return tval_string(
			    str_mask_controls(tarena_copy(&x->arena, s, v->len), "\n\t"), v->len);
	}
	return tval_string(s, v->len);
}

/* The kind of a value that is not there. */
static struct tval zero(enum json_kind kind, const struct json_desc *desc)
{
	switch (kind) {
	case JSON_STR:
	case JSON_ENUM:
		return tval_string("", 0);
	case JSON_BOOL:
		return tval_bool(false);
	case JSON_I64:
	case JSON_U64:
	case JSON_U32:
	case JSON_I32:
		return tval_int(0);
	case JSON_STRV:
	case JSON_U32S:
		return (struct tval){ .kind = TV_LIST, .elements = ANY };
	case JSON_ARRAY:
		return (struct tval){ .kind = TV_LIST, .desc = desc, .elements = JSON_OBJ };
	case JSON_MAP:
	case JSON_OBJ_MAP:
		return (struct tval){ .kind = TV_MAP, .elements = ANY };
	case JSON_STRUCT:
		return (struct tval){ .kind = TV_STRUCT, .desc = desc, .n = 0 };
	case JSON_RAW:
		return (struct tval){ .kind = TV_NULL };
	default:
		return (struct tval){ .kind = TV_NIL };
	}
}

static struct tval of_container(const struct json_value *v, const struct json_desc *desc,
				enum json_kind kind)
{
	struct tval ret = { .kind = TV_MAP, .json = v, .n = v->n, .elements = ANY };

	if (v->type == JSON_TYPE_ARRAY)
		ret.kind = TV_LIST;
	else if (desc && kind != JSON_OBJ_MAP)
		ret.kind = TV_STRUCT;
	if (kind == JSON_ARRAY || kind == JSON_OBJ_MAP || ret.kind == TV_STRUCT) {
		ret.desc = desc;
		ret.elements = JSON_OBJ;
	}
	return ret;
}

struct tval tval_of_json(struct texec *x, const struct json_value *v, const struct json_desc *desc,
			 enum json_kind kind)
{
	switch (v->type) {
	case JSON_TYPE_NULL:
		return zero(kind, desc);
	case JSON_TYPE_BOOL:
		return tval_bool(v->text[0] == 't');
	case JSON_TYPE_STRING:
		return of_string(x, v);
	case JSON_TYPE_ARRAY:
	case JSON_TYPE_OBJECT:
		return of_container(v, desc, kind);
	default:
		return of_number(v);
	}
}

/* A value of the list or map. */
static struct tval member_of(struct texec *x, const struct tval *v, const struct json_value *json)
{
	struct tval ret = tval_of_json(x, json, v->desc, v->desc ? JSON_OBJ : ANY);

	if (v->fields && ret.kind == TV_MAP)
		ret.kind = TV_STRUCT;
	return ret;
}

struct tval tval_element(struct texec *x, const struct tval *list, uint32_t i)
{
	const struct json_value *v;

	if (!list->json)
		return list->items[i];
	v = list->json + 1;
	while (i--)
		v += v->size;
	return member_of(x, list, v);
}

static const struct json_value *find_member(const struct tval *v, const char *name, size_t len)
{
	if (!v->json)
		return NULL;
	json_tree_foreach(m, v->json)
	{
		if (strncmp(m->key, name, len) == 0 && !m->key[len])
			return m;
	}
	return NULL;
}

struct tval tval_key(struct texec *x, const struct tval *map, const char *key, size_t len)
{
	const struct json_value *v = find_member(map, key, len);

	return v ? member_of(x, map, v) : (struct tval){ .kind = TV_NONE };
}

static const struct json_field *find_field(const struct json_desc *desc, const char *name)
{
	for (size_t i = 0; desc && i < desc->n_fields; i++)
		if (str_eq(desc->fields[i].name, name))
			return &desc->fields[i];
	return NULL;
}

/* The field's value, there or not. A field with a row's struct behind it has no table. */
static struct tval field_value(struct texec *x, const struct json_field *f,
			       const struct json_value *v)
{
	if (f->flags & JSON_NIL_LIST && v && v->type == JSON_TYPE_NULL)
		return (struct tval){ .kind = TV_LIST, .json = v, .elements = ANY };
	return v ? tval_of_json(x, v, f->desc, f->kind) : zero(f->kind, f->desc);
}

/* One that differs in case, or begins like it, is nearest. */
static void consider(const char *candidate, const char *name, const char **near, size_t *least)
{
	size_t len = strlen(name), n = str_edits(candidate, name);

	if (len > 1 && strncasecmp(candidate, name, len) == 0)
		n = candidate[len] ? 1 : 0;
	if (n < *least && n < len) {
		*least = n;
		*near = candidate;
	}
}

static int no_field(struct texec *x, const struct tval *v, const char *name)
{
	size_t least = NEAR_MAX + 1;
	const char *near = NULL;
	struct buf names = BUF_INIT;
	int r;

	for (size_t i = 0; v->desc && i < v->desc->n_fields; i++) {
		consider(v->desc->fields[i].name, name, &near, &least);
		buf_addf(&names, "%s.%s", i ? " " : "", v->desc->fields[i].name);
	}
	if (!v->desc && v->json) {
		json_tree_foreach(m, v->json)
		{
			consider(m->key, name, &near, &least);
			buf_addf(&names, "%s.%s", names.len ? " " : "", m->key);
		}
	}
	if (near)
		r = texec_fail(x, "can't evaluate field %s; did you mean .%s?", name, near);
	else
		r = texec_fail(x, "can't evaluate field %s", name);
	r = err_hint(x->err, r, "fields: %.230s", buf_str(&names));
	buf_done(&names);
	return r;
}

/* podman's templates name fields of its structs, whose keys in JSON are written otherwise:
 * NetworkInterface is network_interface, DNSEnabled dns_enabled. */
static bool is_go_name(const char *name, const char *key)
{
	if (!isupper((unsigned char)name[0]) || !islower((unsigned char)key[0]))
		return false;
	for (; *key; key++) {
		if (*key == '_')
			continue;
		if (tolower((unsigned char)*name) != *key)
			return false;
		name++;
	}
	return !*name;
}

static const char *key_of_go_name(const struct tval *v, const char *name)
{
	for (size_t i = 0; v->desc && i < v->desc->n_fields; i++)
		if (is_go_name(name, v->desc->fields[i].name))
			return v->desc->fields[i].name;
	if (!v->desc && v->json) {
		json_tree_foreach(m, v->json)
		{
			if (is_go_name(name, m->key))
				return m->key;
		}
	}
	return name;
}

int tval_field(struct texec *x, const struct tval *v, const char *name, struct tval *ret)
{
	const struct json_value *json;
	const struct json_field *f;

	switch (v->kind) {
	case TV_NONE:
		*ret = *v;
		return 0;
	case TV_NULL:
	case TV_NIL:
		return texec_fail(x, "nil pointer evaluating field %s", name);
	case TV_MAP:
		*ret = tval_key(x, v, name, strlen(name));
		return 0;
	case TV_STRUCT:
		json = find_member(v, name, strlen(name));
		f = find_field(v->desc, name);
		if (!f && !json) {
			name = key_of_go_name(v, name);
			json = find_member(v, name, strlen(name));
			f = find_field(v->desc, name);
		}
		if (!f && (v->desc || !json))
			return no_field(x, v, name);
		*ret = f ? field_value(x, f, json) : tval_of_json(x, json, NULL, ANY);
		return 0;
	default:
		return texec_fail(x, "can't evaluate field %s in type %s", name,
				  tval_kind_names[v->kind]);
	}
}

static int by_key(const void *a, const void *b)
{
	const struct tmember *x = a, *y = b;

	return strcmp(x->key, y->key);
}

struct tmember *tval_members(struct texec *x, const struct tval *v, uint32_t *ret_n)
{
	size_t n = v->kind == TV_STRUCT && v->desc ? v->desc->n_fields : v->n, i = 0;
	struct tmember *members = tarena_alloc(&x->arena, (n + 1) * sizeof(*members));

	*ret_n = (uint32_t)n;
	if (v->kind == TV_STRUCT && v->desc) {
		for (; i < n; i++) {
			const struct json_field *f = &v->desc->fields[i];
			const struct json_value *json = find_member(v, f->name, strlen(f->name));

			members[i] = (struct tmember){ f->name, field_value(x, f, json) };
		}
		return members;
	}
	if (!v->json)
		return members;
	json_tree_foreach(m, v->json) members[i++] = (struct tmember){ m->key, member_of(x, v, m) };
	if (v->kind == TV_MAP)
		qsort(members, n, sizeof(*members), by_key);
	return members;
}

bool tval_truth(const struct tval *v)
{
	switch (v->kind) {
	case TV_BOOL:
		return v->b;
	case TV_INT:
		return v->i != 0;
	case TV_UINT:
		return v->u != 0;
	case TV_FLOAT:
		return v->f != 0;
	case TV_STRING:
		return v->len > 0;
	case TV_LIST:
	case TV_MAP:
		return v->n > 0;
	case TV_STRUCT:
		return true;
	default:
		return false;
	}
}

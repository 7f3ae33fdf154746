/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of templates: Go's own, and docker's. */
#include "base/template_internal.h"

#include <inttypes.h>

#include "base/str.h"

#define NEAR_MAX 2

static int call_logic(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	*ret = args[n - 1]; /* evaluated by texec: this is never called */
	return 0;
}

static int call_not(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	*ret = tval_bool(!tval_truth(&args[0]));
	return 0;
}

static int call_len(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	if (args[0].kind == TV_STRING)
		*ret = tval_int((int64_t)args[0].len);
	else if (args[0].kind == TV_LIST || args[0].kind == TV_MAP)
		*ret = tval_int(args[0].n);
	else
		return texec_fail(x, "error calling len: len of %s", tval_kind_names[args[0].kind]);
	return 0;
}

/* An index below limit, or up to it when at_end. */
static int index_of(struct texec *x, const struct tval *v, size_t limit, bool at_end, size_t *ret)
{
	if (v->kind != TV_INT && v->kind != TV_UINT)
		return texec_fail(x, "cannot index with %s", tval_kind_names[v->kind]);
	if ((v->kind == TV_INT && v->i < 0) || v->u > limit || (v->u == limit && !at_end))
		return texec_fail(x, "index out of range: %" PRId64, v->i);
	*ret = (size_t)v->u;
	return 0;
}

static int index_once(struct texec *x, struct tval *item, const struct tval *index)
{
	size_t i = 0;
	int r;

	switch (item->kind) {
	case TV_STRING:
		r = index_of(x, index, item->len, false, &i);
		if (r == 0)
			*item = (struct tval){ .kind = TV_UINT, .u = (unsigned char)item->s[i] };
		return r;
	case TV_LIST:
		r = index_of(x, index, item->n, false, &i);
		if (r == 0)
			*item = tval_element(x, item, (uint32_t)i);
		return r;
	case TV_MAP:
		if (index->kind != TV_STRING)
			return texec_fail(x, "a map has strings as keys, not %s",
					  tval_kind_names[index->kind]);
		*item = tval_key(x, item, index->s, index->len);
		if (item->kind == TV_NONE)
			item->kind = TV_NULL;
		return 0;
	case TV_NONE:
	case TV_NULL:
		return texec_fail(x, "index of untyped nil");
	default:
		return texec_fail(x, "can't index item of type %s", tval_kind_names[item->kind]);
	}
}

static int call_index(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	int r = 0;

	*ret = args[0];
	if (n == 1 && (ret->kind == TV_NONE || ret->kind == TV_NULL))
		return texec_fail(x, "index of untyped nil");
	for (size_t i = 1; i < n && r == 0; i++)
		r = index_once(x, ret, &args[i]);
	return r;
}

static struct tval sublist(struct texec *x, const struct tval *list, size_t from, size_t to)
{
	struct tval *items = tarena_alloc(&x->arena, (to - from + 1) * sizeof(*items));

	for (size_t i = from; i < to; i++)
		items[i - from] = tval_element(x, list, (uint32_t)i);
	return (struct tval){ .kind = TV_LIST, .items = items, .n = (uint32_t)(to - from) };
}

static int call_slice(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	const struct tval *item = &args[0];
	size_t len, at[3];
	int r = 0;

	if (n > 4)
		return texec_fail(x, "too many slice indexes: %zu", n - 1);
	if (item->kind != TV_STRING && item->kind != TV_LIST)
		return texec_fail(x, "can't slice %s", tval_kind_names[item->kind]);
	if (n == 4 && item->kind == TV_STRING)
		return texec_fail(x, "cannot 3-index slice a string");
	len = item->kind == TV_STRING ? item->len : item->n;
	at[0] = 0;
	at[1] = at[2] = len;
	for (size_t i = 1; i < n && r == 0; i++)
		r = index_of(x, &args[i], len, true, &at[i - 1]);
	if (r < 0)
		return r;
	if (at[0] > at[1] || at[1] > at[2])
		return texec_fail(x, "invalid slice index: %zu > %zu",
				  at[0] > at[1] ? at[0] : at[1], at[0] > at[1] ? at[1] : at[2]);
	*ret = item->kind == TV_STRING ? tval_string(item->s + at[0], at[1] - at[0])
				       : sublist(x, item, at[0], at[1]);
	return 0;
}

static bool is_nothing(const struct tval *v)
{
	return v->kind == TV_NONE || v->kind == TV_NULL;
}

/* -1, 0, 1; 2: not ordered, NaN. */
static int order(const struct tval *a, const struct tval *b)
{
	size_t n;
	int c;

	switch (a->kind) {
	case TV_BOOL:
		return a->b == b->b ? 0 : 1;
	case TV_FLOAT:
		return a->f < b->f ? -1 : a->f > b->f ? 1 : a->f >= b->f ? 0 : 2;
	case TV_STRING:
		n = a->len < b->len ? a->len : b->len;
		c = n ? memcmp(a->s, b->s, n) : 0;
		if (c)
			return c < 0 ? -1 : 1;
		return a->len < b->len ? -1 : a->len > b->len;
	default:
		if (a->kind == TV_INT && a->i < 0)
			return b->kind == TV_INT && b->i <= a->i ? (b->i < a->i ? 1 : 0) : -1;
		if (b->kind == TV_INT && b->i < 0)
			return 1;
		return a->u < b->u ? -1 : a->u > b->u;
	}
}

static bool is_basic(const struct tval *v)
{
	return v->kind >= TV_BOOL && v->kind <= TV_STRING;
}

static bool is_integer(const struct tval *v)
{
	return v->kind == TV_INT || v->kind == TV_UINT;
}

static int equal(struct texec *x, const struct tval *a, const struct tval *b, bool *ret)
{
	if (is_basic(a) && is_basic(b)) {
		if (a->kind != b->kind && !(is_integer(a) && is_integer(b)))
			return texec_fail(x, "incompatible types for comparison");
		*ret = order(a, b) == 0;
		return 0;
	}
	if (is_nothing(a) || is_nothing(b) || a->kind == TV_NIL || b->kind == TV_NIL) {
		*ret = (is_nothing(a) || a->kind == TV_NIL) == (is_nothing(b) || b->kind == TV_NIL);
		return 0;
	}
	return texec_fail(x, "non-comparable types: %s, %s", tval_kind_names[a->kind],
			  tval_kind_names[b->kind]);
}

static int call_eq(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	bool same = false;
	int r = 0;

	for (size_t i = 1; i < n && r == 0 && !same; i++)
		r = equal(x, &args[0], &args[i], &same);
	*ret = tval_bool(same);
	return r;
}

static int call_ne(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	int r = call_eq(x, args, n, ret);

	ret->b = !ret->b;
	return r;
}

static int compare(struct texec *x, const struct tval *args, int *ret)
{
	if (!is_basic(&args[0]) || !is_basic(&args[1]))
		return texec_fail(x, "invalid type for comparison");
	if (args[0].kind != args[1].kind && !(is_integer(&args[0]) && is_integer(&args[1])))
		return texec_fail(x, "incompatible types for comparison");
	if (args[0].kind == TV_BOOL)
		return texec_fail(x, "invalid type for comparison");
	*ret = order(&args[0], &args[1]);
	return 0;
}

static int call_lt(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	int order = 2, r = compare(x, args, &order);

	*ret = tval_bool(order == -1);
	return r;
}

static int call_le(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	int order = 2, r = compare(x, args, &order);

	*ret = tval_bool(order <= 0);
	return r;
}

/* As Go has it: what is not less or equal, so also NaN. */
static int call_gt(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	int r = call_le(x, args, n, ret);

	ret->b = !ret->b;
	return r;
}

static int call_ge(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	int r = call_lt(x, args, n, ret);

	ret->b = !ret->b;
	return r;
}

const struct tfunc tfuncs[] = {
	[TFUNC_AND] = { "and", 1, -1, call_logic },
	[TFUNC_OR] = { "or", 1, -1, call_logic },
	{ "eq", 2, -1, call_eq },
	{ "ge", 2, 2, call_ge },
	{ "gt", 2, 2, call_gt },
	{ "html", 0, -1, tcall_html },
	{ "index", 1, -1, call_index },
	{ "join", 2, 2, tcall_join },
	{ "js", 0, -1, tcall_js },
	{ "json", 1, 1, tcall_json },
	{ "le", 2, 2, call_le },
	{ "len", 1, 1, call_len },
	{ "lower", 1, 1, tcall_lower },
	{ "lt", 2, 2, call_lt },
	{ "ne", 2, 2, call_ne },
	{ "not", 1, 1, call_not },
	{ "pad", 3, 3, tcall_pad },
	{ "print", 0, -1, tcall_print },
	{ "printf", 1, -1, tcall_printf },
	{ "println", 0, -1, tcall_println },
	{ "slice", 1, -1, call_slice },
	{ "split", 2, 2, tcall_split },
	{ "title", 1, 1, tcall_title },
	{ "truncate", 2, 2, tcall_truncate },
	{ "upper", 1, 1, tcall_upper },
	{ "urlquery", 0, -1, tcall_urlquery },
};

const struct tfunc *tfunc_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(tfuncs); i++)
		if (strncmp(tfuncs[i].name, name, len) == 0 && !tfuncs[i].name[len])
			return &tfuncs[i];
	return NULL;
}

const char *tfunc_near(const char *name)
{
	size_t least = NEAR_MAX + 1;
	const char *near = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(tfuncs); i++) {
		size_t n = str_edits(tfuncs[i].name, name);

		if (n < least && n + 1 < strlen(name)) {
			least = n;
			near = tfuncs[i].name;
		}
	}
	return near;
}

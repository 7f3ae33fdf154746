/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <stdarg.h>

#include "base/json_internal.h"
#include "base/str.h"
#include "base/strv.h"

#define INT_KIND(T, is_signed_, min_, max_)                                                        \
	{                                                                                          \
		.size = sizeof(T), .is_signed = (is_signed_), .min = (min_), .max = (max_)         \
	}
#define OPT_KIND(O, is_signed_, min_, max_)                                                        \
	{                                                                                          \
		.size = sizeof(((struct O *)0)->value), .value_at = offsetof(struct O, value),     \
		.is_signed = (is_signed_), .is_opt = true, .min = (min_), .max = (max_)            \
	}

const struct json_int json_ints[JSON_KINDS] = {
	[JSON_I64] = INT_KIND(int64_t, true, INT64_MIN, INT64_MAX),
	[JSON_U64] = INT_KIND(uint64_t, false, 0, UINT64_MAX),
	[JSON_U32] = INT_KIND(uint32_t, false, 0, UINT32_MAX),
	[JSON_I32] = INT_KIND(int32_t, true, INT32_MIN, INT32_MAX),
	[JSON_OPT_I64] = OPT_KIND(opt_i64, true, INT64_MIN, INT64_MAX),
	[JSON_OPT_U64] = OPT_KIND(opt_u64, false, 0, UINT64_MAX),
	[JSON_OPT_U32] = OPT_KIND(opt_u32, false, 0, UINT32_MAX),
	[JSON_OPT_I32] = OPT_KIND(opt_i32, true, INT32_MIN, INT32_MAX),
};

void json_map_done(struct json_map *map)
{
	for (size_t i = 0; i < map->n; i++) {
		free(map->items[i].key);
		free(map->items[i].value);
	}
	free(map->items);
	*map = (struct json_map){ 0 };
}

static void free_items(const struct json_field *f, struct json_items *list)
{
	for (size_t i = 0; i < list->n; i++) {
		char *item = list->items + i * f->desc->size;

		if (f->kind == JSON_OBJ_MAP)
			free(*(char **)item);
		json_free(f->desc, item);
	}
	free(list->items);
}

static void free_field(const struct json_field *f, void *at)
{
	switch (f->kind) {
	case JSON_STR:
	case JSON_RAW:
		free(*(char **)at);
		break;
	case JSON_STRV:
		strv_free(*(char ***)at);
		break;
	case JSON_MAP:
	case JSON_RAW_MAP:
		json_map_done(at);
		break;
	case JSON_U32S:
		free(((struct json_u32s *)at)->items);
		break;
	case JSON_OBJ:
		if (*(void **)at)
			json_free(f->desc, *(void **)at);
		free(*(void **)at);
		break;
	case JSON_STRUCT:
		json_free(f->desc, at);
		break;
	case JSON_ARRAY:
	case JSON_OBJ_MAP:
		free_items(f, at);
		break;
	default: /* plain values */
		break;
	}
}

void json_free(const struct json_desc *desc, void *object)
{
	for (size_t i = 0; i < desc->n_fields; i++)
		free_field(&desc->fields[i], (char *)object + desc->fields[i].offset);
	memset(object, 0, desc->size);
}

int json_fail(struct err *err, const char *member, const char *fmt, ...)
{
	char text[sizeof(err->msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_fail(err, ERR_INVALID, "%s%s: %s", *member && *member != '[' ? "." : "", member,
			text);
}

const char *json_map_get(const struct json_map *map, const char *key)
{
	for (size_t i = 0; i < map->n; i++) {
		if (str_eq(map->items[i].key, key))
			return map->items[i].value;
	}
	return NULL;
}

void json_map_set(struct json_map *map, const char *key, const char *value)
{
	char *copy = xstrdup(value);

	for (size_t i = 0; i < map->n; i++) {
		if (str_eq(map->items[i].key, key)) {
			free(map->items[i].value);
			map->items[i].value = copy;
			return;
		}
	}
	map->items = xrealloc(map->items, (map->n + 1) * sizeof(*map->items));
	map->items[map->n++] = (struct json_pair){ xstrdup(key), copy };
}

bool json_map_remove(struct json_map *map, const char *key)
{
	for (size_t i = 0; i < map->n; i++) {
		if (!str_eq(map->items[i].key, key))
			continue;
		free(map->items[i].key);
		free(map->items[i].value);
		map->n--;
		memmove(&map->items[i], &map->items[i + 1], (map->n - i) * sizeof(*map->items));
		return true;
	}
	return false;
}

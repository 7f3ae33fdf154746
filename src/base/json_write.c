/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <inttypes.h>

#include "base/json_internal.h"
#include "base/str.h"

struct writer {
	struct buf *out;
	bool pretty;
	int depth;
};

static void write_object(struct writer *w, const struct json_desc *desc, const char *object);

void json_write_string(struct buf *out, const char *s)
{
	static const char escapes[0x20] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'
	};

	buf_addc(out, '"');
	while (*s) {
		unsigned char c = (unsigned char)*s;
		size_t n = 0;

		/* the plain run up to the next byte that needs care */
		while ((unsigned char)s[n] >= 0x20 && (unsigned char)s[n] < 0x7f && s[n] != '"' &&
		       s[n] != '\\')
			n++;
		if (n == 0)
			n = str_utf8_len(s);
		if (n == 0) {
			buf_adds(out, "\xef\xbf\xbd");
			n = 1;
		} else if (c == '"' || c == '\\' || (c < 0x20 && escapes[c])) {
			buf_addc(out, '\\');
			buf_addc(out, c < 0x20 ? escapes[c] : (char)c);
		} else if (c < 0x20 || c == 0x7f) {
			buf_addf(out, "\\u%04x", c);
		} else if (c == 0xc2 && (unsigned char)s[1] < 0xa0) {
			/* U+0080 to U+009F, which terminals take for ESC and a letter */
			buf_addf(out, "\\u%04x", (unsigned char)s[1]);
		} else {
			buf_add(out, s, n);
		}
		s += n;
	}
	buf_addc(out, '"');
}

static void newline(struct writer *w)
{
	if (!w->pretty)
		return;
	buf_reserve(w->out, (size_t)w->depth + 1);
	buf_addc(w->out, '\n');
	for (int i = 0; i < w->depth; i++)
		buf_addc(w->out, '\t');
}

static void open_bracket(struct writer *w, char c)
{
	buf_addc(w->out, c);
	w->depth++;
}

/* Between two values, and before the first. */
static void next(struct writer *w, bool first)
{
	if (!first)
		buf_addc(w->out, ',');
	newline(w);
}

static void close_bracket(struct writer *w, char c, bool empty)
{
	w->depth--;
	if (!empty)
		newline(w);
	buf_addc(w->out, c);
}

static void name(struct writer *w, const char *s)
{
	json_write_string(w->out, s);
	buf_adds(w->out, w->pretty ? ": " : ":");
}

static uint64_t load_int(const struct json_int *k, const char *at)
{
	at += k->value_at;
	if (k->size == sizeof(uint64_t))
		return *(const uint64_t *)at;
	return k->is_signed ? (uint64_t)(int64_t) * (const int32_t *)at : *(const uint32_t *)at;
}

static void write_int(struct writer *w, const struct json_field *f, const char *at)
{
	const struct json_int *k = &json_ints[f->kind];
	uint64_t v = load_int(k, at);

	if (k->is_opt && !*(const bool *)at)
		buf_adds(w->out, "null");
	else if (k->is_signed)
		buf_addf(w->out, "%" PRId64, (int64_t)v);
	else
		buf_addf(w->out, "%" PRIu64, v);
}

static void write_strv(struct writer *w, char *const *v)
{
	open_bracket(w, '[');
	for (size_t i = 0; v && v[i]; i++) {
		next(w, i == 0);
		json_write_string(w->out, v[i]);
	}
	close_bracket(w, ']', !v || !v[0]);
}

static void write_u32s(struct writer *w, const struct json_u32s *list)
{
	open_bracket(w, '[');
	for (size_t i = 0; i < list->n; i++) {
		next(w, i == 0);
		buf_addf(w->out, "%" PRIu32, list->items[i]);
	}
	close_bracket(w, ']', list->n == 0);
}

static void write_text(struct writer *w, const char *text)
{
	buf_adds(w->out, text ? text : "null");
}

static void write_map(struct writer *w, const struct json_map *map, bool raw)
{
	open_bracket(w, '{');
	for (size_t i = 0; i < map->n; i++) {
		next(w, i == 0);
		name(w, map->items[i].key);
		if (raw)
			write_text(w, map->items[i].value);
		else
			json_write_string(w->out, map->items[i].value);
	}
	close_bracket(w, '}', map->n == 0);
}

static void write_items(struct writer *w, const struct json_field *f, const struct json_items *list)
{
	bool map = f->kind == JSON_OBJ_MAP;

	open_bracket(w, map ? '{' : '[');
	for (size_t i = 0; i < list->n; i++) {
		const char *item = list->items + i * f->desc->size;

		next(w, i == 0);
		if (map)
			name(w, *(char *const *)item);
		write_object(w, f->desc, item);
	}
	close_bracket(w, map ? '}' : ']', list->n == 0);
}

static void write_value(struct writer *w, const struct json_field *f, const char *at)
{
	const struct opt_bool *opt = (const void *)at;

	switch (f->kind) {
	case JSON_STR:
		json_write_string(w->out, *(char *const *)at ? *(char *const *)at : "");
		break;
	case JSON_BOOL:
		write_text(w, *(const bool *)at ? "true" : "false");
		break;
	case JSON_OPT_BOOL:
		write_text(w, !opt->set ? NULL : opt->value ? "true" : "false");
		break;
	case JSON_ENUM:
		if (*(const int *)at < 0)
			write_text(w, NULL);
		else
			json_write_string(w->out, f->names[*(const int *)at]);
		break;
	case JSON_STRV:
		write_strv(w, *(char *const *const *)at);
		break;
	case JSON_MAP:
	case JSON_RAW_MAP:
		write_map(w, (const void *)at, f->kind == JSON_RAW_MAP);
		break;
	case JSON_OBJ:
		if (*(char *const *)at)
			write_object(w, f->desc, *(char *const *)at);
		else
			write_text(w, NULL);
		break;
	case JSON_STRUCT:
		write_object(w, f->desc, at);
		break;
	case JSON_ARRAY:
	case JSON_OBJ_MAP:
		write_items(w, f, (const void *)at);
		break;
	case JSON_U32S:
		write_u32s(w, (const void *)at);
		break;
	case JSON_RAW:
		write_text(w, *(char *const *)at);
		break;
	default:
		write_int(w, f, at);
	}
}

static bool is_absent(const struct json_field *f, const char *at);

/* Nothing of the struct would be written. */
static bool is_bare(const struct json_desc *desc, const char *object)
{
	for (size_t i = 0; i < desc->n_fields; i++) {
		const struct json_field *f = &desc->fields[i];

		if ((f->flags & JSON_KEEP) || !is_absent(f, object + f->offset))
			return false;
	}
	return true;
}

static bool is_absent(const struct json_field *f, const char *at)
{
	char *const *list;

	switch (f->kind) {
	case JSON_STR:
	case JSON_RAW:
	case JSON_OBJ:
		return !*(char *const *)at;
	case JSON_STRV:
		list = *(char *const *const *)at;
		return !list || !list[0];
	case JSON_BOOL:
	case JSON_OPT_BOOL:
		return !*(const bool *)at; /* the value, or whether it is set */
	case JSON_ENUM:
		return *(const int *)at < 0;
	case JSON_MAP:
	case JSON_RAW_MAP:
		return ((const struct json_map *)at)->n == 0;
	case JSON_U32S:
		return ((const struct json_u32s *)at)->n == 0;
	case JSON_ARRAY:
	case JSON_OBJ_MAP:
		return ((const struct json_items *)at)->n == 0;
	case JSON_STRUCT:
		return is_bare(f->desc, at);
	default:
		return json_ints[f->kind].is_opt ? !*(const bool *)at
						 : load_int(&json_ints[f->kind], at) == 0;
	}
}

static void write_object(struct writer *w, const struct json_desc *desc, const char *object)
{
	bool empty = true;

	if (json_is_whole(desc)) {
		write_value(w, desc->fields, object + desc->fields->offset);
		return;
	}
	open_bracket(w, '{');
	for (size_t i = 0; i < desc->n_fields; i++) {
		const struct json_field *f = &desc->fields[i];

		if (!(f->flags & JSON_KEEP) && is_absent(f, object + f->offset))
			continue;
		next(w, empty);
		name(w, f->name);
		write_value(w, f, object + f->offset);
		empty = false;
	}
	close_bracket(w, '}', empty);
}

void json_write(const struct json_desc *desc, const void *object, unsigned int flags,
		struct buf *out)
{
	struct writer w = { .out = out, .pretty = flags & JSON_PRETTY };

	write_object(&w, desc, object);
	if (flags & JSON_NEWLINE)
		buf_addc(out, '\n');
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of templates that make text. */
#include "base/template_internal.h"

#include "base/str.h"

#define PAD_MAX 10000

static struct tval from_buf(struct texec *x, struct buf *b)
{
	return tval_string(tarena_copy(&x->arena, b->data, b->len), b->len);
}

/* Argument i must be a string; strings are never asked for where nothing is. */
static int want_string(struct texec *x, const struct tval *args, size_t i)
{
	if (args[i].kind == TV_STRING)
		return 0;
	return texec_fail(x, "argument %zu: expected string, got %s", i + 1,
			  tval_kind_names[args[i].kind]);
}

static int want_int(struct texec *x, const struct tval *args, size_t i, int64_t *ret)
{
	const struct tval *v = &args[i];

	if (v->kind == TV_INT)
		*ret = v->i;
	else if (v->constant && v->kind == TV_FLOAT && v->f > -1e9 && v->f < 1e9 &&
		 (double)(int64_t)v->f == v->f) /* exact: it is an integer */
		*ret = (int64_t)v->f;
	else
		return texec_fail(x, "argument %zu: expected integer, got %s", i + 1,
				  tval_kind_names[v->kind]);
	return 0;
}

int tcall_print(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	cleanup_buf struct buf out = BUF_INIT;

	tprint_all(x, args, n, false, &out);
	*ret = from_buf(x, &out);
	return 0;
}

int tcall_println(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	cleanup_buf struct buf out = BUF_INIT;

	tprint_all(x, args, n, true, &out);
	*ret = from_buf(x, &out);
	return 0;
}

int tcall_printf(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	cleanup_buf struct buf out = BUF_INIT;
	int r = want_string(x, args, 0);

	if (r < 0)
		return r;
	tprintf_values(x, args, n, &out);
	*ret = from_buf(x, &out);
	return 0;
}

/* What the escaping functions work on: all arguments as one text. */
static void escaped_text(struct texec *x, const struct tval *args, size_t n, struct buf *out)
{
	static const char none[] = "<no value>";
	struct tval *shown = tarena_alloc(&x->arena, (n + 1) * sizeof(*shown));

	for (size_t i = 0; i < n; i++)
		shown[i] = args[i].kind == TV_NONE || args[i].kind == TV_NULL
			       ? tval_string(none, strlen(none))
			       : args[i];
	tprint_all(x, shown, n, false, out);
}

int tcall_html(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	static const char from[] = "\"'&<>";
	static const char *const to[] = { "&#34;", "&#39;", "&amp;", "&lt;", "&gt;" };
	cleanup_buf struct buf text = BUF_INIT, out = BUF_INIT;

	escaped_text(x, args, n, &text);
	for (size_t i = 0; i < text.len; i++) {
		const char *c = text.data[i] ? strchr(from, text.data[i]) : NULL;

		if (c)
			buf_adds(&out, to[c - from]);
		else if (!text.data[i])
			buf_adds(&out, "\xef\xbf\xbd");
		else
			buf_addc(&out, text.data[i]);
	}
	*ret = from_buf(x, &out);
	return 0;
}

int tcall_js(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	cleanup_buf struct buf text = BUF_INIT, out = BUF_INIT;
	size_t len;

	escaped_text(x, args, n, &text);
	for (size_t i = 0; i < text.len; i += len) {
		uint32_t c = tprint_rune(text.data + i, text.len - i, &len);

		if (c == '\\' || c == '\'' || c == '"')
			buf_addf(&out, "\\%c", (char)c);
		else if (c < 0x80 ? c >= ' ' && !strchr("<>&=", (char)c) : tprint_printable(c))
			buf_add(&out, text.data + i, len);
		else
			buf_addf(&out, "\\u%04X", c);
	}
	*ret = from_buf(x, &out);
	return 0;
}

int tcall_urlquery(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	cleanup_buf struct buf text = BUF_INIT, out = BUF_INIT;

	escaped_text(x, args, n, &text);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    (c && strchr("-_.~", c)))
			buf_addc(&out, (char)c);
		else if (c == ' ')
			buf_addc(&out, '+');
		else
			buf_addf(&out, "%%%02X", c);
	}
	*ret = from_buf(x, &out);
	return 0;
}

int tcall_json(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	cleanup_buf struct buf out = BUF_INIT;

	tprint_json(x, &args[0], &out);
	*ret = from_buf(x, &out);
	return 0;
}

/* Between the characters when there is no separator. */
static size_t next_part(const struct tval *s, const struct tval *sep, size_t at, size_t *ret_next)
{
	const char *found;
	size_t len;

	if (!sep->len) {
		tprint_rune(s->s + at, s->len - at, &len);
		*ret_next = at + len;
		return at + len;
	}
	found = memmem(s->s + at, s->len - at, sep->s, sep->len);
	if (!found) {
		*ret_next = s->len + 1;
		return s->len;
	}
	*ret_next = (size_t)(found - s->s) + sep->len;
	return (size_t)(found - s->s);
}

int tcall_split(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	size_t count = 0, at, next, end, last;
	struct tval *items;
	int r = want_string(x, args, 0);

	if (r == 0)
		r = want_string(x, args, 1);
	if (r < 0)
		return r;
	/* behind a separator at the end there is one more, an empty one */
	last = args[1].len ? args[0].len : args[0].len - (args[0].len > 0);
	if (!args[1].len && !args[0].len) {
		*ret = (struct tval){ .kind = TV_LIST };
		return 0;
	}
	for (at = 0; at <= last; at = next, count++)
		next_part(&args[0], &args[1], at, &next);
	items = tarena_alloc(&x->arena, (count + 1) * sizeof(*items));
	count = 0;
	for (at = 0; at <= last; at = next) {
		end = next_part(&args[0], &args[1], at, &next);
		items[count++] = tval_string(args[0].s + at, end - at);
	}
	*ret = (struct tval){ .kind = TV_LIST, .items = items, .n = (uint32_t)count };
	return 0;
}

int tcall_join(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	cleanup_buf struct buf out = BUF_INIT;
	int r = want_string(x, args, 1);

	if (r < 0)
		return r;
	if (args[0].kind != TV_LIST)
		return texec_fail(x, "argument 1: expected list, got %s",
				  tval_kind_names[args[0].kind]);
	for (uint32_t i = 0; i < args[0].n; i++) {
		const struct tval element = tval_element(x, &args[0], i);

		if (element.kind != TV_STRING)
			return texec_fail(x, "argument 1: expected a list of strings, not of %s",
					  tval_kind_names[element.kind]);
		if (i)
			buf_add(&out, args[1].s, args[1].len);
		buf_add(&out, element.s, element.len);
	}
	*ret = from_buf(x, &out);
	return 0;
}

/* Names and states are ASCII: other letters stay as they are. */
static int change_case(struct texec *x, const struct tval *args, bool upper, bool words,
		       struct tval *ret)
{
	int r = want_string(x, args, 0);
	bool in_word = false;
	char *s;

	if (r < 0)
		return r;
	s = tarena_copy(&x->arena, args[0].s, args[0].len);
	for (size_t i = 0; i < args[0].len; i++) {
		bool letter = (s[i] | 0x20) >= 'a' && (s[i] | 0x20) <= 'z';

		if (letter && (!words || !in_word))
			s[i] = (char)(upper ? s[i] & ~0x20 : s[i] | 0x20);
		in_word = letter || s[i] == '_' || (s[i] & 0x80) || (s[i] >= '0' && s[i] <= '9');
	}
	*ret = tval_string(s, args[0].len);
	return 0;
}

int tcall_lower(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	return change_case(x, args, false, false, ret);
}

int tcall_upper(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	return change_case(x, args, true, false, ret);
}

int tcall_title(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	return change_case(x, args, true, true, ret);
}

/* pad STRING BEFORE AFTER: spaces around what is not empty. */
int tcall_pad(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	int64_t before = 0, after = 0;
	size_t len;
	char *s;
	int r = want_string(x, args, 0);

	if (r == 0)
		r = want_int(x, args, 1, &before);
	if (r == 0)
		r = want_int(x, args, 2, &after);
	if (r < 0)
		return r;
	if (before < 0 || after < 0 || before > PAD_MAX || after > PAD_MAX)
		return texec_fail(x, "pad: expected widths from 0 to %d", PAD_MAX);
	*ret = args[0];
	if (!args[0].len)
		return 0;
	len = (size_t)before + args[0].len + (size_t)after;
	s = tarena_alloc(&x->arena, len + 1);
	memset(s, ' ', len);
	memcpy(s + before, args[0].s, args[0].len);
	*ret = tval_string(s, len);
	return 0;
}

int tcall_truncate(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
	int64_t length = 0;
	int r = want_string(x, args, 0);

	if (r == 0)
		r = want_int(x, args, 1, &length);
	if (r == 0 && length < 0)
		r = texec_fail(x, "truncate: expected a length that is not negative");
	if (r < 0)
		return r;
	*ret = args[0];
	if ((uint64_t)length < ret->len)
		ret->len = (size_t)length;
	return 0;
}

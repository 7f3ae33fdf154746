/* SPDX-License-Identifier: Apache-2.0 */
/* printf with Go's verbs. */
#include "base/template_internal.h"

#include <inttypes.h>

#include "base/str.h"

#define WIDTH_MAX 10000

struct spec {
	bool minus, plus, sharp, space, zero;
	bool names;           /* "%+v": of a struct's fields */
	int width, precision; /* -1: none */
	uint32_t verb;
};

struct tprintf {
	struct texec *x;
	const struct tval *v;
	size_t n, next;
	struct buf *out;
	bool reordered;
};

static void format_value(struct tprintf *f, const struct spec *s, const struct tval *v,
			 struct buf *out);

/* Runes in out from start on. */
static size_t runes(const struct buf *out, size_t start)
{
	size_t n = 0, len;

	for (size_t i = start; i < out->len; i += len, n++)
		tprint_rune(out->data + i, out->len - i, &len);
	return n;
}

/* Pads what is in text: to the right, to the left, or with zeros behind a sign. */
static void add_padded(const struct spec *s, const struct buf *text, bool number, struct buf *out)
{
	size_t have = runes(text, 0), pad = 0, sign = 0;
	bool zeros = s->zero && !s->minus;

	if (s->width > 0 && (size_t)s->width > have)
		pad = (size_t)s->width - have;
	if (zeros && number && text->len && strchr("+- ", text->data[0]))
		sign = 1;
	buf_add(out, text->data, sign);
	if (!s->minus)
		buf_fill(out, zeros ? '0' : ' ', pad);
	if (text->len > sign)
		buf_add(out, text->data + sign, text->len - sign);
	if (s->minus)
		buf_fill(out, ' ', pad);
}

static void add_digits(uint64_t u, unsigned int base, bool upper, struct buf *out)
{
	char text[65], *p = text + sizeof(text) - 1;

	*p = '\0';
	do
		*--p = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[u % base];
	while (u /= base);
	buf_adds(out, p);
}

static void integer(const struct spec *s, uint64_t u, bool negative, struct buf *out)
{
	static const struct {
		char verb;
		unsigned int base;
		const char *prefix; /* with "#" */
	} verbs[] = {
		{ 'd', 10, "" },  { 'v', 10, "" },   { 'b', 2, "0b" },  { 'o', 8, "0" },
		{ 'O', 8, "0o" }, { 'x', 16, "0x" }, { 'X', 16, "0X" },
	};
	cleanup_buf struct buf text = BUF_INIT, number = BUF_INIT;
	struct spec padding = *s;

	if (negative || s->plus || s->space)
		buf_addc(&text, negative ? '-' : s->plus ? '+' : ' ');
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if ((uint32_t)verbs[i].verb != s->verb)
			continue;
		add_digits(u, verbs[i].base, s->verb == 'X', &number);
		if (s->sharp || s->verb == 'O')
			buf_adds(&text, verbs[i].prefix);
	}
	if (s->precision == 0 && u == 0)
		buf_reset(&number);
	/* zeros of a width stand between prefix and digits */
	if (s->zero && !s->minus && s->precision < 0 && s->width > 0)
		for (size_t i = (negative || s->plus || s->space) + number.len;
		     i < (size_t)s->width; i++)
			buf_addc(&text, '0');
	for (size_t i = number.len; s->precision > 0 && i < (size_t)s->precision; i++)
		buf_addc(&text, '0');
	buf_add(&text, number.data, number.len);
	padding.zero = false;
	add_padded(&padding, &text, false, out);
}

/* As Go calls the types. */
static const char *type_name(const struct tval *v)
{
	static const char *const names[] = {
		[TV_NONE] = "<nil>",
		[TV_NULL] = "<nil>",
		[TV_NIL] = "<nil>",
		[TV_BOOL] = "bool",
		[TV_INT] = "int",
		[TV_UINT] = "uint64",
		[TV_FLOAT] = "float64",
		[TV_STRING] = "string",
		[TV_LIST] = "[]interface {}",
		[TV_MAP] = "map[string]interface {}",
		[TV_STRUCT] = "struct",
	};

	return names[v->kind];
}

static bool is_nothing(const struct tval *v)
{
	return v->kind == TV_NONE || v->kind == TV_NULL || v->kind == TV_NIL;
}

/* "string=x", or "<nil>" */
static void typed(struct tprintf *f, const struct spec *s, const struct tval *v, struct buf *out)
{
	struct spec plain = *s;

	plain.verb = 'v';
	buf_adds(out, type_name(v));
	if (is_nothing(v))
		return;
	buf_addc(out, '=');
	format_value(f, &plain, v, out);
}

/* %!d(string=x) */
static void bad_verb(struct tprintf *f, const struct spec *s, const struct tval *v, struct buf *out)
{
	buf_adds(out, "%!");
	tprint_utf8(s->verb, out);
	buf_addc(out, '(');
	typed(f, s, v, out);
	buf_addc(out, ')');
}

static bool format_integer(const struct spec *s, const struct tval *v, struct buf *out)
{
	bool negative = v->kind == TV_INT && v->i < 0;
	uint64_t u = v->kind == TV_UINT ? v->u : negative ? 0 - (uint64_t)v->i : (uint64_t)v->i;
	cleanup_buf struct buf text = BUF_INIT;

	if (s->verb < 0x80 && strchr("dvboOxX", (char)s->verb)) {
		integer(s, u, negative, out);
		return true;
	}
	if (s->verb == 'c') {
		tprint_utf8(negative || u > 0x10ffff ? 0xfffd : (uint32_t)u, &text);
	} else if (s->verb == 'q') {
		cleanup_buf struct buf rune = BUF_INIT, quoted = BUF_INIT;
		uint32_t c = negative || u > 0x10ffff ? 0xfffd : (uint32_t)u;

		tprint_utf8(c, &rune);
		if (c == '\'' || c == '"') {
			buf_adds(&text, c == '"' ? "'\"'" : "'\\''");
		} else {
			tprint_quoted(rune.data, rune.len, s->plus, &quoted);
			quoted.data[0] = quoted.data[quoted.len - 1] = '\'';
			buf_add(&text, quoted.data, quoted.len);
		}
	} else if (s->verb == 'U') {
		buf_addf(&text, "U+%04" PRIX64, negative ? 0 - u : u);
	} else {
		return false;
	}
	add_padded(s, &text, false, out);
	return true;
}

static bool format_float(const struct spec *s, const struct tval *v, struct buf *out)
{
	cleanup_buf struct buf text = BUF_INIT;
	int precision = s->precision;

	if (s->verb >= 0x80 || !strchr("veEfFgG", (char)s->verb))
		return false;
	if (precision < 0 && strchr("eEfF", (char)s->verb))
		precision = 6;
	if (precision > PRECISION_MAX)
		precision = PRECISION_MAX;
	tprint_float(v->f, s->verb == 'G' ? 'g' : (char)s->verb, precision, s->plus, &text);
	if (s->verb == 'E' || s->verb == 'G') {
		char *e = text.data ? strchr(text.data, 'e') : NULL;

		if (e)
			*e = 'E';
	}
	if (s->space && !s->plus && text.data && text.data[0] != '-')
		buf_addc(out, ' ');
	add_padded(s, &text, true, out);
	return true;
}

static void add_hex(const struct spec *s, const char *data, size_t len, struct buf *out)
{
	for (size_t i = 0; i < len; i++) {
		if (s->space && i)
			buf_addc(out, ' ');
		if (s->sharp && (i == 0 || s->space))
			buf_adds(out, s->verb == 'x' ? "0x" : "0X");
		buf_addf(out, s->verb == 'x' ? "%02x" : "%02X", (unsigned char)data[i]);
	}
}

static bool format_string(const struct spec *s, const struct tval *v, struct buf *out)
{
	cleanup_buf struct buf text = BUF_INIT;
	size_t len = v->len, n;

	if (s->precision >= 0) {
		len = 0;
		for (int i = 0; i < s->precision && len < v->len; i++) {
			tprint_rune(v->s + len, v->len - len, &n);
			len += n;
		}
	}
	if (s->verb == 's' || (s->verb == 'v' && !s->sharp))
		buf_add(&text, v->s, len);
	else if (s->verb == 'q' || s->verb == 'v')
		tprint_quoted(v->s, len, s->plus, &text);
	else if (s->verb == 'x' || s->verb == 'X')
		add_hex(s, v->s,
			s->precision >= 0 && (size_t)s->precision < v->len ? (size_t)s->precision
									   : v->len,
			&text);
	else
		return false;
	add_padded(s, &text, false, out);
	return true;
}

/* Nothing, inside of something, is no mistake with any verb. */
static void format_element(struct tprintf *f, const struct spec *s, const struct tval *v,
			   struct buf *out)
{
	if (is_nothing(v))
		buf_adds(out, "<nil>");
	else
		format_value(f, s, v, out);
}

static void format_container(struct tprintf *f, const struct spec *s, const struct tval *v,
			     struct buf *out)
{
	const struct tmember *members;
	uint32_t n;

	if (v->kind == TV_LIST) {
		buf_addc(out, '[');
		for (uint32_t i = 0; i < v->n; i++) {
			const struct tval element = tval_element(f->x, v, i);

			buf_adds(out, i ? " " : "");
			format_element(f, s, &element, out);
		}
		buf_addc(out, ']');
		return;
	}
	members = tval_members(f->x, v, &n);
	buf_adds(out, v->kind == TV_MAP ? "map[" : "{");
	for (uint32_t i = 0; i < n; i++) {
		buf_adds(out, i ? " " : "");
		if (v->kind == TV_MAP) {
			const struct tval key = tval_string(members[i].key, strlen(members[i].key));

			format_value(f, s, &key, out);
			buf_addc(out, ':');
		} else if (s->names) {
			buf_addf(out, "%s:", members[i].key);
		}
		format_element(f, s, &members[i].value, out);
	}
	buf_addc(out, v->kind == TV_MAP ? ']' : '}');
}

static void format_value(struct tprintf *f, const struct spec *s, const struct tval *v,
			 struct buf *out)
{
	cleanup_buf struct buf text = BUF_INIT;
	bool done = true;

	switch (v->kind) {
	case TV_BOOL:
		done = s->verb == 't' || s->verb == 'v';
		buf_adds(&text, v->b ? "true" : "false");
		if (done)
			add_padded(s, &text, false, out);
		break;
	case TV_INT:
	case TV_UINT:
		done = format_integer(s, v, out);
		break;
	case TV_FLOAT:
		done = format_float(s, v, out);
		break;
	case TV_STRING:
		done = format_string(s, v, out);
		break;
	case TV_LIST:
	case TV_MAP:
	case TV_STRUCT:
		format_container(f, s, v, out);
		break;
	default:
		done = s->verb == 'v';
		buf_adds(&text, "<nil>");
		if (done)
			add_padded(s, &text, false, out);
	}
	if (!done)
		bad_verb(f, s, v, out);
}

/* A number or "*" at *p; -1 when there is none. */
static int parse_number(struct tprintf *f, const char **p, const char *end)
{
	int n = -1;

	if (*p < end && **p == '*') {
		(*p)++;
		if (f->next < f->n && f->v[f->next].kind == TV_INT &&
		    f->v[f->next].i >= -WIDTH_MAX && f->v[f->next].i <= WIDTH_MAX)
			return (int)f->v[f->next++].i;
		buf_adds(f->out, "%!(BADWIDTH)");
		f->next += f->next < f->n;
		return -1;
	}
	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++) {
		n = (n < 0 ? 0 : n) * 10 + (**p - '0');
		n = n > WIDTH_MAX ? WIDTH_MAX : n;
	}
	return n;
}

/* "[2]" in front of a verb: which argument is next. */
static bool parse_index(struct tprintf *f, const char **p, const char *end)
{
	const char *close;
	size_t n = 0;

	if (*p >= end || **p != '[')
		return true;
	close = memchr(*p, ']', (size_t)(end - *p));
	for ((*p)++; *p < end && **p >= '0' && **p <= '9'; (*p)++)
		n = n < 1000 ? n * 10 + (size_t)(**p - '0') : n;
	f->reordered = true;
	if (*p != close || n < 1 || n > f->n - 1) {
		*p = close ? close + 1 : *p;
		return false;
	}
	(*p)++;
	f->next = n; /* 0 is the format */
	return true;
}

static void parse_flags(const char **p, const char *end, struct spec *s)
{
	for (; *p < end; (*p)++) {
		switch (**p) {
		case '-':
			s->minus = true;
			break;
		case '+':
			s->plus = true;
			break;
		case '#':
			s->sharp = true;
			break;
		case ' ':
			s->space = true;
			break;
		case '0':
			s->zero = true;
			break;
		default:
			return;
		}
	}
}

/* Behind the percent sign. */
static const char *one_verb(struct tprintf *f, const char *p, const char *end)
{
	struct spec s = { .width = -1, .precision = -1 };
	size_t len = 1;
	bool index;

	parse_flags(&p, end, &s);
	index = parse_index(f, &p, end);
	s.width = parse_number(f, &p, end);
	if (s.width < -1) {
		s.minus = true;
		s.width = -s.width;
	}
	if (p < end && *p == '.') {
		p++;
		index = parse_index(f, &p, end) && index;
		s.precision = parse_number(f, &p, end);
		s.precision = s.precision < 0 ? 0 : s.precision;
	}
	index = parse_index(f, &p, end) && index;
	if (p >= end) {
		buf_adds(f->out, "%!(NOVERB)");
		return p;
	}
	s.verb = tprint_rune(p, (size_t)(end - p), &len);
	if (s.verb == 'v' && s.plus) {
		s.names = true;
		s.plus = false;
	}
	if (s.verb == '%') {
		buf_addc(f->out, '%');
	} else if (!index || f->next >= f->n) {
		buf_adds(f->out, "%!");
		tprint_utf8(s.verb, f->out);
		buf_adds(f->out, index ? "(MISSING)" : "(BADINDEX)");
	} else if (s.verb == 'T') {
		const char *name = type_name(&f->v[f->next++]);
		const struct tval text = tval_string(name, strlen(name));

		s.verb = 's';
		format_value(f, &s, &text, f->out);
	} else {
		format_value(f, &s, &f->v[f->next++], f->out);
	}
	return p + len;
}

static void extra(struct tprintf *f)
{
	static const struct spec plain = { .width = -1, .precision = -1 };

	buf_adds(f->out, "%!(EXTRA ");
	for (size_t i = f->next; i < f->n; i++) {
		buf_adds(f->out, i > f->next ? ", " : "");
		typed(f, &plain, &f->v[i], f->out);
	}
	buf_addc(f->out, ')');
}

void tprintf_values(struct texec *x, const struct tval *v, size_t n, struct buf *out)
{
	struct tprintf f = { .x = x, .v = v, .n = n, .next = 1, .out = out };
	const char *p = v[0].s, *end = v[0].s + v[0].len;

	while (p < end) {
		const char *percent = memchr(p, '%', (size_t)(end - p));

		buf_add(out, p, (size_t)((percent ? percent : end) - p));
		if (!percent)
			break;
		p = one_verb(&f, percent + 1, end);
	}
	if (!f.reordered && f.next < n)
		extra(&f);
}

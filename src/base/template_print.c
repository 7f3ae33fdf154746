/* SPDX-License-Identifier: Apache-2.0 */
/* Values as Go's fmt prints them. */
#include "base/template_internal.h"

#include <inttypes.h>
#include <math.h>

#include "base/str.h"

#define DIGITS_MAX 17 /* that tell every double from its neighbours */
#define LARGE      6  /* from this power of ten on %g writes it */
#define WRONG      0xfffd

uint32_t tprint_rune(const char *s, size_t len, size_t *ret_len)
{
	static const unsigned char masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	char one[5] = "";
	uint32_t c;
	size_t n;

	memcpy(one, s, len < 4 ? len : 4);
	n = str_utf8_len(one);
	*ret_len = n ? n : 1;
	if (!n)
		return *s ? WRONG : 0;
	c = (unsigned char)s[0] & masks[n];
	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	return c;
}

void tprint_utf8(uint32_t c, struct buf *out)
{
	if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		c = WRONG;
	if (c < 0x80) {
		buf_addc(out, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_addc(out, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			buf_addc(out, (char)(0xe0 | c >> 12));
		} else {
			buf_addc(out, (char)(0xf0 | c >> 18));
			buf_addc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		buf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_addc(out, (char)(0x80 | (c & 0x3f)));
}

/* As unicode.IsPrint, but for characters that nobody has assigned. */
bool tprint_printable(uint32_t c)
{
	static const struct {
		uint32_t from, to;
	} not [] = {
		{ 0, 0x1f },
		{ 0x7f, 0xa0 },
		{ 0xad, 0xad },
		{ 0x600, 0x605 },
		{ 0x61c, 0x61c },
		{ 0x6dd, 0x6dd },
		{ 0x70f, 0x70f },
		{ 0x1680, 0x1680 },
		{ 0x180e, 0x180e },
		{ 0x2000, 0x200f },
		{ 0x2028, 0x202f },
		{ 0x205f, 0x206f },
		{ 0x3000, 0x3000 },
		{ 0xd800, 0xf8ff },
		{ 0xfeff, 0xfeff },
		{ 0xfff0, 0xfffb },
		{ 0xfffe, 0xffff },
		{ 0xe0000, 0xe00ff },
		{ 0xf0000, 0x7fffffff },
	};

	for (size_t i = 0; i < ARRAY_SIZE(not ); i++)
		if (c >= not [i].from && c <= not [i].to)
			return false;
	return true;
}

void tprint_quoted(const char *s, size_t len, bool ascii, struct buf *out)
{
	static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";
	size_t n;

	buf_addc(out, '"');
	for (; len > 0; s += n, len -= n) {
		uint32_t c = tprint_rune(s, len, &n);
		const char *simple = c && c < 0x80 ? strchr(from, (char)c) : NULL;

		if (simple)
			buf_addf(out, "\\%c", to[simple - from]);
		else if (n == 1 && c == WRONG)
			buf_addf(out, "\\x%02x", (unsigned char)*s);
		else if (c < 0x80 ? tprint_printable(c) : !ascii && tprint_printable(c))
			buf_add(out, s, n);
		else if (c < 0x80)
			buf_addf(out, "\\x%02x", c);
		else
			buf_addf(out, c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
	}
	buf_addc(out, '"');
}

/* The fewest digits that read back as the same number: "1234" and the power of ten of the first. */
static int shortest(double f, char digits[DIGITS_MAX + 1])
{
	char text[40];
	size_t n = 0;

	for (int precision = 0; precision < DIGITS_MAX; precision++) {
		snprintf(text, sizeof(text), "%.*e", precision, f);
		if (strtod(text, NULL) == f) /* exact: it is what reading back means */
			break;
	}
	for (const char *c = text; *c && *c != 'e'; c++)
		if (*c >= '0' && *c <= '9')
			digits[n++] = *c;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	digits[n] = '\0';
	return (int)strtol(strchr(text, 'e') + 1, NULL, 10);
}

static void scientific(const char *digits, int exponent, struct buf *out)
{
	buf_addc(out, digits[0]);
	if (digits[1])
		buf_addf(out, ".%s", digits + 1);
	buf_addf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

static void positional(const char *digits, int exponent, struct buf *out)
{
	int n = (int)strlen(digits);

	if (exponent < 0)
		buf_adds(out, "0.");
	for (int i = exponent + 1; i < 0; i++)
		buf_addc(out, '0');
	for (int i = 0; i < n || i <= exponent; i++) {
		if (i == exponent + 1 && exponent >= 0)
			buf_addc(out, '.');
		buf_addc(out, i < n ? digits[i] : '0');
	}
}

void tprint_float(double f, char verb, int precision, bool plus, struct buf *out)
{
	char digits[DIGITS_MAX + 1];
	int exponent;

	if (isnan(f)) {
		buf_adds(out, plus ? "+NaN" : "NaN");
		return;
	}
	if (signbit(f) || plus)
		buf_addc(out, signbit(f) ? '-' : '+');
	f = fabs(f);
	if (isinf(f)) {
		/* fmt's infinity has its sign always, %v's only a plus */
		if (!out->len || (out->data[out->len - 1] != '-' && out->data[out->len - 1] != '+'))
			buf_addc(out, '+');
		buf_adds(out, "Inf");
		return;
	}
	if (precision >= 0) {
		char text[PRECISION_MAX + 320]; /* and the largest double */

		if (verb == 'e' || verb == 'E')
			snprintf(text, sizeof(text), "%.*e", precision, f);
		else if (verb == 'f' || verb == 'F')
			snprintf(text, sizeof(text), "%.*f", precision, f);
		else
			snprintf(text, sizeof(text), "%.*g", precision, f);
		buf_adds(out, text);
		return;
	}
	exponent = shortest(f, digits);
	if (f != 0 && (exponent < -4 || exponent >= LARGE))
		scientific(digits, exponent, out);
	else
		positional(digits, exponent, out);
}

static void print_container(struct texec *x, const struct tval *v, struct buf *out)
{
	const struct tmember *members;
	uint32_t n;

	if (v->kind == TV_LIST) {
		buf_addc(out, '[');
		for (uint32_t i = 0; i < v->n; i++) {
			const struct tval element = tval_element(x, v, i);

			if (i)
				buf_addc(out, ' ');
			tprint_value(x, &element, out);
		}
		buf_addc(out, ']');
		return;
	}
	members = tval_members(x, v, &n);
	buf_adds(out, v->kind == TV_MAP ? "map[" : "{");
	for (uint32_t i = 0; i < n; i++) {
		buf_addf(out, "%s%s%s", i ? " " : "", v->kind == TV_MAP ? members[i].key : "",
			 v->kind == TV_MAP ? ":" : "");
		if (members[i].value.kind == TV_NONE || members[i].value.kind == TV_NULL)
			buf_adds(out, "<nil>");
		else
			tprint_value(x, &members[i].value, out);
	}
	buf_addc(out, v->kind == TV_MAP ? ']' : '}');
}

void tprint_value(struct texec *x, const struct tval *v, struct buf *out)
{
	switch (v->kind) {
	case TV_NONE:
		buf_adds(out, "<no value>");
		break;
	case TV_NULL:
	case TV_NIL:
		buf_adds(out, "<nil>");
		break;
	case TV_BOOL:
		buf_adds(out, v->b ? "true" : "false");
		break;
	case TV_INT:
		buf_addf(out, "%" PRId64, v->i);
		break;
	case TV_UINT:
		buf_addf(out, "%" PRIu64, v->u);
		break;
	case TV_FLOAT:
		tprint_float(v->f, 'v', -1, false, out);
		break;
	case TV_STRING:
		buf_add(out, v->s, v->len);
		break;
	default:
		print_container(x, v, out);
	}
}

void tprint_all(struct texec *x, const struct tval *v, size_t n, bool line, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		struct tval one = v[i];

		/* a space where two stand side by side that are no strings */
		if (i && (line || (v[i].kind != TV_STRING && v[i - 1].kind != TV_STRING)))
			buf_addc(out, ' ');
		if (one.kind == TV_NONE)
			one.kind = TV_NULL;
		tprint_value(x, &one, out);
	}
	if (line)
		buf_addc(out, '\n');
}

/* As JavaScript writes numbers. */
static void json_float(double f, struct buf *out)
{
	char digits[DIGITS_MAX + 1];
	double size = fabs(f);
	int exponent;

	if (isnan(f) || isinf(f)) {
		buf_adds(out, "null");
		return;
	}
	exponent = shortest(size, digits);
	if (signbit(f))
		buf_addc(out, '-');
	if (size > 0 && (size < 1e-6 || size >= 1e21))
		buf_addf(out, "%c%s%se%c%d", digits[0], digits[1] ? "." : "", digits + 1,
			 exponent < 0 ? '-' : '+', abs(exponent));
	else
		positional(digits, exponent, out);
}

static void json_string(const char *s, size_t len, struct buf *out)
{
	cleanup_free char *copy = xstrndup(s, len);
	const char *p = copy;

	/* NUL can't be in JSON's data, but in a template's string */
	json_write_string(out, strlen(p) == len ? p : "");
}

void tprint_json(struct texec *x, const struct tval *v, struct buf *out)
{
	const struct tmember *members;
	uint32_t n;

	switch (v->kind) {
	case TV_NONE:
	case TV_NULL:
	case TV_NIL:
		buf_adds(out, "null");
		break;
	case TV_STRING:
		json_string(v->s, v->len, out);
		break;
	case TV_FLOAT:
		json_float(v->f, out);
		break;
	case TV_LIST:
		if (v->json && v->json->type == JSON_TYPE_NULL) { /* JSON_NIL_LIST */
			buf_adds(out, "null");
			break;
		}
		buf_addc(out, '[');
		for (uint32_t i = 0; i < v->n; i++) {
			const struct tval element = tval_element(x, v, i);

			buf_adds(out, i ? "," : "");
			tprint_json(x, &element, out);
		}
		buf_addc(out, ']');
		break;
	case TV_STRUCT:
		if (v->json)
			json_tree_write(v->json, out);
		else
			buf_adds(out, "{}");
		break;
	case TV_MAP:
		members = tval_members(x, v, &n);
		buf_addc(out, '{');
		for (uint32_t i = 0; i < n; i++) {
			buf_adds(out, i ? "," : "");
			json_write_string(out, members[i].key);
			buf_addc(out, ':');
			tprint_json(x, &members[i].value, out);
		}
		buf_addc(out, '}');
		break;
	default:
		tprint_value(x, v, out);
	}
}

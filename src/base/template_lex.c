/* SPDX-License-Identifier: Apache-2.0 */
#include "base/template_internal.h"

#include <math.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word(char c)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c & 0x80);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

size_t template_right(const char *s, bool *ret_trim)
{
	*ret_trim = is_space(s[0]) && s[1] == '-' && s[2] == '}' && s[3] == '}';
	if (*ret_trim)
		return 4;
	return s[0] == '}' && s[1] == '}' ? 2 : 0;
}

static struct ttoken token(const struct tlexer *l, enum ttoken_kind kind, const char *start)
{
	return (struct ttoken){ .kind = kind,
				.s = start,
				.len = (uint32_t)(l->p - start),
				.at = (uint32_t)(start - l->text) };
}

static struct ttoken lex_fail(struct tlexer *l, const char *at, const char *why)
{
	template_fail_at(l->text, (size_t)(at - l->text), l->err, "%s", why);
	return (struct ttoken){ .kind = TT_ERROR };
}

static struct ttoken lex_space(struct tlexer *l)
{
	const char *start = l->p;
	bool trim;

	/* the last one may belong to the delimiter */
	while (is_space(*l->p) && !template_right(l->p, &trim))
		l->p++;
	return token(l, TT_SPACE, start);
}

/* What may stand behind a field, variable or word. */
static bool ends_word(const char *p)
{
	return !*p || is_space(*p) || strchr(".,|:()=", *p) || (p[0] == '}' && p[1] == '}');
}

static struct ttoken lex_name(struct tlexer *l, enum ttoken_kind kind, const char *start)
{
	struct ttoken t;

	while (is_word(*l->p))
		l->p++;
	if (!ends_word(l->p))
		return lex_fail(l, l->p, "unexpected character in a name");
	t = token(l, kind, start);
	if (kind == TT_WORD && ((t.len == 4 && strncmp(t.s, "true", 4) == 0) ||
				(t.len == 5 && strncmp(t.s, "false", 5) == 0))) {
		t.kind = TT_CONST;
		t.value = tval_bool(t.len == 4);
		t.value.constant = true;
	}
	return t;
}

static struct ttoken constant(const struct tlexer *l, const char *start, struct tval value)
{
	struct ttoken t = token(l, TT_CONST, start);

	t.value = value;
	t.value.constant = true;
	return t;
}

/* Digits of the base with "_" between them, copied without; -1: a "_" in a wrong place. */
static int digits(struct tlexer *l, int base, struct buf *out, bool after_prefix)
{
	bool digit = after_prefix;
	int n = 0;

	for (;; l->p++) {
		int c = (unsigned char)*l->p, value = 99;

		if (c == '_') {
			if (!digit)
				return -1;
			digit = false;
			continue;
		}
		if (is_digit((char)c))
			value = c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value = (c | 0x20) - 'a' + 10;
		if (value >= base)
			return n == 0 || digit ? n : -1;
		buf_addc(out, (char)c);
		digit = true;
		n++;
	}
}

/* The text is an integer, with sign, without prefix. */
static bool integer(const char *s, int base, struct tval *ret)
{
	bool minus = *s == '-';
	uint64_t u;
	char *end;

	s += *s == '-' || *s == '+';
	errno = 0;
	u = strtoull(s, &end, base);
	if (errno || *end || u > (uint64_t)INT64_MAX + minus)
		return false;
	*ret = tval_int(minus ? (int64_t)(0 - u) : (int64_t)u);
	return true;
}

static int number_prefix(struct tlexer *l)
{
	static const char letters[] = "xob";
	static const int bases[] = { 16, 8, 2 };
	const char *c;

	if (l->p[0] != '0' || !l->p[1])
		return 10;
	c = strchr(letters, l->p[1] | 0x20);
	if (!c)
		return 10;
	l->p += 2;
	return bases[c - letters];
}

/* The fraction and exponent behind the digits; false: there are none. */
static bool fraction(struct tlexer *l, struct buf *text, int *ret)
{
	bool found = false;

	if (*l->p == '.') {
		buf_addc(text, *l->p++);
		found = true;
		if (digits(l, 10, text, false) < 0)
			*ret = -1;
	}
	if ((*l->p | 0x20) == 'e') {
		buf_addc(text, *l->p++);
		found = true;
		if (*l->p == '+' || *l->p == '-')
			buf_addc(text, *l->p++);
		if (digits(l, 10, text, false) <= 0)
			*ret = -1;
	}
	return found;
}

static struct ttoken lex_number(struct tlexer *l)
{
	cleanup_buf struct buf text = BUF_INIT;
	const char *start = l->p;
	struct tval value;
	bool real = false;
	int base, n;

	if (*l->p == '-' || *l->p == '+')
		buf_addc(&text, *l->p++);
	base = number_prefix(l);
	n = digits(l, base, &text, base != 10);
	if (base == 10 && n >= 0)
		real = fraction(l, &text, &n);
	if (n < 0 || (n == 0 && !real) || is_word(*l->p) || !ends_word(l->p))
		return lex_fail(l, start, "bad number syntax");
	if (real) {
		value = (struct tval){ .kind = TV_FLOAT, .f = strtod(buf_str(&text), NULL) };
		if (isinf(value.f) || n < 0)
			return lex_fail(l, start, "number out of range");
		return constant(l, start, value);
	}
	/* a leading zero: octal, as in Go */
	if (base == 10 && n > 1 && buf_str(&text)[text.len - (size_t)n] == '0')
		base = 8;
	if (!integer(buf_str(&text), base, &value))
		return lex_fail(l, start, "integer overflow or bad number syntax");
	return constant(l, start, value);
}

/* Value of n digits of the base, -1 if they aren't. */
static int64_t escape_number(const char **p, int n, int base)
{
	int64_t value = 0;

	for (int i = 0; i < n; i++, (*p)++) {
		int c = (unsigned char)**p,
		    digit = is_digit((char)c) ? c - '0' : (c | 0x20) - 'a' + 10;

		if (!c || digit < 0 || digit >= base || (!is_digit((char)c) && (c | 0x20) < 'a'))
			return -1;
		value = value * base + digit;
	}
	return value;
}

/* The escape behind a backslash at *p. A rune, or with *ret_byte a byte; -1: there is no such. */
static int64_t unescape(const char **p, char quote, bool *ret_byte)
{
	static const char from[] = "abfnrtv\\", to[] = "\a\b\f\n\r\t\v\\";
	const char *simple = **p ? strchr(from, **p) : NULL;
	char c = **p;
	int64_t value;

	*ret_byte = false;
	if (simple || c == quote) {
		(*p)++;
		return simple ? to[simple - from] : quote;
	}
	*ret_byte = c == 'x' || is_digit(c);
	if (is_digit(c)) {
		value = escape_number(p, 3, 8);
		return value > 255 ? -1 : value;
	}
	if (c != 'x' && c != 'u' && c != 'U')
		return -1;
	(*p)++;
	value = escape_number(p, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16);
	if (value > 0x10ffff || (!*ret_byte && value >= 0xd800 && value < 0xe000))
		return -1;
	return value;
}

static struct ttoken lex_string(struct tlexer *l)
{
	cleanup_buf struct buf out = BUF_INIT;
	const char *start = l->p++;

	while (*l->p != '"') {
		bool byte = true;
		int64_t c = (unsigned char)*l->p++;

		if (c == '\0' || c == '\n')
			return lex_fail(l, start, "unterminated quoted string");
		if (c == '\\')
			c = unescape(&l->p, '"', &byte);
		if (c < 0)
			return lex_fail(l, start, "invalid escape in a string");
		if (byte)
			buf_addc(&out, (char)c);
		else
			tprint_utf8((uint32_t)c, &out);
	}
	l->p++;
	return constant(l, start, tval_string(tarena_copy(l->arena, out.data, out.len), out.len));
}

static struct ttoken lex_raw_string(struct tlexer *l)
{
	cleanup_buf struct buf out = BUF_INIT;
	const char *start = l->p++;

	for (; *l->p != '`'; l->p++) {
		if (!*l->p)
			return lex_fail(l, start, "unterminated raw quoted string");
		if (*l->p != '\r')
			buf_addc(&out, *l->p);
	}
	l->p++;
	return constant(l, start, tval_string(tarena_copy(l->arena, out.data, out.len), out.len));
}

static struct ttoken lex_char(struct tlexer *l)
{
	const char *start = l->p++;
	size_t len = 1;
	int64_t c;
	bool byte;

	if (*l->p == '\\') {
		l->p++;
		c = unescape(&l->p, '\'', &byte);
	} else {
		c = *l->p && *l->p != '\'' && *l->p != '\n'
			? (int64_t)tprint_rune(l->p, strlen(l->p), &len)
			: -1;
		l->p += c < 0 ? 0 : len;
	}
	if (c < 0 || *l->p != '\'')
		return lex_fail(l, start, "malformed character constant");
	l->p++;
	return constant(l, start, tval_int(c));
}

static struct ttoken lex_sign(struct tlexer *l)
{
	static const struct {
		char c;
		enum ttoken_kind kind;
	} signs[] = {
		{ '|', TT_PIPE }, { '=', TT_ASSIGN }, { ',', TT_COMMA },
		{ '(', TT_OPEN }, { ')', TT_CLOSE },
	};
	const char *start = l->p;

	if (start[0] == ':' && start[1] == '=') {
		l->p += 2;
		return token(l, TT_DECLARE, start);
	}
	for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
		if (signs[i].c == *start) {
			l->p++;
			return token(l, signs[i].kind, start);
		}
	}
	return lex_fail(l, start, *start ? "unexpected character" : "unclosed action");
}

struct ttoken template_lex(struct tlexer *l)
{
	const char *start = l->p;
	size_t right = template_right(start, &l->trim);

	if (right) {
		l->p += right;
		return token(l, TT_END, start);
	}
	if (is_space(*start))
		return lex_space(l);
	if (*start == '"')
		return lex_string(l);
	if (*start == '`')
		return lex_raw_string(l);
	if (*start == '\'')
		return lex_char(l);
	if (*start == '$') {
		l->p++;
		return lex_name(l, TT_VARIABLE, start);
	}
	if (*start == '.' && !is_digit(start[1])) {
		l->p++;
		if (!is_word(*l->p))
			return token(l, TT_DOT, start);
		return lex_name(l, TT_FIELD, start + 1);
	}
	if (*start == '.' || *start == '+' || *start == '-' || is_digit(*start))
		return lex_number(l);
	return is_word(*start) ? lex_name(l, TT_WORD, start) : lex_sign(l);
}

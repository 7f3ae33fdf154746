/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_internal.h"

#include <ctype.h>

#include "base/str.h"

static bool fault(struct json_lexer *l, const char *why)
{
	l->why = why;
	return false;
}

static bool is_digit(const struct json_lexer *l)
{
	return l->p < l->end && *l->p >= '0' && *l->p <= '9';
}

static bool is_char(const struct json_lexer *l, char c)
{
	return l->p < l->end && *l->p == c;
}

/* The text need not be terminated, so its last bytes are looked at in a copy. */
static size_t utf8_len(const struct json_lexer *l)
{
	size_t left = (size_t)(l->end - l->p);
	char tail[5] = { 0 };

	if (left >= 4)
		return str_utf8_len(l->p);
	memcpy(tail, l->p, left);
	return str_utf8_len(tail);
}

static bool lex_escape(struct json_lexer *l)
{
	size_t left = (size_t)(l->end - ++l->p);

	if (left == 0 || !strchr("\"\\/bfnrtu", *l->p) || !*l->p)
		return fault(l, "invalid escape in a string");
	if (*l->p != 'u') {
		l->p++;
		return true;
	}
	for (size_t i = 1; i <= 4; i++) {
		if (i >= left || !isxdigit((unsigned char)l->p[i]))
			return fault(l, "invalid escape in a string");
	}
	/* nothing in these formats may hold one, and C strings would end there */
	if (memcmp(l->p + 1, "0000", 4) == 0)
		return fault(l, "NUL character in a string");
	l->p += 5;
	return true;
}

static bool lex_string(struct json_lexer *l)
{
	for (l->p++; l->p < l->end;) {
		unsigned char c = (unsigned char)*l->p;
		size_t n = 1;

		if (c == '"') {
			l->p++;
			return true;
		}
		if (c == '\\') {
			if (!lex_escape(l))
				return false;
			continue;
		}
		if (c < 0x20)
			return fault(l, "control character in a string");
		if (c >= 0x80)
			n = utf8_len(l);
		if (n == 0)
			return fault(l, "invalid UTF-8 in a string");
		l->p += n;
	}
	return fault(l, "unexpected end inside a string");
}

static bool lex_digits(struct json_lexer *l)
{
	if (!is_digit(l))
		return fault(l, "invalid number");
	while (is_digit(l))
		l->p++;
	return true;
}

static bool fits(const char *s, size_t len)
{
	char copy[24];
	int64_t i;
	uint64_t u;

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, s, len);
	copy[len] = '\0';
	if (str_eq(copy, "-0"))
		return true;
	return copy[0] == '-' ? str_parse_i64(copy, &i) == 0 : str_parse_u64(copy, &u) == 0;
}

static bool lex_number(struct json_lexer *l)
{
	const char *start = l->p;
	bool integer = true;

	if (is_char(l, '-'))
		l->p++;
	if (is_char(l, '0')) {
		l->p++;
		if (is_digit(l))
			return fault(l, "number with a leading zero");
	} else if (!lex_digits(l)) {
		return false;
	}
	if (is_char(l, '.')) {
		integer = false;
		l->p++;
		if (!lex_digits(l))
			return false;
	}
	if (is_char(l, 'e') || is_char(l, 'E')) {
		integer = false;
		l->p++;
		if (is_char(l, '-') || is_char(l, '+'))
			l->p++;
		if (!lex_digits(l))
			return false;
	}
	if (integer && !fits(start, (size_t)(l->p - start))) {
		l->p = start;
		return fault(l, "integer of more than 64 bits");
	}
	return true;
}

static bool lex_word(struct json_lexer *l)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i]);

		if ((size_t)(l->end - l->p) >= n && memcmp(l->p, words[i], n) == 0) {
			l->p += n;
			return true;
		}
	}
	return fault(l, "unexpected character");
}

char json_lex(struct json_lexer *l)
{
	char c;
	bool ok = true;

	while (l->p < l->end && (*l->p == ' ' || *l->p == '\n' || *l->p == '\t' || *l->p == '\r'))
		l->p++;
	if (l->p == l->end)
		return '\0';
	l->token = l->p;
	c = *l->p;
	switch (c) {
	case '{':
	case '}':
	case '[':
	case ']':
	case ',':
	case ':':
		l->p++;
		break;
	case '"':
		ok = lex_string(l);
		break;
	case '-':
	case '0' ... '9':
		ok = lex_number(l);
		break;
	default:
		ok = lex_word(l);
	}
	return ok ? c : '\0';
}

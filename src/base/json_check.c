/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_internal.h"

#include <ctype.h>
#include <json-c/json.h>

#include "base/str.h"

struct lexer {
	const char *p, *end;
	const char *token; /* start of the last one */
	const char *why;
};

static bool fault(struct lexer *l, const char *why)
{
	l->why = why;
	return false;
}

static bool is_digit(const struct lexer *l)
{
	return l->p < l->end && *l->p >= '0' && *l->p <= '9';
}

static bool is_char(const struct lexer *l, char c)
{
	return l->p < l->end && *l->p == c;
}

/* The text need not be terminated, so its last bytes are looked at in a copy. */
static size_t utf8_len(const struct lexer *l)
{
	size_t left = (size_t)(l->end - l->p);
	char tail[5] = { 0 };

	if (left >= 4)
		return str_utf8_len(l->p);
	memcpy(tail, l->p, left);
	return str_utf8_len(tail);
}

static bool lex_escape(struct lexer *l)
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

static bool lex_string(struct lexer *l)
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

static bool lex_digits(struct lexer *l)
{
	if (!is_digit(l))
		return fault(l, "invalid number");
	while (is_digit(l))
		l->p++;
	return true;
}

/* json-c clamps what does not fit. */
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

static bool lex_number(struct lexer *l)
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

static bool lex_word(struct lexer *l)
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

/* The next token's first byte, or 0 at the end or at a fault. Leaves p behind the token. */
static char lex(struct lexer *l)
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

ssize_t json_check_tokens(const char *text, size_t len, struct json_fault *fault)
{
	struct lexer l = { .p = text, .end = text + len };
	ssize_t members = 0;
	char c;

	while ((c = lex(&l)))
		members += c == ':';
	fault->why = l.why;
	fault->at = (size_t)(l.p - text);
	return l.why ? -EINVAL : members;
}

/* Adds the name, a string token, to the set. True when it was there. */
static bool add_name(struct json_object *set, const char *token, size_t len)
{
	struct json_tokener *tok = json_tokener_new();
	struct json_object *name = tok ? json_tokener_parse_ex(tok, token, (int)len) : NULL;
	const char *s = json_object_get_string(name);
	bool had = s && json_object_object_get_ex(set, s, NULL);

	if (s && !had)
		json_object_object_add(set, s, NULL);
	json_object_put(name);
	json_tokener_free(tok);
	return had;
}

char *json_find_duplicate(const char *text, size_t len)
{
	struct lexer l = { .p = text, .end = text + len };
	struct json_object *sets[JSON_DEPTH_MAX + 1] = { NULL };
	const char *token = NULL;
	size_t token_len = 0;
	char *found = NULL;
	int depth = 0;
	char c;

	while (!found && (c = lex(&l))) {
		if ((c == '{' || c == '[') && depth < JSON_DEPTH_MAX) {
			sets[++depth] = json_object_new_object();
		} else if ((c == '}' || c == ']') && depth > 0) {
			json_object_put(sets[depth--]);
		} else if (c == '"') {
			token = l.token;
			token_len = (size_t)(l.p - token);
		} else if (c == ':' && token && add_name(sets[depth], token, token_len)) {
			found = xstrndup(token + 1, token_len - 2);
		}
	}
	while (depth > 0)
		json_object_put(sets[depth--]);
	return found;
}

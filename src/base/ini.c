/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ini.h"

#include "base/str.h"

#define BLANK " \t"
#define WORD  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
#define KEY   WORD "./"

struct parser {
	struct ini_entry entry;
	char section[INI_LINE_MAX + 1], subject[INI_LINE_MAX + 1];
	int (*fn)(void *ctx, const struct ini_entry *entry, struct err *err);
	void *ctx;
};

static char *trim(char *s)
{
	size_t n;

	s += strspn(s, BLANK);
	n = strlen(s);
	while (n > 0 && strchr(BLANK, s[n - 1]))
		n--;
	s[n] = '\0';
	return s;
}

static int bad_section(struct err *err)
{
	return err_fail(err, ERR_INVALID, "expected [section] or [section \"name\"]");
}

/* s is trimmed and begins with a bracket. */
static int parse_section(struct parser *p, char *s, struct err *err)
{
	size_t n = strlen(s);
	char *rest;

	if (s[n - 1] != ']')
		return bad_section(err);
	s[n - 1] = '\0';
	s = trim(s + 1);
	n = strspn(s, WORD);
	if (n == 0)
		return bad_section(err);
	rest = s + n;
	p->entry.subject = NULL;
	if (*rest) {
		rest = trim(rest);
		size_t len = strlen(rest);
		if (len < 3 || rest[0] != '"' || strchr(rest + 1, '"') != rest + len - 1)
			return bad_section(err);
		snprintf(p->subject, sizeof(p->subject), "%.*s", (int)len - 2, rest + 1);
		p->entry.subject = p->subject;
	}
	snprintf(p->section, sizeof(p->section), "%.*s", (int)n, s);
	p->entry.section = p->section;
	p->entry.key = p->entry.value = NULL;
	return p->fn(p->ctx, &p->entry, err);
}

static int parse_key(struct parser *p, char *s, struct err *err)
{
	char *equals = strchr(s, '=');
	char *key, *value;
	size_t n;

	if (!equals)
		return err_fail(err, ERR_INVALID, "expected KEY = VALUE");
	*equals = '\0';
	key = trim(s);
	value = trim(equals + 1);
	if (!*key || strspn(key, KEY) != strlen(key))
		return err_fail(err, ERR_INVALID,
				"a key has letters, digits, \"_\", \"-\", \".\" and \"/\" only");
	n = strlen(value);
	if (value[0] == '"') {
		if (n < 2 || strchr(value + 1, '"') != value + n - 1)
			return err_fail(err, ERR_INVALID, "expected a quote at the end");
		value[n - 1] = '\0';
		value++;
	}
	p->entry.key = key;
	p->entry.value = value;
	return p->fn(p->ctx, &p->entry, err);
}

static int check_text(const char *s, size_t len, struct err *err)
{
	for (size_t i = 0; i < len;) {
		unsigned char c = (unsigned char)s[i];
		size_t n = str_utf8_len(s + i);

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return err_fail(err, ERR_INVALID, "a control character");
		if (n == 0)
			return err_fail(err, ERR_INVALID, "not UTF-8");
		i += n;
	}
	return 0;
}

static int parse_line(struct parser *p, const char *line, size_t len, struct err *err)
{
	char copy[INI_LINE_MAX + 1];
	char *s;
	int r;

	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (len > INI_LINE_MAX)
		return err_fail(err, ERR_LIMIT, "longer than %d bytes", INI_LINE_MAX);
	memcpy(copy, line, len);
	copy[len] = '\0';
	r = check_text(copy, len, err);
	if (r < 0)
		return r;
	s = trim(copy);
	if (!*s || *s == '#' || *s == ';')
		return 0;
	return *s == '[' ? parse_section(p, s, err) : parse_key(p, s, err);
}

int ini_parse(const char *text, size_t len, const char *what,
	      int (*fn)(void *ctx, const struct ini_entry *entry, struct err *err), void *ctx,
	      struct err *err)
{
	static const char mark[] = "\xef\xbb\xbf"; /* what editors of Windows put first */
	struct parser p = { .entry.section = "", .fn = fn, .ctx = ctx };
	const char *end = text + len;

	if (len > INI_BYTES_MAX)
		return err_fail(err, ERR_LIMIT, "%s: larger than %u bytes", what, INI_BYTES_MAX);
	if (len >= 3 && memcmp(text, mark, 3) == 0)
		text += 3;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((newline ? newline : end) - text);
		int r;

		p.entry.line++;
		r = parse_line(&p, text, n, err);
		if (r < 0)
			return err_wrap(err, r, "%s:%zu", what, p.entry.line);
		text += n + 1;
	}
	return 0;
}

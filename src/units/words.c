/* SPDX-License-Identifier: Apache-2.0 */
/* Words of a value in a unit file: file.h. */
#include "base/str.h"
#include "base/strv.h"
#include "units/file.h"

#define SPACE " \t\n\r"

static const struct {
	char letter, byte;
} escapes[] = {
	{ 'a', '\a' }, { 'b', '\b' },  { 'f', '\f' }, { 'n', '\n' },  { 'r', '\r' }, { 't', '\t' },
	{ 'v', '\v' }, { '\\', '\\' }, { '"', '"' },  { '\'', '\'' }, { 's', ' ' },
};

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

/* n digits; -1: they are not there. */
static int64_t number(const char *s, size_t n, int base)
{
	int64_t value = 0;

	for (size_t i = 0; i < n; i++) {
		if (digit(s[i]) >= base)
			return -1;
		value = value * base + digit(s[i]);
	}
	return value;
}

static void add_utf8(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_addc(out, (char)c);
	} else if (c < 0x800) {
		buf_addc(out, (char)(0xc0 | c >> 6));
		buf_addc(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_addc(out, (char)(0xe0 | c >> 12));
		buf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_addc(out, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_addc(out, (char)(0xf0 | c >> 18));
		buf_addc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_addc(out, (char)(0x80 | (c & 0x3f)));
	}
}

/* s is behind the backslash. Returns how much was taken; 0: it is none of the known ones. */
static size_t take_escape(const char *s, struct buf *out)
{
	const bool octal = digit(*s) < 8;
	const char *digits = octal ? s : s + 1;
	size_t n = octal ? 3 : *s == 'x' ? 2 : *s == 'u' ? 4 : *s == 'U' ? 8 : 0;
	int64_t value;

	for (size_t i = 0; i < ARRAY_SIZE(escapes); i++)
		if (*s == escapes[i].letter) {
			buf_addc(out, escapes[i].byte);
			return 1;
		}
	value = n ? number(digits, n, octal ? 8 : 16) : -1;
	if (value <= 0 || value > 0x10ffff || (value >= 0xd800 && value < 0xe000 && n >= 4) ||
	    (octal && value > 0xff))
		return 0;
	if (n >= 4)
		add_utf8(out, (uint32_t)value);
	else
		buf_addc(out, (char)value);
	return (size_t)(digits - s) + n;
}

/* One word from s on, which begins it; returns where it ends, or NULL. */
static const char *take_word(const char *s, struct buf *out, struct err *err)
{
	char quote = '\0';

	for (; *s && (quote || !strchr(SPACE, *s)); s++) {
		if (*s == '\\') {
			size_t n = take_escape(s + 1, out);

			if (n == 0) {
				err_fail(err, ERR_INVALID, "unknown escape \"%.2s\"", s);
				return NULL;
			}
			s += n;
		} else if (quote ? *s == quote : (*s == '"' || *s == '\'')) {
			quote = quote ? '\0' : *s;
		} else {
			buf_addc(out, *s);
		}
	}
	if (quote) {
		err_fail(err, ERR_INVALID, "a quote (%c) is not closed", quote);
		return NULL;
	}
	return s;
}

int unit_words(const char *value, char ***words, struct err *err)
{
	const char *s = value + strspn(value, SPACE);

	while (*s) {
		struct buf word = BUF_INIT;

		s = take_word(s, &word, err);
		if (!s) {
			buf_done(&word);
			return -EINVAL;
		}
		strv_take(words, buf_take(&word));
		s += strspn(s, SPACE);
	}
	return 0;
}

static bool is_plain(const char *word)
{
	if (!*word || str_eq(word, ";"))
		return false;
	for (; *word; word++)
		if ((unsigned char)*word <= ' ' || (unsigned char)*word >= 0x7f ||
		    strchr("\"'\\", *word))
			return false;
	return true;
}

void unit_quote(struct buf *out, const char *word)
{
	if (is_plain(word)) {
		buf_adds(out, word);
		return;
	}
	buf_addc(out, '"');
	while (*word) {
		unsigned char c = (unsigned char)*word;
		size_t n = str_utf8_len(word);

		if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c == '\n')
			buf_adds(out, "\\n");
		else if (c < ' ' || c == 0x7f || n == 0) /* files are UTF-8 */
			buf_addf(out, "\\x%02x", c);
		else
			buf_add(out, word, n);
		word += n ? n : 1;
	}
	buf_addc(out, '"');
}

void unit_quote_all(struct buf *out, char *const *words)
{
	for (size_t i = 0; words && words[i]; i++) {
		if (i)
			buf_addc(out, ' ');
		unit_quote(out, words[i]);
	}
}

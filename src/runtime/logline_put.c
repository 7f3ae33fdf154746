/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/logline.h"

static char *add(char *out, const char *data, size_t len)
{
	memcpy(out, data, len);
	return out + len;
}

static char *adds(char *out, const char *s)
{
	return add(out, s, strlen(s));
}

size_t logline_put_cri(char *out, const char *stamp, enum logline_stream stream, const char *text,
		       size_t len, bool partial)
{
	char *p = add(out, stamp, LOGLINE_STAMP_LEN);

	p = adds(p, stream == LOGLINE_STDERR ? " stderr " : " stdout ");
	*p++ = partial ? 'P' : 'F';
	*p++ = ' ';
	p = add(p, text, len);
	*p++ = '\n';
	return (size_t)(p - out);
}

/* How many bytes of s the character has that the first of them announces; 0: none begins so. */
static size_t utf8_announced(unsigned char c)
{
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if ((c & 0xf0) == 0xe0)
		return 3;
	return c >= 0xf0 && c <= 0xf4 ? 4 : 0;
}

/* Length of the valid sequence at s; 0: there is none; SIZE_MAX: there may be more of it to come.
 */
static size_t utf8_len(const char *s, size_t len)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t want = utf8_announced(u[0]);

	for (size_t i = 1; i < want; i++) {
		unsigned char low = 0x80, high = 0xbf;

		if (i == len)
			return SIZE_MAX;
		/* no long forms, no surrogates, nothing above U+10FFFF */
		if (i == 1 && u[0] == 0xe0)
			low = 0xa0;
		else if (i == 1 && u[0] == 0xf0)
			low = 0x90;
		else if (i == 1 && u[0] == 0xed)
			high = 0x9f;
		else if (i == 1 && u[0] == 0xf4)
			high = 0x8f;
		if (u[i] < low || u[i] > high)
			return 0;
	}
	return want;
}

#define ESCAPE_MAX 6 /* "\ufffd" */

static char *put_escape(char *p, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

	*p++ = '\\';
	switch (c) {
	case '"':
	case '\\':
		*p++ = (char)c;
		return p;
	case '\n':
		*p++ = 'n';
		return p;
	case '\r':
		*p++ = 'r';
		return p;
	case '\t':
		*p++ = 't';
		return p;
	default:
		p = adds(p, "u00");
		*p++ = hex[c >> 4];
		*p++ = hex[c & 15];
		return p;
	}
}

/* As much of the text as fits. Returns the end of what was written. */
static char *escape(char *p, const char *text, size_t len, bool partial, size_t *ret_used)
{
	const char *limit = p + LOGLINE_JSON_MAX - ESCAPE_MAX;
	size_t i = 0;

	while (i < len && p <= limit) {
		unsigned char c = (unsigned char)text[i];
		size_t n;

		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
			*p++ = (char)c;
			i++;
			continue;
		}
		if (c < 0x80) {
			p = put_escape(p, c);
			i++;
			continue;
		}
		n = utf8_len(text + i, len - i);
		if (n == SIZE_MAX && partial && i)
			break; /* its other bytes are still to come */
		if (n == 0 || n == SIZE_MAX) {
			p = adds(p, "\\ufffd");
			i++;
			continue;
		}
		p = add(p, text + i, n);
		i += n;
	}
	*ret_used = i;
	return p;
}

size_t logline_put_json(char *out, const char *stamp, enum logline_stream stream, const char *text,
			size_t len, bool partial, const char *attrs, size_t *ret_used)
{
	size_t used;
	char *p = adds(out, "{\"log\":\"");

	p = escape(p, text, len, partial, &used);
	if (!partial && used == len)
		p = adds(p, "\\n");
	p = adds(p, stream == LOGLINE_STDERR ? "\",\"stream\":\"stderr\","
					     : "\",\"stream\":\"stdout\",");
	if (attrs) {
		p = adds(p, "\"attrs\":");
		p = adds(p, attrs);
		*p++ = ',';
	}
	p = adds(p, "\"time\":\"");
	p = add(p, stamp, LOGLINE_STAMP_LEN);
	p = adds(p, "\"}\n");
	*ret_used = used;
	return (size_t)(p - out);
}

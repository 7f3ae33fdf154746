/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/logline.h"

#include "base/timeutil.h"

static bool parse_stream(const char *s, size_t len, enum logline_stream *ret)
{
	if (len != strlen("stdout"))
		return false;
	if (memcmp(s, "stdout", len) == 0)
		*ret = LOGLINE_STDOUT;
	else if (memcmp(s, "stderr", len) == 0)
		*ret = LOGLINE_STDERR;
	else
		return false;
	return true;
}

/* Up to the next space, which is passed. */
static const char *next_word(const char **p, const char *end, size_t *ret_len)
{
	const char *word = *p;
	const char *space = memchr(word, ' ', (size_t)(end - word));

	*ret_len = (size_t)((space ? space : end) - word);
	*p = space ? space + 1 : end;
	return word;
}

static int parse_cri(const char *p, const char *end, struct logline *line)
{
	const char *stream, *tags;
	size_t stream_len, tags_len;

	line->time = next_word(&p, end, &line->time_len);
	stream = next_word(&p, end, &stream_len);
	tags = next_word(&p, end, &tags_len);
	if (!parse_stream(stream, stream_len, &line->stream) || tags_len == 0 ||
	    (tags[0] != 'P' && tags[0] != 'F') || (tags_len > 1 && tags[1] != ':'))
		return -EINVAL;
	line->partial = tags[0] == 'P';
	line->text = p;
	line->len = (size_t)(end - p);
	return 0;
}

/* JSON, as far as it is needed here. Not base/json.h: that allocates, and refuses the NUL that a
 * container may well have written. */

struct scan {
	const char *p, *end;
	char *scratch; /* where unescaped strings go */
};

static void skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r'))
		s->p++;
}

static bool take(struct scan *s, char c)
{
	skip_space(s);
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static bool hex4(const struct scan *s, const char *p, unsigned int *ret)
{
	unsigned int v = 0;

	if (s->end - p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		unsigned int digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned int)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (unsigned int)((c | 0x20) - 'a' + 10);
		else
			return false;
		v = v << 4 | digit;
	}
	*ret = v;
	return true;
}

static void put_utf8(struct scan *s, unsigned int c)
{
	if (c < 0x80) {
		*s->scratch++ = (char)c;
		return;
	}
	if (c < 0x800) {
		*s->scratch++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*s->scratch++ = (char)(0xe0 | c >> 12);
		} else {
			*s->scratch++ = (char)(0xf0 | c >> 18);
			*s->scratch++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*s->scratch++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*s->scratch++ = (char)(0x80 | (c & 0x3f));
}

/* p is behind "\u". Half a pair of surrogates is no character. */
static bool unescape_u(struct scan *s)
{
	unsigned int c, low;

	if (!hex4(s, s->p, &c))
		return false;
	s->p += 4;
	if (c >= 0xd800 && c < 0xe000) {
		if (c < 0xdc00 && s->end - s->p >= 6 && s->p[0] == '\\' && s->p[1] == 'u' &&
		    hex4(s, s->p + 2, &low) && low >= 0xdc00 && low < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			s->p += 6;
		} else {
			c = 0xfffd;
		}
	}
	put_utf8(s, c);
	return true;
}

/* p is at the backslash. Never longer than what it is made of. */
static bool unescape(struct scan *s)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (s->end - s->p < 2)
		return false;
	if (s->p[1] == 'u') {
		s->p += 2;
		return unescape_u(s);
	}
	at = memchr(from, s->p[1], sizeof(from) - 1);
	if (!at)
		return false;
	*s->scratch++ = to[at - from];
	s->p += 2;
	return true;
}

static void keep(struct scan *s, const char *end)
{
	size_t n = (size_t)(end - s->p);

	memcpy(s->scratch, s->p, n);
	s->scratch += n;
	s->p = end;
}

static bool scan_string(struct scan *s, const char **ret, size_t *ret_len)
{
	const char *quote = NULL, *backslash, *start = s->scratch;

	if (!take(s, '"'))
		return false;
	for (;;) {
		if (!quote || quote < s->p)
			quote = memchr(s->p, '"', (size_t)(s->end - s->p));
		if (!quote)
			return false;
		backslash = memchr(s->p, '\\', (size_t)(quote - s->p));
		if (!backslash)
			break;
		keep(s, backslash);
		if (!unescape(s))
			return false;
	}
	keep(s, quote);
	s->p++;
	*ret = start;
	*ret_len = (size_t)(s->scratch - start);
	return true;
}

/* A number, true, false or null; what exactly is nobody's business. */
static bool skip_word(struct scan *s)
{
	const char *start = s->p;

	while (s->p < s->end && !memchr(",]} \t\r\"[{:", *s->p, 11))
		s->p++;
	return s->p > start;
}

/* Any value; brackets are counted, not matched. */
static bool skip_value(struct scan *s)
{
	size_t depth = 0, len;
	const char *text;

	do {
		skip_space(s);
		if (s->p == s->end)
			return false;
		if (*s->p == '"') {
			if (!scan_string(s, &text, &len))
				return false;
			continue;
		}
		if (memchr("[{]},:", *s->p, 6)) {
			if (*s->p == '[' || *s->p == '{')
				depth++;
			else if (depth == 0)
				return false;
			else if (*s->p == ']' || *s->p == '}')
				depth--;
			s->p++;
			continue;
		}
		if (!skip_word(s))
			return false;
	} while (depth);
	return true;
}

static bool is(const char *key, size_t len, const char *name)
{
	return len == strlen(name) && memcmp(key, name, len) == 0;
}

struct members {
	bool log, stream, time;
};

static bool parse_member(struct scan *s, struct logline *line, struct members *seen)
{
	const char *key, *text;
	size_t key_len, len;

	if (!scan_string(s, &key, &key_len) || !take(s, ':'))
		return false;
	if (is(key, key_len, "log")) {
		seen->log = true;
		return scan_string(s, &line->text, &line->len);
	}
	if (is(key, key_len, "time")) {
		seen->time = true;
		return scan_string(s, &line->time, &line->time_len);
	}
	if (is(key, key_len, "stream")) {
		seen->stream = true;
		return scan_string(s, &text, &len) && parse_stream(text, len, &line->stream);
	}
	skip_space(s);
	text = s->p;
	if (!skip_value(s))
		return false;
	if (is(key, key_len, "attrs") && *text == '{') {
		line->attrs = text;
		line->attrs_len = (size_t)(s->p - text);
	}
	return true;
}

static int parse_json(const char *record, const char *end, char *scratch, struct logline *line)
{
	struct scan s = { .p = record, .end = end, .scratch = scratch };
	struct members seen = { false, false, false };

	if (!take(&s, '{'))
		return -EINVAL;
	do {
		if (!parse_member(&s, line, &seen))
			return -EINVAL;
	} while (take(&s, ','));
	if (!take(&s, '}') || !seen.log || !seen.stream || !seen.time)
		return -EINVAL;
	skip_space(&s);
	if (s.p != s.end)
		return -EINVAL;
	line->partial = line->len == 0 || line->text[line->len - 1] != '\n';
	line->len -= !line->partial;
	return 0;
}

int logline_parse(const char *record, size_t len, char *scratch, struct logline *ret)
{
	struct logline line = { .stream = LOGLINE_STDOUT };
	int r;

	if (len && record[0] == '{')
		r = parse_json(record, record + len, scratch, &line);
	else
		r = parse_cri(record, record + len, &line);
	if (r == 0)
		*ret = line;
	return r;
}

int logline_time(const struct logline *line, int64_t *ret_ns)
{
	char text[TIME_RFC3339_MAX];

	if (line->time_len >= sizeof(text))
		return -EINVAL;
	memcpy(text, line->time, line->time_len);
	text[line->time_len] = '\0';
	return time_parse_rfc3339(text, ret_ns);
}

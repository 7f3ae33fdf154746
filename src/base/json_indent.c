/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

struct indent {
	struct buf *out;
	int depth;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void line(struct indent *in)
{
	buf_addc(in->out, '\n');
	for (int i = 0; i < in->depth; i++)
		buf_addc(in->out, '\t');
}

/* Returns the end of the string that begins at s. */
static const char *string_end(const char *s, const char *end)
{
	for (s++; s < end && *s != '"'; s++)
		if (*s == '\\' && s + 1 < end)
			s++;
	return s < end ? s + 1 : end;
}

static const char *skip_space(const char *s, const char *end)
{
	while (s < end && is_space(*s))
		s++;
	return s;
}

/* "{}" and "[]" stay together. */
static const char *open_bracket(struct indent *in, const char *s, const char *end)
{
	const char *next = skip_space(s + 1, end);

	buf_addc(in->out, *s);
	if (next < end && (*next == '}' || *next == ']')) {
		buf_addc(in->out, *next);
		return next + 1;
	}
	if (in->depth < JSON_DEPTH_MAX)
		in->depth++;
	line(in);
	return next;
}

void json_indent(const char *text, size_t len, struct buf *out)
{
	const char *s = text, *end = text + len, *next;
	struct indent in = { .out = out };

	for (s = skip_space(s, end); s < end; s = skip_space(next, end)) {
		next = s + 1;
		if (*s == '"') {
			next = string_end(s, end);
			buf_add(out, s, (size_t)(next - s));
		} else if (*s == '{' || *s == '[') {
			next = open_bracket(&in, s, end);
		} else if (*s == '}' || *s == ']') {
			in.depth -= in.depth > 0;
			line(&in);
			buf_addc(out, *s);
		} else {
			buf_addc(out, *s);
			if (*s == ',')
				line(&in);
			else if (*s == ':')
				buf_addc(out, ' ');
		}
	}
	buf_addc(out, '\n');
}

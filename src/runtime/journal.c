/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/journal.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/timeutil.h"

#define PRIORITY_ERR "3"

size_t journal_put(char *out, const char *fields, const char *stamp, enum logline_stream stream,
		   const char *text, size_t len, bool partial)
{
	size_t n = (size_t)snprintf(out, JOURNAL_RECORD_MAX - LOGLINE_TEXT_MAX,
				    "%sPRIORITY=%s\n%sSYSLOG_TIMESTAMP=%.*s\nMESSAGE=", fields,
				    stream == LOGLINE_STDERR ? PRIORITY_ERR : "6",
				    partial ? "CONTAINER_PARTIAL_MESSAGE=true\n" : "",
				    LOGLINE_STAMP_LEN, stamp);

	memcpy(out + n, text, len);
	n += len;
	out[n++] = '\n';
	return n;
}

struct field {
	const char *name, *value;
	size_t name_len, len;
};

/* "NAME=value\n", or "NAME\n", the length in eight bytes, the value, "\n". */
static ssize_t parse_field(const char *data, size_t len, struct field *ret)
{
	const char *newline = memchr(data, '\n', len), *eq;
	size_t head, size = 0;

	if (!newline)
		return len > JOURNAL_FIELD_MAX ? -EINVAL : 0;
	head = (size_t)(newline - data);
	eq = memchr(data, '=', head);
	if (eq) {
		*ret =
		    (struct field){ data, eq + 1, (size_t)(eq - data), (size_t)(newline - eq) - 1 };
		return (ssize_t)head + 1;
	}
	if (len - head - 1 < 8)
		return 0;
	for (size_t i = 8; i > 0; i--)
		size = size << 8 | (unsigned char)newline[i];
	if (size > JOURNAL_FIELD_MAX)
		return -EINVAL;
	if (len - head - 9 < size + 1)
		return 0;
	*ret = (struct field){ data, newline + 9, head, size };
	return newline[9 + size] == '\n' ? (ssize_t)(head + 10 + size) : -EINVAL;
}

static bool is(const struct field *f, const char *name)
{
	return f->name_len == strlen(name) && memcmp(f->name, name, f->name_len) == 0;
}

static void take_realtime(const struct field *f, struct journal_entry *ret)
{
	cleanup_free char *word = xstrndup(f->value, f->len);
	uint64_t us;

	if (ret->line.time || str_parse_u64(word, &us) < 0 || us > INT64_MAX / 1000)
		return;
	time_rfc3339((int64_t)us * 1000, ret->stamp);
	ret->line.time = ret->stamp;
	ret->line.time_len = strlen(ret->stamp);
}

static void take(const struct field *f, struct journal_entry *ret)
{
	struct logline *l = &ret->line;

	if (is(f, "MESSAGE")) {
		l->text = f->value;
		l->len = f->len;
	} else if (is(f, "PRIORITY")) {
		if (f->len == 1 && f->value[0] == PRIORITY_ERR[0])
			l->stream = LOGLINE_STDERR;
	} else if (is(f, "CONTAINER_PARTIAL_MESSAGE")) {
		l->partial = f->len == 4 && memcmp(f->value, "true", 4) == 0;
	} else if (is(f, "SYSLOG_TIMESTAMP")) {
		l->time = f->value;
		l->time_len = f->len;
	} else if (is(f, "__REALTIME_TIMESTAMP")) {
		take_realtime(f, ret);
	}
}

ssize_t journal_parse(const char *data, size_t len, struct journal_entry *ret)
{
	size_t at = 0;

	*ret = (struct journal_entry){ .line = { .stream = LOGLINE_STDOUT } };
	while (at < len && data[at] != '\n') {
		struct field f;
		ssize_t n = parse_field(data + at, len - at, &f);

		if (n <= 0)
			return n;
		take(&f, ret);
		at += (size_t)n;
	}
	return at < len ? (ssize_t)at + 1 : 0;
}

char *journal_field_name(const char *word)
{
	char *name = xstrdup(word), *end = name;

	for (; *word; word++) {
		char c = *word;

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		else if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9'))
			c = '_';
		if (end > name || c != '_')
			*end++ = c;
	}
	*end = '\0';
	if (end > name)
		return name;
	free(name);
	return NULL;
}

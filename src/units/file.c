/* SPDX-License-Identifier: Apache-2.0 */
#include "units/file.h"

#include <strings.h>

#include "base/str.h"
#include "base/strv.h"

#define BLANK " \t"

void unit_file_done(struct unit_file *u)
{
	for (size_t i = 0; i < u->n; i++) {
		struct unit_section *s = &u->sections[i];

		for (size_t k = 0; k < s->n; k++) {
			free(s->entries[k].key);
			free(s->entries[k].value);
		}
		free(s->entries);
		free(s->name);
	}
	free(u->sections);
	strv_free(u->files);
	*u = (struct unit_file){ 0 };
}

/* --- reading --- */

static struct unit_section *section_make(struct unit_file *u, const char *name)
{
	for (size_t i = 0; i < u->n; i++)
		if (str_eq(u->sections[i].name, name))
			return &u->sections[i];
	u->sections = xrealloc(u->sections, (u->n + 1) * sizeof(*u->sections));
	u->sections[u->n] = (struct unit_section){ .name = xstrdup(name) };
	return &u->sections[u->n++];
}

static void entry_put(struct unit_section *s, size_t at, struct unit_entry entry)
{
	/* room for powers of two */
	if ((s->n & (s->n - 1)) == 0)
		s->entries = xrealloc(s->entries, (s->n ? s->n * 2 : 1) * sizeof(*s->entries));
	memmove(&s->entries[at + 1], &s->entries[at], (s->n - at) * sizeof(entry));
	s->entries[at] = entry;
	s->n++;
}

/* In place. */
static char *trim(char *s)
{
	size_t n;

	s += strspn(s, BLANK "\r");
	n = strlen(s);
	while (n > 0 && strchr(BLANK "\r", s[n - 1]))
		n--;
	s[n] = '\0';
	return s;
}

struct reader {
	struct unit_file *u;
	const char *what;
	ssize_t section; /* its number, or -1 */
	size_t line;     /* of the physical line */
	size_t first;    /* where the joined one begins */
	struct buf text; /* the joined line so far */
};

static int take_section(struct reader *r, char *s, struct err *err)
{
	size_t n = strlen(s);

	if (n < 3 || s[n - 1] != ']')
		return err_fail(err, ERR_INVALID, "expected [SECTION]");
	s[n - 1] = '\0';
	r->section = section_make(r->u, s + 1) - r->u->sections;
	return 0;
}

static int take_line(struct reader *r, struct err *err)
{
	char *s = trim(r->text.data), *equals;

	if (!*s)
		return 0;
	if (*s == '[')
		return take_section(r, s, err);
	equals = strchr(s, '=');
	if (!equals || equals == s)
		return err_fail(err, ERR_INVALID, "expected KEY=VALUE");
	if (r->section < 0)
		return err_fail(err, ERR_INVALID, "a key before the first section");
	*equals = '\0';
	struct unit_section *in = &r->u->sections[r->section];
	const struct unit_entry entry = {
		.key = xstrdup(trim(s)),
		.value = xstrdup(trim(equals + 1)),
		.file = r->what,
		.line = r->first,
	};
	entry_put(in, in->n, entry);
	return 0;
}

static int check_text(const char *s, size_t len, struct err *err)
{
	for (size_t i = 0; i < len;) {
		unsigned char c = (unsigned char)s[i];
		size_t n = c < 0x80 ? 1 : str_utf8_len(s + i);

		if ((c < ' ' && c != '\t' && c != '\r') || c == 0x7f)
			return err_fail(err, ERR_INVALID, "a control character");
		if (n == 0 || n > len - i)
			return err_fail(err, ERR_INVALID, "not UTF-8");
		i += n;
	}
	return 0;
}

/* One physical line. */
static int read_line(struct reader *r, const char *line, size_t len, struct err *err)
{
	size_t blank = 0;
	int x = check_text(line, len, err);

	if (x < 0)
		return x;
	while (blank < len && strchr(BLANK, line[blank]))
		blank++;
	/* also between the lines that are joined */
	if (blank < len && (line[blank] == '#' || line[blank] == ';'))
		return 0;
	while (len > 0 && line[len - 1] == '\r')
		len--;
	if (!r->text.len)
		r->first = r->line;
	if (len > 0 && line[len - 1] == '\\') {
		buf_add(&r->text, line, len - 1);
		buf_addc(&r->text, ' ');
		return 0;
	}
	buf_add(&r->text, line, len);
	x = r->text.len ? take_line(r, err) : 0;
	buf_reset(&r->text);
	return x;
}

int unit_file_parse(struct unit_file *u, const char *text, size_t len, const char *what,
		    struct err *err)
{
	struct reader r = { .u = u, .section = -1 };
	cleanup_free char *copy = NULL;
	const char *at, *end;
	int x = 0;

	if (len > UNIT_BYTES_MAX)
		return err_fail(err, ERR_LIMIT, "%s: larger than %u bytes", what, UNIT_BYTES_MAX);
	/* with a NUL behind it, so that no character is looked for outside */
	copy = xcalloc(len + 1, 1);
	memcpy(copy, text, len);
	copy[len] = '\0';
	at = copy;
	end = copy + len;
	strv_add(&u->files, what);
	r.what = u->files[strv_len(u->files) - 1];
	if (len >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
		at += 3;
	while (x == 0 && at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((newline ? newline : end) - at);

		if (++r.line > UNIT_LINES_MAX)
			x = err_fail(err, ERR_LIMIT, "more than %d lines", UNIT_LINES_MAX);
		else
			x = read_line(&r, at, n, err);
		at += n + 1;
	}
	if (x == 0 && r.text.len)
		x = take_line(&r, err);
	buf_done(&r.text);
	return x < 0 ? err_wrap(err, x, "%s:%zu", what, r.line) : 0;
}

/* --- looking --- */

const struct unit_section *unit_file_section(const struct unit_file *u, const char *section)
{
	for (size_t i = 0; i < u->n; i++)
		if (str_eq(u->sections[i].name, section))
			return &u->sections[i];
	return NULL;
}

const struct unit_entry *unit_file_find(const struct unit_file *u, const char *section,
					const char *key)
{
	const struct unit_section *s = unit_file_section(u, section);

	for (size_t i = s ? s->n : 0; i-- > 0;)
		if (str_eq(s->entries[i].key, key))
			return &s->entries[i];
	return NULL;
}

char *unit_file_string(const struct unit_file *u, const char *section, const char *key)
{
	const struct unit_entry *e = unit_file_find(u, section, key);
	size_t n = e ? strlen(e->value) : 0;

	if (n >= 2 && e->value[0] == '"' && e->value[n - 1] == '"')
		return n > 2 ? xstrndup(e->value + 1, n - 2) : NULL;
	return n > 0 ? xstrdup(e->value) : NULL;
}

const struct unit_entry *unit_file_next(const struct unit_file *u, const char *section,
					const char *key, size_t *at)
{
	const struct unit_section *s = unit_file_section(u, section);

	if (!s)
		return NULL;
	if (*at == 0)
		for (size_t i = 0; i < s->n; i++)
			if (str_eq(s->entries[i].key, key) && !s->entries[i].value[0])
				*at = i + 1;
	while (*at < s->n) {
		const struct unit_entry *e = &s->entries[(*at)++];

		if (str_eq(e->key, key))
			return e;
	}
	return NULL;
}

/* --- making --- */

static void put(struct unit_file *u, const char *section, bool first, const struct unit_entry *from)
{
	struct unit_section *s = section_make(u, section);
	struct unit_entry entry = *from;

	entry.key = xstrdup(from->key);
	entry.value = xstrdup(from->value);
	entry_put(s, first ? 0 : s->n, entry);
}

static struct unit_entry made(const char *key, const char *value)
{
	return (struct unit_entry){ (char *)(uintptr_t)key, (char *)(uintptr_t)value, "", 0 };
}

void unit_file_copy(struct unit_file *u, const char *section, const struct unit_entry *entry)
{
	put(u, section, false, entry);
}

void unit_file_add(struct unit_file *u, const char *section, const char *key, const char *value)
{
	const struct unit_entry entry = made(key, value);

	put(u, section, false, &entry);
}

void unit_file_add_first(struct unit_file *u, const char *section, const char *key,
			 const char *value)
{
	const struct unit_entry entry = made(key, value);

	put(u, section, true, &entry);
}

void unit_file_default(struct unit_file *u, const char *section, const char *key, const char *value)
{
	if (!unit_file_find(u, section, key))
		unit_file_add(u, section, key, value);
}

void unit_file_write(const struct unit_file *u, struct buf *out)
{
	for (size_t i = 0; i < u->n; i++) {
		const struct unit_section *s = &u->sections[i];

		buf_addf(out, "%s[%s]\n", i ? "\n" : "", s->name);
		for (size_t k = 0; k < s->n; k++) {
			const char *value = s->entries[k].value;

			/* The space keeps the line from being joined with the next one. */
			buf_addf(out, "%s=%s%s\n", s->entries[k].key, value,
				 str_ends(value, "\\") ? " " : "");
		}
	}
}

int unit_bool(const char *value, bool *ret)
{
	static const char *const words[] = { "0", "1", "no", "yes", "false", "true", "off", "on" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(value, words[i]) == 0) {
			*ret = i % 2;
			return 0;
		}
	return -EINVAL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit files of systemd (systemd.syntax(7)). Pure. Sections in brackets, KEY=VALUE, comments that
 * begin with "#" or ";", a backslash at a line's end that joins it with the next one, by a space.
 * What is read last counts for keys with one value; for lists an empty value takes away what came
 * before. Specifiers ("%i") and variables are left as they are: they are systemd's.
 *
 * A file may be read in several pieces (drop-ins): sections of one name are one.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#define UNIT_BYTES_MAX (1u << 20)
#define UNIT_LINES_MAX 20000

struct unit_entry {
	char *key, *value;
	const char *file; /* where it stands; "" for what was added here */
	size_t line;
};
struct unit_section {
	char *name;
	struct unit_entry *entries;
	size_t n;
};
struct unit_file {
	struct unit_section *sections;
	size_t n;
	char **files; /* names of what was read */
};
void unit_file_done(struct unit_file *u);
#define cleanup_unit_file CLEANUP(unit_file_done)

/* Adds what text says. Errors begin with "<what>:<line>: ". */
int unit_file_parse(struct unit_file *u, const char *text, size_t len, const char *what,
		    struct err *err);

/* NULL: there is none. */
const struct unit_section *unit_file_section(const struct unit_file *u, const char *section);
/* The last one of this key, or NULL. */
const struct unit_entry *unit_file_find(const struct unit_file *u, const char *section,
					const char *key);
/* Its value without quotes around it, which the caller frees; NULL: there is none, or "". */
char *unit_file_string(const struct unit_file *u, const char *section, const char *key);
/* Each of a key that is a list, those before an empty one left out. *at: 0 at first. */
const struct unit_entry *unit_file_next(const struct unit_file *u, const char *section,
					const char *key, size_t *at);

/* Adds an entry, and the section when it is missing. */
void unit_file_add(struct unit_file *u, const char *section, const char *key, const char *value);
void unit_file_add_first(struct unit_file *u, const char *section, const char *key,
			 const char *value);
/* As it is in another file, which has to stay. */
void unit_file_copy(struct unit_file *u, const char *section, const struct unit_entry *entry);
/* Unless the file has the key. */
void unit_file_default(struct unit_file *u, const char *section, const char *key,
		       const char *value);
void unit_file_write(const struct unit_file *u, struct buf *out);

/* 1, yes, true, on, 0, no, false, off, in any case. 0 or -EINVAL. */
int unit_bool(const char *value, bool *ret) MUST_CHECK;
/* Appends the words of a value: quotes around what has spaces, C's escapes (systemd.syntax(7),
 * "Quoting"). */
int unit_words(const char *value, char ***words, struct err *err);
/* One word so that unit_words() makes the same of it. */
void unit_quote(struct buf *out, const char *word);
/* All of a command line. */
void unit_quote_all(struct buf *out, char *const *words);

/* SPDX-License-Identifier: Apache-2.0 */
/* Inside base/opt*.c only. */
#pragma once

#include "base/opt.h"

/* Of opt_parse(): --version is known, too. Not for commands' flags. */
#define OPT_PARSE_VERSION (1U << 16)
/* What opt_parse() returns when these were asked for. */
enum { OPT_ASKED_HELP = 1, OPT_ASKED_VERSION = 2 };

static inline bool opt_has_value(const struct opt *o)
{
	return o->kind != OPT_FLAG && o->kind != OPT_REFUSED;
}

/* What help and the man page call the value, NULL for flags. */
const char *opt_value_name(const struct opt *o);
const struct opt *opt_find_short(const struct opt *opts, size_t n, char c);

/* Every way to call each command, in order of the tables: those at the top, then those in groups.
 */
struct opt_path {
	char *words;      /* "image ls" */
	const char *name; /* the last of them */
	const struct cmd *cmd;
	bool alias; /* cmd_sub's */
};
struct opt_paths {
	struct opt_path *items;
	size_t n;
};
void opt_paths_init(struct opt_paths *paths, const struct program *prog);
void opt_paths_done(struct opt_paths *paths);
#define cleanup_opt_paths CLEANUP(opt_paths_done)
/* The command's first name. */
const char *opt_paths_first(const struct opt_paths *paths, const struct cmd *cmd);
/* Appends the names of the command but for words. */
void opt_paths_others(const struct opt_paths *paths, const struct cmd *cmd, const char *words,
		      const char *separator, struct buf *out);
/* Is it listed and offered? */
bool opt_paths_shown(const struct opt_path *path);

/* Is the path's command one of the group ("image", "" for the program)? */
bool opt_path_in(const struct opt_path *path, const char *group);

/* opt_complete*.c */
static inline bool opt_shown(const struct opt *o)
{
	return !(o->flags & OPT_HIDDEN);
}
void opt_add_words(struct buf *out, const char *const *words);
/* "'images'|'image ls'": a pattern of a shell's case over all names of a command. Only the first of
 * them has it: false for the others. */
bool opt_add_pattern(const struct opt_paths *paths, const struct opt_path *path, struct buf *out);
void opt_write_zsh(const struct program *prog, struct buf *out);
void opt_write_fish(const struct program *prog, struct buf *out);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Option tables: one per command. The table parses the command line, writes --help, the man page's
 * option list and the shell completions. Long options as "--name value" or "--name=value", short as
 * "-n value" or bundled "-it"; booleans also "--flag=false"; "--" ends options; options may follow
 * arguments unless the command sets CMD_STOP_AT_ARG (run, exec: the rest belongs to the container).
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum opt_kind {
	OPT_FLAG,    /* bool */
	OPT_STR,     /* char * (heap) */
	OPT_STRV,    /* char ** (heap), may be given several times */
	OPT_INT,     /* int */
	OPT_U64,     /* struct opt_u64 */
	OPT_I64,     /* struct opt_i64 */
	OPT_BYTES,   /* struct opt_u64, docker's units */
	OPT_FN,      /* .parse does it */
	OPT_REFUSED, /* .help says why: see OPT_REFUSE */
	OPT_TABLE    /* those of .table: see OPT_INCLUDE */
};

enum {
	OPT_HIDDEN = 1 << 0,
	OPT_OPTIONAL_ARG = 1 << 1 /* "--name" alone gives the first of its choices, or "" */
};

struct opt {
	const char *name; /* without dashes */
	char short_name;  /* 0: none */
	enum opt_kind kind;
	size_t offset;    /* of the field in the command's option struct */
	const char *arg;  /* what the value is called in help: "PATH"; NULL for flags */
	const char *help; /* one line, also the man page's text; no full stop */
	int (*parse)(void *field, const char *value, struct err *err); /* OPT_FN */
	const char *const
	    *choices; /* allowed words, NULL-terminated, or NULL; also for completion */
	unsigned int flags;
	const struct opt_table *table; /* OPT_TABLE */
};

enum {
	CMD_STOP_AT_ARG = 1 << 0,
	CMD_HIDDEN = 1 << 1,
	CMD_ROOT_NOT_NEEDED = 1 << 2,
	CMD_ONE_DASH =
	    1 << 3, /* "-name", as Go programs take it, is the long option of that name */
};

/* An option that users of other programs know and that this command doesn't have: it is an error
 * that says why, with or without a value; help, man page and completions leave it out. */
#define OPT_REFUSE(option, why)                                                                    \
	{                                                                                          \
		.name = option, .kind = OPT_REFUSED, .flags = OPT_HIDDEN, .help = why              \
	}

/* The options of another table, of the same struct. Help and the man page have them by name, behind
 * the table's own. */
#define OPT_INCLUDE(other)                                                                         \
	{                                                                                          \
		.kind = OPT_TABLE, .table = &(other)                                               \
	}
struct opt_table {
	const struct opt *rows;
	size_t n;
};

/* A table as it reads with those that it includes. */
struct opt_rows {
	struct opt *items;
	size_t n;
};
void opt_rows_init(struct opt_rows *ret, const struct opt *opts, size_t n);
void opt_rows_done(struct opt_rows *rows);
#define cleanup_opt_rows CLEANUP(opt_rows_done)

struct cmd;
/* A command of a group, under the name that it has there: "ls" in "image" is `images`. */
struct cmd_sub {
	const char *name;
	const struct cmd *cmd;
	bool alias; /* another name of it, in the same group: understood, listed with the command */
};

struct cmd {
	const char *name;
	const char *args;    /* "[OPTIONS] IMAGE [COMMAND] [ARG...]" */
	const char *summary; /* one line */
	const char *details; /* paragraphs for --help and the man page, or NULL */
	const struct opt *opts;
	size_t n_opts;
	size_t
	    opts_size; /* of the option struct: allocated zeroed by cmd_main, freed by the table */
	int min_args, max_args; /* max -1: any */
	/* Returns the exit status >= 0, or -errno with err filled. */
	int (*run)(const void *globals, void *opts, char **args, struct err *err);
	unsigned int flags;
	/* A group: its commands, up to one without a name. It has name and summary, nothing else.
	 */
	const struct cmd_sub *subs;
};

/* A command that users of other programs know and that this one has not, as "kube" (with all below
 * it) or "container restore": an error that says why, and what to use. Nothing lists it. */
struct cmd_refused {
	const char *words; /* or several: "builder|buildx" */
	const char *why;
	const char *hint; /* or NULL */
};

struct program {
	const char *name;
	const char *summary;
	const struct opt *opts; /* global options, before the command */
	size_t n_opts;
	size_t opts_size;
	const struct cmd *const *cmds;     /* NULL-terminated */
	const struct cmd_refused *refused; /* up to one without words; or NULL */
	/* After global options, before the command. */
	int (*setup)(void *globals, struct err *err);
	int usage_status;    /* exit status for a wrong command line: 125 or 1 */
	const char *version; /* printed by --version */
	/* Prints the error of a failed command and gives its exit status. */
	int (*report)(const void *globals, const struct err *err);
};

#define OPT_FIELD(T, member) .offset = offsetof(T, member)

/* Parses global options, finds the command, parses its options, calls setup, runs the command.
 * A command that is listed at the top and in groups, or in several of them, is one command with
 * several names; the first is its page's.
 * Returns the exit status. --help and -h (unless the tables use them), help [COMMAND], --version
 * and -v, and the hidden "__man [COMMAND]" and "__complete bash|zsh|fish" are handled here, without
 * setup. */
int program_main(const struct program *prog, int argc, char **argv);

/* The parts, for tests: parses argv (argv[0] is skipped) into dst, which the caller zeroed. Moves
 * the arguments to the front of argv, where *ret_args points; NULL-terminated. 0, 1: --help was
 * asked for (*ret_args is not set), or -errno with ERR_USAGE. */
int opt_parse(const struct opt *opts, size_t n, void *dst, char **argv, unsigned int cmd_flags,
	      char ***ret_args, struct err *err);
/* The option of this name, not terminated; NULL: there is none. */
const struct opt *opt_find(const struct opt *opts, size_t n, const char *name, size_t len);
/* The other way round: appends what would be parsed to the same, as "--name=value" in the order
 * of the table as it reads. Options of OPT_FN are left out. */
void opt_words(const struct opt *opts, size_t n, const void *src, char ***words);
/* Frees OPT_STR and OPT_STRV fields; those of OPT_FN are the command's own. */
void opt_free(const struct opt *opts, size_t n, void *dst);
/* cmd NULL: of the program. */
void opt_write_help(const struct program *prog, const struct cmd *cmd, struct buf *out);
/* words: how the command was called, "image ls". */
void opt_write_help_as(const struct program *prog, const struct cmd *cmd, const char *words,
		       struct buf *out);
void opt_write_man(const struct program *prog, const struct cmd *cmd, struct buf *out); /* scdoc */
/* Appends s with what scdoc(5) would take for markup escaped. */
void opt_man_text(struct buf *out, const char *s);
int opt_write_completion(const struct program *prog, const char *shell, struct buf *out,
			 struct err *err);

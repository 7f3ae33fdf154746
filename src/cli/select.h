/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands that do something with each of several containers: named, in files that run wrote
 * (--cidfile), all of them, the newest, or those that filters let through. What could not be done
 * with one is reported, and the next one's turn comes.
 */
#pragma once

#include "base/opt.h"
#include "engine/engine.h"

/* So many end at the same time, each with a process that records it: more would wait for each other
 * in the database. */
#define CLI_AT_ONCE 16

struct select_options {
	bool all, latest;
	bool no_infra; /* --all and --filter leave infra containers of pods alone */
	bool ignore;   /* a --cidfile that is not there names nothing */
	char **filters, **cidfiles;
};
enum select_which { /* that --all and --filter mean */
		    SELECT_ANY,
		    SELECT_STOPPED,
		    SELECT_RUNNING, /* paused or not */
		    SELECT_UNPAUSED,
		    SELECT_PAUSED,
};

/* struct: the command's options, with a member "select". */
#define SELECT_ALL(T, text)                                                                        \
	{                                                                                          \
		.name = "all", .short_name = 'a', .kind = OPT_FLAG, OPT_FIELD(T, select.all),      \
		.help = text                                                                       \
	}
#define SELECT_LATEST(T)                                                                           \
	{                                                                                          \
		.name = "latest", .short_name = 'l', .kind = OPT_FLAG,                             \
		OPT_FIELD(T, select.latest), .help = "the newest container"                        \
	}
#define SELECT_CIDFILE(T)                                                                          \
	{                                                                                          \
		.name = "cidfile", .kind = OPT_STRV, OPT_FIELD(T, select.cidfiles), .arg = "FILE", \
		.help = "the container whose id is in the file"                                    \
	}
#define SELECT_FILTER(T, letter)                                                                   \
	{                                                                                          \
		.name = "filter", .short_name = letter, .kind = OPT_STRV,                          \
		OPT_FIELD(T, select.filters), .arg = "KEY=VALUE",                                  \
		.help = "all containers that meet the condition, as in inro ps"                    \
	}

/* Words for the containers that are meant, which the caller frees: those of the command line as
 * they are, ids of the others. */
int cli_select(struct engine *eng, const struct select_options *o, enum select_which which,
	       char *const *args, char ***ret, struct err *err);
/* Id of the newest container. */
int cli_latest(struct engine *eng, char **ret, struct err *err);

struct cli_verb {
	enum select_which which;
	/* Prints what there is to print besides the container's name. */
	int (*fn)(struct engine *eng, const char *word, const void *data, struct err *err);
	/* Or in two steps, of which the second waits. The first's item is the second's, errors
	 * included, and freed by done. */
	void *(*begin)(struct engine *eng, const char *word, const void *data);
	int (*finish)(struct engine *eng, const char *word, void *item, struct err *err);
	void (*done)(void *item);
	const void *data;
	/* The second step takes a moment: a signal ends the command behind those that are begun. */
	bool whole;
	/* What is not there is as wished; silent: and not reported either. */
	bool missing_ok, missing_silent;
};
/* The exit status 0 or 1, or -errno when nothing was begun. */
int cli_verb(const void *globals, const struct select_options *o, const struct cli_verb *verb,
	     char *const *args, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The picture that `inro stats` draws on a terminal: what is in it, what keys change, and its
 * lines. Does nothing to a container or a terminal: keys return what is to be done, and lines are
 * made of text in which nothing can steer a terminal, whatever containers are called or print.
 */
#pragma once

#include "cli/stats.h"

#define STATS_HISTORY 40
#define STATS_COLUMNS 8

struct stats_entry {
	struct engine_stats s;
	float cpu[STATS_HISTORY], mem[STATS_HISTORY]; /* percent, bytes; the newest last */
	unsigned int n_history;
};

struct stats_column {
	const char *field;                             /* of stats_table */
	double (*value)(const struct engine_stats *s); /* NULL: sorted by the text */
};
extern const struct stats_column stats_columns[STATS_COLUMNS];

enum stats_mode { STATS_LIST, STATS_ASK, STATS_LOGS };
enum stats_action {
	STATS_NOTHING,
	STATS_QUIT,
	STATS_INTERRUPT, /* Ctrl-C */
	STATS_SUSPEND,   /* Ctrl-Z */
	STATS_STOP,
	STATS_KILL,
	STATS_PAUSE,
	STATS_UNPAUSE,
	STATS_SHOW_LOGS,
};

struct stats_view {
	unsigned int rows, cols; /* of the terminal */
	bool utf8, whole;
	struct stats_entry *entries; /* in the order of the look */
	struct stats_entry **order;  /* as they are shown */
	size_t n;
	char *selected; /* id; NULL: there are none */
	size_t at;      /* where it is in order */
	size_t top;     /* first that is shown */
	unsigned int sort;
	bool reverse;
	unsigned int widths[STATS_COLUMNS]; /* they only grow */
	enum stats_mode mode;
	enum stats_action asked;
	char *subject_id, *subject; /* whom the action or the logs are about */
	char **log;                 /* its last lines */
	char *note;                 /* shown below, or NULL */
};
void stats_view_init(struct stats_view *v);
void stats_view_done(struct stats_view *v);

/* Takes the samples over. */
void stats_view_take(struct stats_view *v, struct stats_samples *now);
/* What is to be done with the subject, or as such. */
enum stats_action stats_view_key(struct stats_view *v, int key);
/* Takes a string over; NULL: no note. */
void stats_view_note(struct stats_view *v, char *note);
/* The terminal's size, and whether widths are to be found anew. */
void stats_view_resize(struct stats_view *v, unsigned int rows, unsigned int cols);
/* How many lines of a log there is room for. */
unsigned int stats_view_log_rows(const struct stats_view *v);
/* v->rows strings, with attributes, which the caller frees. */
void stats_view_draw(struct stats_view *v, char **lines);

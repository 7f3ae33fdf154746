/* SPDX-License-Identifier: Apache-2.0 */
/* Inside engine/logs*.c only. */
#pragma once

#include "engine/logs.h"

/* A longer line is no record: the writer's are much shorter. */
#define LOGS_LINE_MAX (1u << 20)

struct logs {
	struct logset set; /* the first one is read */
	struct logs_query query;
	off_t pos;     /* in the file, behind what is in buf */
	char *buf;     /* [start, end) is not read yet */
	char *scratch; /* as large as buf */
	size_t start, end, cap;
	bool overlong; /* the line that is read is too long */
	bool open[LOGLINE_STREAMS];
	uint64_t skip[LOGLINE_STREAMS]; /* so many lines are before the tail */
	uint64_t malformed;
};

/* Without files yet. */
struct logs *logs_new(const struct logs_query *query);
/* Parses it; is it a record of the time that is wanted? Counts what is none. */
bool logs_wanted(struct logs *l, const char *record, size_t len, struct logline *ret);
/* Moves to where the tail begins. */
int logs_seek_tail(struct logs *l, struct err *err);

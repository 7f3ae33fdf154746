/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a container's log: the records of all its files, in order, those that a query wants. The
 * writer is never waited for and never waits. Bytes of a log are a container's: nothing is believed
 * of them, and nothing in them is changed.
 */
#pragma once

#include "engine/logset.h"
#include "runtime/logline.h"

struct logs_query {
	int64_t since_ns, until_ns; /* INT64_MIN, INT64_MAX: any time */
	int64_t tail;               /* the last so many lines of those; -1: all */
};
#define LOGS_QUERY_INIT                                                                            \
	{                                                                                          \
		.since_ns = INT64_MIN, .until_ns = INT64_MAX, .tail = -1                           \
	}

struct logs_record {
	struct logline line; /* until the next call */
	bool continues;      /* the line of the stream's record before */
};

struct logs;
/* dirfd stays the caller's, open. A log that is not there yet has no records yet. */
int logs_open(int dirfd, const struct logs_query *query, struct logs **ret, struct err *err);
/* 1: the next record; 0: there is none yet; or -errno. */
int logs_next(struct logs *l, struct logs_record *ret, struct err *err);
/* Lines of the files that are no records so far. */
uint64_t logs_malformed(const struct logs *l);
/* Files were rotated away before they could be read. */
bool logs_lost(const struct logs *l);
void logs_free(struct logs *l); /* NULL is fine */

/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a container whose output went to systemd's journal, as journalctl(1) tells it: what
 * logs.h has for those that are files. What others have written in its name is left out. */
#pragma once

#include "engine/engine.h"
#include "engine/logs.h"

struct journal_log;
/* follow: go on with what comes. ERR_NOT_FOUND: there is no journalctl. */
int journal_log_open(struct engine *eng, const char *id, const struct logs_query *query,
		     bool follow, struct journal_log **ret, struct err *err);
/* 1: *ret is the next record, valid until the next call. 0: there is none, or, with follow, none
 * yet. */
int journal_log_next(struct journal_log *j, struct logs_record *ret, struct err *err);
/* May it have something still to say that is older? For one that follows. */
bool journal_log_is_behind(struct journal_log *j, int64_t time_ns);
/* Readable when there is more, or when it is over, which is told once: -EBADF from then on. */
const int *journal_log_fd(const struct journal_log *j);
void journal_log_free(struct journal_log *j);

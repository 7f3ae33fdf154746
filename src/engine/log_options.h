/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --log-driver and --log-opt: where a container's output goes (runtime/logline.h).
 *
 *   k8s-file    records of CRI's format, which hold any byte; the default
 *   json-file   docker's
 *   journald    systemd's journal, with docker's fields (runtime/journal.h)
 *   none        nowhere but to who is attached
 *   passthrough the container has the standard input and outputs of who starts it
 *
 *   max-size=SIZE         of one file: 10m, or -1 for no limit
 *   max-file=NUMBER       of files, 3
 *   mode=blocking|non-blocking   when the disk is full, the container waits, or lines are dropped
 *   labels=NAME,...       json-file, journald: labels of the container that each record gets
 *   tag=TEXT              journald: CONTAINER_TAG and SYSLOG_IDENTIFIER; docker's words in it
 *
 * What is not said is as the configuration has it: [log] driver, max_size, max_files. One that
 * can't be read keeps no container from running: there is a warning, and the defaults hold.
 */
#pragma once

#include "engine/record.h"

#define LOG_SIZE_DEFAULT  (10u << 20)
#define LOG_FILES_DEFAULT 3

/* driver NULL: the configured one; words NULL: none. labels: of the container. */
int log_options_parse(struct engine *eng, const char *driver, char *const *words,
		      const struct json_map *labels, struct record_options *ret, struct err *err);
/* In the configuration, any but passthrough. */
int log_driver_check(const char *word, struct err *err);
/* Can this process's standard input and outputs be the container's? A terminal can't: what is
 * written to it there can be made input here. */
int log_passthrough_check(struct err *err);

/* The fields of the journal's records, for rec->options.log_driver LOGLINE_JOURNAL. ERR_LIMIT: they
 * are too long. */
int log_journal_fields(const struct record *rec, struct buf *out, struct err *err);

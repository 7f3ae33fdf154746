/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's log: the names of its files, and the records in them, one on each line. Written by
 * the monitor (monitor/logfile.h), read by the engine (engine/logs.h). Pure functions.
 *
 *   CRI     "<RFC 3339> stdout F text"    P instead of F: the line goes on in the next record of
 * its stream. What Kubernetes calls the CRI log format and podman k8s-file; holds any byte. JSON
 * {"log":"text\n","stream":"stdout","attrs":{...},"time":"<RFC 3339>"}    docker's json-file;
 * without "\n" the line goes on. Bytes that are not UTF-8 become U+FFFD.
 *
 * The newest file is LOGLINE_FILE in the container's directory; a full one gets ".1" behind its
 * name and ".1" becomes ".2". So a file's number only ever grows, and each ends with a whole
 * record.
 */
#pragma once

#include "base/util.h"

#define LOGLINE_FILE      "ctr.log"
#define LOGLINE_FILES_MAX 100
#define LOGLINE_TEXT_MAX  (16u << 10)            /* of a line in one record; the rest follows */
#define LOGLINE_ATTRS_MAX (4u << 10)             /* of the JSON text of attributes */
#define LOGLINE_JSON_MAX  (2 * LOGLINE_TEXT_MAX) /* of text with its escapes */
/* What one record takes at most. */
#define LOGLINE_RECORD_MAX (LOGLINE_JSON_MAX + LOGLINE_ATTRS_MAX + 256)
#define LOGLINE_STAMP_LEN  30 /* "2026-01-02T15:04:05.123456789Z" */

enum logline_driver {
	LOGLINE_CRI,
	LOGLINE_JSON,
	LOGLINE_NONE,
	LOGLINE_JOURNAL,     /* no file: runtime/journal.h */
	LOGLINE_PASSTHROUGH, /* no log: the container has the stdio of who starts it */
};

/* Their numbers are those of the fds. */
enum logline_stream { LOGLINE_STDOUT = 1, LOGLINE_STDERR = 2, LOGLINE_STREAMS = 2 };

struct logline {
	enum logline_stream stream;
	bool partial;     /* the line goes on in the stream's next record */
	const char *time; /* RFC 3339, time_len bytes, not yet checked */
	size_t time_len;
	const char *text; /* any bytes, without the newline */
	size_t len;
	const char *attrs; /* JSON object as written, not yet checked; NULL: none */
	size_t attrs_len;
};

/* One record of either format, without its newline. scratch takes len bytes; what ret points to
 * lies in it or in the record. 0, or -EINVAL: it is none. */
int logline_parse(const char *record, size_t len, char *scratch, struct logline *ret);
/* ns since 1970. 0, -EINVAL or -ERANGE. */
int logline_time(const struct logline *line, int64_t *ret_ns);

/* A record with its newline into out, of at least LOGLINE_RECORD_MAX bytes; stamp has
 * LOGLINE_STAMP_LEN bytes. Returns its length. */
size_t logline_put_cri(char *out, const char *stamp, enum logline_stream stream, const char *text,
		       size_t len, bool partial);
/* The same, but takes as much of the text as fits, and of a partial one no character in part,
 * unless there is nothing else: *ret_used bytes. When that is less than len, the record is a
 * partial one. attrs: JSON object of at most LOGLINE_ATTRS_MAX bytes, or NULL. */
size_t logline_put_json(char *out, const char *stamp, enum logline_stream stream, const char *text,
			size_t len, bool partial, const char *attrs, size_t *ret_used);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes what a container prints into its log (runtime/logline.h has the format), or sends it to
 * the journal. No allocation, no memory that grows with the output, nobody to wait for: readers
 * take no locks.
 *
 * - A file holds whole records at any moment but inside a write(2): what the disk cuts off is taken
 *   back. A record that a killed monitor has left in part is taken back by the next logfile_open().
 * - A line of up to LOGLINE_TEXT_MAX bytes is one record, however it came. What has no newline yet
 *   waits for LOGFILE_PARTIAL_MS, so that a prompt is seen, then is written as a partial record.
 * - A file that the next record would make longer than max_size is full: the others move up by one
 *   name, the oldest goes, at a boundary between records.
 * - When there is no room on the disk, logfile_write() takes no more (the container waits on its
 * full pipe), or, with may_drop, drops whole rests of lines, and writes how much when there is
 * room.
 *
 * Large: not for the stack.
 */
#pragma once

#include "base/err.h"
#include "runtime/logline.h"

#define LOGFILE_PARTIAL_MS 100
#define LOGFILE_RETRY_MS   250
#define LOGFILE_OUT_MAX    (2 * LOGLINE_RECORD_MAX)

struct logfile_options {
	enum logline_driver driver;
	uint64_t max_size;  /* bytes of one file; 0: no limit */
	uint32_t max_files; /* with the newest one; 0 is as 1 */
	bool may_drop;
	/* LOGLINE_JSON: JSON object for each record; LOGLINE_JOURNAL: its fields; or NULL. Stays
	 * the caller's. */
	const char *attrs;
};

struct logfile_stream {
	size_t len; /* of lines[] */
	int64_t since_ns;
	bool open; /* the last record in the file is a partial one */
	bool torn; /* something of the open line was dropped */
	bool skip; /* the rest of this line is dropped, too */
};

struct logfile {
	struct logfile_options o;
	int dirfd, fd; /* dirfd stays the caller's */
	const char *name;
	uint64_t size;                         /* of the file, without what is in out */
	bool stuck;                            /* the last write found no room */
	int64_t stuck_ns;                      /* monotonic: since when the journal takes none */
	uint64_t dropped_lines, dropped_bytes; /* since the last notice */
	int64_t stamp_s;                       /* the second that stamp shows */
	char stamp[LOGLINE_STAMP_LEN + 10];
	struct logfile_stream streams[LOGLINE_STREAMS];
	size_t out_len; /* whole records that are not in the file yet */
	/* Last: the pages of these are the container's only when it writes. */
	char lines[LOGLINE_STREAMS][LOGLINE_TEXT_MAX]; /* that have not ended */
	char out[LOGFILE_OUT_MAX];
};

/* Opens or makes the log, readable by nobody else. name stays the caller's. Lines that an earlier
 * life of the container has left open are ended. */
int logfile_open(struct logfile *l, int dirfd, const char *name, const struct logfile_options *o,
		 struct err *err);
/* Bytes taken. Fewer than len: there is no room and nothing may be dropped; the rest is to be
 * offered again after LOGFILE_RETRY_MS. */
ssize_t logfile_write(struct logfile *l, enum logline_stream stream, const char *data, size_t len,
		      int64_t now_ns);
/* When logfile_tick() wants to be called: ms from now, -1: not at all. */
int logfile_timeout_ms(const struct logfile *l, int64_t now_ns);
/* Writes partial lines that have waited long enough and what found no room before. */
void logfile_tick(struct logfile *l, int64_t now_ns);
/* The streams have ended: a last line without newline is written as it is. 0, or -errno: some of it
 * is lost. */
int logfile_flush(struct logfile *l, int64_t now_ns);
/* Somebody has moved the file away (logrotate): goes on with a new one of its name. 0 or -errno:
 * the old one is still written to. */
int logfile_reopen(struct logfile *l);
/* What finds no room now is lost: dropped_lines and dropped_bytes have it, too. */
void logfile_close(struct logfile *l);

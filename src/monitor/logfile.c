/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/fd.h"
#include "base/timeutil.h"
#include "monitor/logfile_internal.h"

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* Most records of a second differ in nine digits. */
static void stamp_set(struct logfile *l, int64_t now_ns)
{
	int64_t ns = now_ns % NS_PER_S;

	if (ns < 0 || now_ns / NS_PER_S != l->stamp_s) {
		time_rfc3339(now_ns, l->stamp);
		l->stamp_s = now_ns / NS_PER_S;
		return;
	}
	for (char *p = l->stamp + LOGLINE_STAMP_LEN - 2; *p != '.'; p--, ns /= 10)
		*p = (char)('0' + ns % 10);
}

/* A record behind what is in out, rotating before it when the file would get too long. *ret_used
 * bytes of text are in it. 0, or -errno: no room. */
static int put(struct logfile *l, size_t stream, const char *text, size_t len, bool partial,
	       size_t *ret_used)
{
	enum logline_stream number = (enum logline_stream)(stream + 1);
	size_t used = len, n;
	char *at;
	int r = 0;

	if (l->o.driver == LOGLINE_JOURNAL)
		r = logfile_send(l, number, text, len, partial);
	else if (sizeof(l->out) - l->out_len < LOGLINE_RECORD_MAX)
		r = logfile_store(l);
	if (r < 0)
		return r;
	if (l->o.driver == LOGLINE_JOURNAL) {
		l->streams[stream].open = partial;
		*ret_used = len;
		return 0;
	}
	at = l->out + l->out_len;
	if (l->o.driver == LOGLINE_JSON)
		n = logline_put_json(at, l->stamp, number, text, len, partial, l->o.attrs, &used);
	else
		n = logline_put_cri(at, l->stamp, number, text, len, partial);
	if (l->o.max_size && l->size + l->out_len && l->size + l->out_len + n > l->o.max_size) {
		r = logfile_store(l);
		if (r == 0)
			r = logfile_rotate(l);
		if (r < 0)
			return r;
		memmove(l->out, at, n);
	}
	l->out_len += n;
	l->streams[stream].open = partial || used < len;
	*ret_used = used;
	return 0;
}

/* There is room again: ends the lines that lost something and says how much is missing. */
static int put_notice(struct logfile *l)
{
	const size_t errors = LOGLINE_STDERR - 1;
	char text[128];
	size_t used;
	int len, r = 0;

	for (size_t i = 0; r == 0 && i < LOGLINE_STREAMS; i++) {
		if ((l->streams[i].torn || i == errors) && l->streams[i].open)
			r = put(l, i, "", 0, false, &used);
		l->streams[i].torn = l->streams[i].torn && r < 0;
	}
	if (r < 0)
		return r;
	len = snprintf(text, sizeof(text), "inro: %llu lines (%llu bytes) are missing here: %s",
		       (unsigned long long)l->dropped_lines, (unsigned long long)l->dropped_bytes,
		       l->o.driver == LOGLINE_JOURNAL ? "the journal did not take them"
						      : "no room on the disk");
	r = put(l, errors, text, (size_t)len, false, &used);
	if (r == 0)
		l->dropped_lines = l->dropped_bytes = 0;
	return r;
}

static void drop(struct logfile *l, struct logfile_stream *st, size_t len, bool ends)
{
	l->dropped_bytes += len + ends;
	l->dropped_lines += ends;
	st->torn = true;
	st->skip = !ends;
}

/* A piece of a line, of at most LOGLINE_TEXT_MAX bytes; ends: its newline comes behind it. Bytes
 * that are done with: with ends, all of them only when the newline is, too. -errno: none are, there
 * is no room. */
static ssize_t emit(struct logfile *l, size_t stream, const char *text, size_t len, bool ends)
{
	struct logfile_stream *st = &l->streams[stream];
	size_t done = 0, used = 0;
	int r = 0;

	if (st->skip) {
		drop(l, st, len, ends);
		return (ssize_t)len;
	}
	if (l->dropped_bytes)
		r = put_notice(l);
	do {
		if (r == 0)
			r = put(l, stream, text + done, len - done, !ends, &used);
		if (r == 0)
			done += used;
	} while (r == 0 && ends && done < len);
	if (r == 0)
		return (ssize_t)done;
	if (!l->o.may_drop && r != -ENOTCONN)
		return done ? (ssize_t)done : r;
	drop(l, st, len - done, ends);
	return (ssize_t)len;
}

/* What waits for the rest of its line, as a record. 0; 1: not all of it; or -errno: nothing. */
static int emit_waiting(struct logfile *l, size_t stream, bool ends)
{
	struct logfile_stream *st = &l->streams[stream];
	ssize_t n = emit(l, stream, l->lines[stream], st->len, ends);

	if (n < 0)
		return (int)n;
	st->len -= (size_t)n;
	memmove(l->lines[stream], l->lines[stream] + n, st->len);
	return st->len != 0;
}

/* Joins bytes up to a newline, or as many as the longest record has, with what waits. Bytes taken.
 */
static size_t take_joined(struct logfile *l, size_t stream, const char *data, size_t len)
{
	struct logfile_stream *st = &l->streams[stream];
	size_t room = sizeof(l->lines[0]) - st->len, n = len < room ? len : room;
	const char *newline = memchr(data, '\n', len < room + 1 ? len : room + 1);

	if (newline)
		n = (size_t)(newline - data);
	memcpy(l->lines[stream] + st->len, data, n);
	st->len += n;
	return newline && emit_waiting(l, stream, true) == 0 ? n + 1 : n;
}

/* A line, as much of it as a record takes, or its beginning that has to wait. Bytes taken. */
static size_t take_line(struct logfile *l, size_t stream, const char *data, size_t len,
			int64_t now_ns)
{
	struct logfile_stream *st = &l->streams[stream];
	size_t n = len <= LOGLINE_TEXT_MAX ? len : LOGLINE_TEXT_MAX + 1;
	const char *newline = memchr(data, '\n', n);
	ssize_t done;

	if (newline) {
		n = (size_t)(newline - data);
		done = emit(l, stream, data, n, true);
		if (done < 0)
			return 0;
		return (size_t)done == n ? n + 1 : (size_t)done;
	}
	if (n > LOGLINE_TEXT_MAX) {
		done = emit(l, stream, data, LOGLINE_TEXT_MAX, false);
		return done < 0 ? 0 : (size_t)done;
	}
	memcpy(l->lines[stream], data, n);
	st->len = n;
	st->since_ns = now_ns;
	return n;
}

ssize_t logfile_write(struct logfile *l, enum logline_stream stream, const char *data, size_t len,
		      int64_t now_ns)
{
	size_t i = stream - 1, done = 0, n = 1;
	struct logfile_stream *st = &l->streams[i];

	if (l->o.driver == LOGLINE_NONE)
		return (ssize_t)len;
	stamp_set(l, now_ns);
	while (done < len && n) {
		/* A full record waits no longer, unless it is a whole line. */
		if (st->len == sizeof(l->lines[0]) && data[done] != '\n' &&
		    emit_waiting(l, i, false) < 0)
			break;
		if (st->len)
			n = take_joined(l, i, data + done, len - done);
		else
			n = take_line(l, i, data + done, len - done, now_ns);
		done += n;
	}
	logfile_store(l);
	return (ssize_t)done;
}

int logfile_timeout_ms(const struct logfile *l, int64_t now_ns)
{
	int64_t wait = -1;

	if (l->out_len || l->stuck || l->dropped_bytes)
		return LOGFILE_RETRY_MS;
	for (size_t i = 0; i < LOGLINE_STREAMS; i++) {
		const struct logfile_stream *st = &l->streams[i];
		int64_t ms;

		if (!st->len)
			continue;
		ms = LOGFILE_PARTIAL_MS - (now_ns - st->since_ns) / NS_PER_MS;
		/* a clock that was set meanwhile lets nobody wait for long */
		if (ms < 0 || ms > LOGFILE_PARTIAL_MS)
			ms = 0;
		if (wait < 0 || ms < wait)
			wait = ms;
	}
	return (int)wait;
}

void logfile_tick(struct logfile *l, int64_t now_ns)
{
	if (l->o.driver == LOGLINE_NONE)
		return;
	stamp_set(l, now_ns);
	if (logfile_store(l) < 0)
		return;
	for (size_t i = 0; i < LOGLINE_STREAMS; i++) {
		struct logfile_stream *st = &l->streams[i];
		int64_t age = now_ns - st->since_ns;

		if (!st->len || (age >= 0 && age < LOGFILE_PARTIAL_MS * NS_PER_MS))
			continue;
		emit_waiting(l, i, false);
		st->since_ns = now_ns;
	}
	if (l->dropped_bytes)
		put_notice(l);
	logfile_store(l);
}

int logfile_flush(struct logfile *l, int64_t now_ns)
{
	int r = 0;

	if (l->o.driver == LOGLINE_NONE)
		return 0;
	stamp_set(l, now_ns);
	for (size_t i = 0; r >= 0 && i < LOGLINE_STREAMS; i++)
		while (r >= 0 && l->streams[i].len)
			r = emit_waiting(l, i, false);
	if (r >= 0 && l->dropped_bytes)
		r = put_notice(l);
	return r < 0 ? r : logfile_store(l);
}

int logfile_open(struct logfile *l, int dirfd, const char *name, const struct logfile_options *o,
		 struct err *err)
{
	bool open[LOGLINE_STREAMS] = { false };
	size_t used;
	int r;

	if (o->attrs && strlen(o->attrs) > LOGLINE_ATTRS_MAX)
		return err_fail(err, ERR_LIMIT, "attributes of the log are longer than %u bytes",
				LOGLINE_ATTRS_MAX);
	/* The buffers are left alone: pages that are not written to take no memory. */
	l->o = *o;
	l->dirfd = dirfd;
	l->fd = -EBADF;
	l->name = name;
	l->size = 0;
	l->out_len = 0;
	l->stuck = false;
	l->stuck_ns = 0;
	l->dropped_lines = l->dropped_bytes = 0;
	l->stamp_s = INT64_MIN;
	for (size_t i = 0; i < LOGLINE_STREAMS; i++) {
		struct logfile_stream *st = &l->streams[i];

		st->len = 0;
		st->open = st->torn = st->skip = false;
	}
	if (o->driver == LOGLINE_NONE || o->driver == LOGLINE_JOURNAL)
		return 0;
	r = logfile_open_last(l, open, err);
	if (r < 0)
		return r;
	stamp_set(l, time_now_ns());
	for (size_t i = 0; i < LOGLINE_STREAMS; i++)
		if (open[i])
			put(l, i, "", 0, false, &used);
	logfile_store(l); /* what finds no room now does so later */
	return 0;
}

/* Records that never came to the file. */
static void count_lost(struct logfile *l)
{
	cleanup_free char *scratch = xmalloc(l->out_len + 1);

	for (size_t at = 0, len; at < l->out_len; at += len + 1) {
		const char *newline = memchr(l->out + at, '\n', l->out_len - at);
		struct logline line;

		len = newline ? (size_t)(newline - l->out) - at : l->out_len - at;
		if (logline_parse(l->out + at, len, scratch, &line) < 0)
			continue; /* what follows a part of a record that is there */
		l->dropped_bytes += line.len + !line.partial;
		l->dropped_lines += !line.partial;
	}
}

void logfile_close(struct logfile *l)
{
	if (l->fd >= 0 && logfile_store(l) < 0)
		count_lost(l);
	l->fd = fd_close(l->fd);
	l->out_len = 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log is one more that takes what comes out of the container: the next buffer is read when it
 * has taken this one, too. It is never waited for once the container has ended.
 */
#include "base/timeutil.h"
#include "monitor/monitor.h"
#include "runtime/ending.h"

static bool is_on(const struct monitor *m)
{
	return m->log.o.driver != LOGLINE_NONE;
}

int output_log_open(struct monitor *m, struct err *err)
{
	const struct monitor_start *s = &m->start;
	const struct logfile_options o = {
		.driver = s->log_driver <= LOGLINE_JOURNAL ? s->log_driver : LOGLINE_NONE,
		.max_size = s->log_max_size,
		.max_files = s->log_max_files,
		.may_drop = s->options & MONITOR_OPT_LOG_DROP,
		.attrs = s->log_attrs[0] ? s->log_attrs : NULL,
	};

	return logfile_open(&m->log, m->fds[MONITOR_FD_BUNDLE], LOGLINE_FILE, &o, err);
}

bool output_log_take(struct monitor *m, struct stream *s)
{
	enum logline_stream number = s == m->streams ? LOGLINE_STDOUT : LOGLINE_STDERR;
	const char *buf = m->bufs[s - m->streams];

	if (!is_on(m) || s->logged == s->len)
		return true;
	s->logged += (size_t)logfile_write(&m->log, number, buf + s->logged, s->len - s->logged,
					   time_now_ns());
	return s->logged == s->len;
}

int output_log_tick(struct monitor *m)
{
	int64_t now;
	int ms;

	if (!is_on(m))
		return -1;
	now = time_now_ns();
	ms = logfile_timeout_ms(&m->log, now);
	if (ms != 0 && ms != LOGFILE_RETRY_MS)
		return ms;
	logfile_tick(&m->log, now);
	return logfile_timeout_ms(&m->log, now);
}

void output_log_end(struct monitor *m)
{
	m->log.o.may_drop = true;
}

/* There is none to come that would say so in the log. */
static void note_lost(const struct monitor *m)
{
	cleanup_ending struct ending_note note = { 0 };

	ending_read(m->fds[MONITOR_FD_RUN], ENDING_FILE, &note);
	note.lost_lines = m->log.dropped_lines;
	note.lost_bytes = m->log.dropped_bytes;
	ending_write(m->fds[MONITOR_FD_RUN], ENDING_FILE, &note);
}

void output_log_close(struct monitor *m)
{
	logfile_flush(&m->log, time_now_ns());
	logfile_close(&m->log);
	if (m->log.dropped_bytes)
		note_lost(m);
}

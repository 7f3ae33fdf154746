/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "engine/logs_internal.h"

#define BUF_SIZE (256u << 10)

bool logs_wanted(struct logs *l, const char *record, size_t len, struct logline *ret)
{
	const struct logs_query *q = &l->query;
	int64_t ns;

	if (logline_parse(record, len, l->scratch, ret) < 0) {
		l->malformed++;
		return false;
	}
	if (q->since_ns == INT64_MIN && q->until_ns == INT64_MAX)
		return true;
	if (logline_time(ret, &ns) < 0) {
		l->malformed++;
		return false;
	}
	return ns >= q->since_ns && ns <= q->until_ns;
}

/* Nothing of a record that is longer than any is kept. */
static void make_room(struct logs *l)
{
	if (l->start) {
		memmove(l->buf, l->buf + l->start, l->end - l->start);
		l->end -= l->start;
		l->start = 0;
	}
	if (l->end < l->cap)
		return;
	if (l->cap >= LOGS_LINE_MAX) {
		l->malformed += !l->overlong;
		l->overlong = true;
		l->end = 0;
		return;
	}
	l->cap *= 2;
	l->buf = xrealloc(l->buf, l->cap);
	l->scratch = xrealloc(l->scratch, l->cap);
}

/* At the end of the newest file. Is it shorter than what was read of it? A part of a record that
 * the writer has taken back comes again; a file that somebody has emptied begins anew. */
static void look_shorter(struct logs *l)
{
	off_t whole = l->pos - (off_t)(l->end - l->start);
	struct stat st;

	if (fstat(l->set.files[0].fd, &st) < 0 || st.st_size >= l->pos)
		return;
	l->pos = st.st_size < whole ? 0 : whole;
	l->start = l->end = 0;
	l->overlong = false;
}

/* 1: there is more in buf, or it is worth another try; 0: there is nothing more yet; or -errno. */
static int fill(struct logs *l, struct err *err)
{
	ssize_t n;
	int r;

	if (!l->set.n)
		return logset_refresh(&l->set, err);
	make_room(l);
	n = NO_EINTR(pread(l->set.files[0].fd, l->buf + l->end, l->cap - l->end, l->pos));
	if (n < 0)
		return err_errno(err, errno, "reading the log");
	if (n > 0) {
		l->pos += n;
		l->end += (size_t)n;
		return 1;
	}
	if (l->set.n > 1) {
		/* only a writer that was killed leaves part of a record */
		l->malformed += l->end > 0 && !l->overlong;
		logset_drop(&l->set, 1);
		l->pos = 0;
		l->start = l->end = 0;
		l->overlong = false;
		return 1;
	}
	/* If there is a newer one, what was written to this one before is read first. */
	r = logset_refresh(&l->set, err);
	if (r == 0)
		look_shorter(l);
	return r;
}

/* 1: *ret of *ret_len bytes without the newline; 0: no whole line yet; or -errno. */
static int next_line(struct logs *l, const char **ret, size_t *ret_len, struct err *err)
{
	for (;;) {
		const char *start = l->buf + l->start;
		const char *newline = memchr(start, '\n', l->end - l->start);
		bool overlong = l->overlong;
		int r;

		if (newline) {
			l->start += (size_t)(newline - start) + 1;
			l->overlong = false;
			if (overlong)
				continue;
			*ret = start;
			*ret_len = (size_t)(newline - start);
			return 1;
		}
		r = fill(l, err);
		if (r <= 0)
			return r;
	}
}

int logs_next(struct logs *l, struct logs_record *ret, struct err *err)
{
	struct logline line;
	const char *record;
	size_t len, s;
	bool continues;
	int r;

	for (;;) {
		r = next_line(l, &record, &len, err);
		if (r <= 0)
			return r;
		if (!logs_wanted(l, record, len, &line))
			continue;
		s = line.stream - 1;
		continues = l->open[s];
		l->open[s] = line.partial;
		if (l->skip[s]) {
			l->skip[s] -= !line.partial;
			continue;
		}
		*ret = (struct logs_record){ .line = line, .continues = continues };
		return 1;
	}
}

struct logs *logs_new(const struct logs_query *query)
{
	struct logs *l = xcalloc(1, sizeof(*l));

	l->query = *query;
	l->cap = BUF_SIZE;
	l->buf = xmalloc(l->cap);
	l->scratch = xmalloc(l->cap);
	return l;
}

int logs_open(int dirfd, const struct logs_query *query, struct logs **ret, struct err *err)
{
	struct logs *l = logs_new(query);
	int r;

	r = logset_open(&l->set, dirfd, LOGLINE_FILE, err);
	if (r == 0 && query->tail >= 0)
		r = logs_seek_tail(l, err);
	if (r < 0)
		logs_free(l);
	else
		*ret = l;
	return r;
}

uint64_t logs_malformed(const struct logs *l)
{
	return l->malformed;
}

bool logs_lost(const struct logs *l)
{
	return l->set.lost;
}

void logs_free(struct logs *l)
{
	if (!l)
		return;
	logset_done(&l->set);
	free(l->buf);
	free(l->scratch);
	free(l);
}

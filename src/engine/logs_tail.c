/* SPDX-License-Identifier: Apache-2.0 */
/* Where the last lines begin: read from the end, so that it takes as long as they are. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "engine/logs_internal.h"

#define BLOCK (64u << 10)

/* A file from its end. buf holds [start, start + len) of it; the last of these bytes is a newline,
 * that of the record which comes next. */
struct backward {
	int fd;
	off_t start;
	char *buf;
	size_t len, cap;
};

/* Puts the block before what is there. */
static int read_before(struct backward *b)
{
	size_t n = b->start < (off_t)BLOCK ? (size_t)b->start : BLOCK;
	ssize_t got;

	if (b->cap < b->len + n) {
		b->cap = b->len + BLOCK;
		b->buf = xrealloc(b->buf, b->cap);
	}
	memmove(b->buf + n, b->buf, b->len);
	got = NO_EINTR(pread(b->fd, b->buf, n, b->start - (off_t)n));
	if (got < 0)
		return -errno;
	/* somebody has emptied the file */
	if ((size_t)got < n)
		memset(b->buf + got, '\n', n - (size_t)got);
	b->start -= (off_t)n;
	b->len += n;
	return 0;
}

/* At the end of the last whole record. */
static int backward_begin(struct backward *b, int fd)
{
	const char *newline = NULL;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	b->fd = fd;
	b->start = st.st_size;
	b->len = 0;
	while (!newline && b->start) {
		b->len = 0; /* it is no part of a record */
		r = read_before(b);
		if (r < 0)
			return r;
		newline = memrchr(b->buf, '\n', b->len);
	}
	b->len = newline ? (size_t)(newline - b->buf) + 1 : 0;
	return 0;
}

/* The record before. 1: *ret, *ret_len; 0: the file begins here; or -errno. */
static int backward_next(struct backward *b, const char **ret, size_t *ret_len)
{
	const char *newline;
	size_t start;
	int r;

	if (!b->len && b->start) {
		r = read_before(b);
		if (r < 0)
			return r;
	}
	if (!b->len)
		return 0;
	while (!(newline = memrchr(b->buf, '\n', b->len - 1)) && b->start) {
		if (b->len > LOGS_LINE_MAX) {
			/* too long to be a record: its end is enough to see that */
			b->buf[0] = '\n';
			b->len = 1;
		}
		r = read_before(b);
		if (r < 0)
			return r;
	}
	start = newline ? (size_t)(newline - b->buf) + 1 : 0;
	*ret = b->buf + start;
	*ret_len = b->len - 1 - start;
	b->len = start;
	return 1;
}

struct tail {
	uint64_t left; /* lines that are still wanted */
	bool seen[LOGLINE_STREAMS];
	bool open[LOGLINE_STREAMS]; /* the beginning of a wanted line is still to come */
};

static void count(struct logs *l, struct tail *t, const struct logline *line)
{
	size_t s = line->stream - 1;
	/* the last line of a stream may have no end */
	bool ends = !line->partial || !t->seen[s];

	t->seen[s] = true;
	if (!ends)
		return;
	t->open[s] = t->left > 0;
	if (t->left)
		t->left--;
	else
		l->skip[s]++;
}

static bool is_enough(const struct tail *t)
{
	return !t->left && !t->open[0] && !t->open[1];
}

static int seek_in_file(struct logs *l, struct backward *b, struct tail *t, int fd)
{
	struct logline line;
	const char *record;
	size_t len;
	int r = backward_begin(b, fd);

	while (r == 0 && !is_enough(t)) {
		r = backward_next(b, &record, &len);
		if (r <= 0)
			break;
		r = 0;
		/* the scratch buffer takes what a block takes */
		if (len <= l->cap && logs_wanted(l, record, len, &line))
			count(l, t, &line);
	}
	return r;
}

int logs_seek_tail(struct logs *l, struct err *err)
{
	struct tail t = { .left = (uint64_t)l->query.tail };
	struct backward b = { .fd = -EBADF };
	size_t i = l->set.n;
	int r = 0;

	while (r == 0 && i && (i == l->set.n || !is_enough(&t)))
		r = seek_in_file(l, &b, &t, l->set.files[--i].fd);
	free(b.buf);
	if (r < 0)
		return err_errno(err, -r, "reading the log");
	if (l->set.n) {
		l->pos = b.start + (off_t)b.len;
		logset_drop(&l->set, i);
	}
	/* they are met again on the way forward */
	l->malformed = 0;
	return 0;
}

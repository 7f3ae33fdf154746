/* SPDX-License-Identifier: Apache-2.0 */
/* Reading logs: what the writer wrote comes out, from any line on, while files are renamed. */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/logs.h"
#include "logdir.h"

#define S   INT64_C(1000000000)
#define NOW (INT64_C(1767366245) * S)

static void open_writer(struct fixture *fx, uint64_t max_size, uint32_t max_files)
{
	const struct logfile_options o = { .driver = LOGLINE_CRI,
					   .max_size = max_size,
					   .max_files = max_files };
	struct err err = ERR_INIT;

	assert_ok(logfile_open(&fx->l, fx->dir, LOGLINE_FILE, &o, &err));
}

static void put_file(struct fixture *fx, const char *name, const char *text, size_t len)
{
	struct err err = ERR_INIT;

	assert_ok(io_replace_file(fx->dir, name, text, len, 0600, false, &err));
}

static struct logs *open_logs(struct fixture *fx, int64_t tail)
{
	struct logs_query query = LOGS_QUERY_INIT;
	struct err err = ERR_INIT;
	struct logs *l = NULL;

	query.tail = tail;
	assert_ok(logs_open(fx->dir, &query, &l, &err));
	return l;
}

/* All that is there now, behind what out holds. Returns how many records. */
static int read_more(struct logs *l, struct buf out[LOGLINE_STREAMS])
{
	struct logs_record record;
	struct err err = ERR_INIT;
	int n = 0, r;

	while ((r = logs_next(l, &record, &err)) > 0) {
		struct buf *b = &out[record.line.stream - 1];

		if (b->len)
			assert_int_equal(record.continues, b->data[b->len - 1] != '\n');
		buf_add(b, record.line.text, record.line.len);
		if (!record.line.partial)
			buf_addc(b, '\n');
		n++;
	}
	assert_ok(r);
	return n;
}

static void streams_done(struct buf (*out)[LOGLINE_STREAMS])
{
	buf_done(&(*out)[0]);
	buf_done(&(*out)[1]);
}
#define cleanup_streams CLEANUP(streams_done)
#define STREAMS_INIT                                                                               \
	{                                                                                          \
		BUF_INIT, BUF_INIT                                                                 \
	}

static void tail_is(struct fixture *fx, int64_t tail, const char *out, const char *errors)
{
	cleanup_streams struct buf got[] = STREAMS_INIT;
	struct logs *l = open_logs(fx, tail);

	read_more(l, got);
	assert_string_equal(buf_str(&got[0]), out);
	assert_string_equal(buf_str(&got[1]), errors);
	assert_int_equal(logs_malformed(l), 0);
	logs_free(l);
}

static void test_order(void **state)
{
	struct fixture *fx = *state;

	tail_is(fx, -1, "", "");
	tail_is(fx, 3, "", "");
	open_writer(fx, 100, 5); /* two records fit */
	for (int i = 0; i < 7; i++) {
		char line[] = "line 0\n";

		line[5] = (char)('0' + i);
		logfile_write(&fx->l, i % 3 ? LOGLINE_STDOUT : LOGLINE_STDERR, line, strlen(line),
			      NOW);
	}
	tail_is(fx, -1, "line 1\nline 2\nline 4\nline 5\n", "line 0\nline 3\nline 6\n");
	tail_is(fx, 0, "", "");
	tail_is(fx, 1, "", "line 6\n");
	tail_is(fx, 2, "line 5\n", "line 6\n");
	tail_is(fx, 4, "line 4\nline 5\n", "line 3\nline 6\n");
	tail_is(fx, 5, "line 2\nline 4\nline 5\n", "line 3\nline 6\n");
	tail_is(fx, 7, "line 1\nline 2\nline 4\nline 5\n", "line 0\nline 3\nline 6\n");
	tail_is(fx, INT64_MAX, "line 1\nline 2\nline 4\nline 5\n", "line 0\nline 3\nline 6\n");
}

static unsigned int next_random(unsigned int *state, unsigned int below)
{
	*state = *state * 1103515245u + 12345u;
	return (*state >> 8) % below;
}

/* Lines as a reader without haste would count them: in the order in which they end. */
struct model {
	struct model_line {
		size_t stream;
		char *text; /* with its newline, if it has one */
		size_t last;
	} lines[400];
	size_t n;
};

static int by_last(const void *a, const void *b)
{
	const struct model_line *x = a, *y = b;

	return x->last < y->last ? -1 : x->last > y->last;
}

static void make_files(struct fixture *fx, struct model *m, unsigned int *seed)
{
	static const char stamp[] = "2026-01-02T15:04:05.000000000Z";
	struct buf open[LOGLINE_STREAMS] = STREAMS_INIT;
	size_t last[LOGLINE_STREAMS] = { 0, 0 }, n = 0;

	for (int file = 3; file >= 0; file--) {
		cleanup_free char *name =
		    file ? xasprintf(LOGLINE_FILE ".%d", file) : xstrdup(LOGLINE_FILE);
		cleanup_buf struct buf out = BUF_INIT;
		unsigned int records = next_random(seed, 12);

		for (unsigned int i = 0; i < records; i++, n++) {
			size_t s = next_random(seed, 4) == 0, len;
			bool partial = next_random(seed, 2);
			char text[16], record[128];

			len = (size_t)snprintf(text, sizeof(text), "%zu%c", n, 'a' + file);
			buf_add(&out, record,
				logline_put_cri(record, stamp, (enum logline_stream)(s + 1), text,
						len, partial));
			buf_add(&open[s], text, len);
			last[s] = n;
			if (partial)
				continue;
			buf_addc(&open[s], '\n');
			m->lines[m->n++] = (struct model_line){ s, buf_take(&open[s]), n };
		}
		put_file(fx, name, buf_str(&out), out.len);
	}
	for (size_t s = 0; s < LOGLINE_STREAMS; s++) {
		if (open[s].len)
			m->lines[m->n++] = (struct model_line){ s, buf_take(&open[s]), last[s] };
		buf_done(&open[s]);
	}
	qsort(m->lines, m->n, sizeof(m->lines[0]), by_last);
}

static void test_any_tail(void **state)
{
	struct fixture *fx = *state;
	unsigned int seed = 1;

	for (int round = 0; round < 60; round++) {
		struct model m = { .n = 0 };

		make_files(fx, &m, &seed);
		for (size_t tail = 0; tail <= m.n + 1; tail++) {
			cleanup_streams struct buf want[] = STREAMS_INIT;

			for (size_t i = tail < m.n ? m.n - tail : 0; i < m.n; i++)
				buf_adds(&want[m.lines[i].stream], m.lines[i].text);
			tail_is(fx, (int64_t)tail, buf_str(&want[0]), buf_str(&want[1]));
		}
		for (size_t i = 0; i < m.n; i++)
			free(m.lines[i].text);
	}
}

/* Much more than a block, so that records lie across the borders of blocks. */
static void test_long_tail(void **state)
{
	static char line[5000];
	struct fixture *fx = *state;
	cleanup_buf struct buf sent = BUF_INIT;
	unsigned int seed = 9;

	open_writer(fx, 300000, 3);
	for (int i = 0; i < 300; i++) {
		size_t len = next_random(&seed, sizeof(line) - 1);

		memset(line, 'a' + i % 26, len);
		line[len] = '\n';
		buf_add(&sent, line, len + 1);
	}
	logfile_write(&fx->l, LOGLINE_STDOUT, sent.data, sent.len, NOW);
	for (int64_t tail = 1; tail < 120; tail += 7) {
		const char *at = sent.data + sent.len - 1;

		for (int64_t i = 1; i < tail; i++)
			at = memrchr(sent.data, '\n', (size_t)(at - sent.data));
		at = memrchr(sent.data, '\n', (size_t)(at - sent.data));
		tail_is(fx, tail, at + 1, "");
	}
}

/* The rest of a line that was not finished when the tail was looked for. */
static void test_tail_of_open_lines(void **state)
{
	struct fixture *fx = *state;
	cleanup_streams struct buf got[] = STREAMS_INIT;
	struct logs *l;

	open_writer(fx, 0, 0);
	logfile_write(&fx->l, LOGLINE_STDOUT, "one\n", 4, NOW);
	logfile_write(&fx->l, LOGLINE_STDERR, "wait...", 7, NOW);
	logfile_tick(&fx->l, NOW + S);
	logfile_write(&fx->l, LOGLINE_STDOUT, "two\nprompt: ", 12, NOW);
	logfile_tick(&fx->l, NOW + S);
	l = open_logs(fx, 2);
	read_more(l, got);
	assert_string_equal(buf_str(&got[0]), "two\nprompt: ");
	/* this line was counted and is not one of the last two */
	logfile_write(&fx->l, LOGLINE_STDERR, "done\nmore\n", 10, NOW);
	logfile_write(&fx->l, LOGLINE_STDOUT, "yes\n", 4, NOW);
	read_more(l, got);
	assert_string_equal(buf_str(&got[0]), "two\nprompt: yes\n");
	assert_string_equal(buf_str(&got[1]), "more\n");
	logs_free(l);
}

static void test_times(void **state)
{
	static const struct {
		int64_t since, until, tail;
		const char *text;
	} rows[] = {
		{ INT64_MIN, INT64_MAX, -1, "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n" },
		{ NOW + 7 * S, INT64_MAX, -1, "7\n8\n9\n" },
		{ NOW + 7 * S + 1, INT64_MAX, -1, "8\n9\n" },
		{ INT64_MIN, NOW + 2 * S, -1, "0\n1\n2\n" },
		{ INT64_MIN, NOW + 2 * S - 1, -1, "0\n1\n" },
		{ NOW + 3 * S, NOW + 4 * S, -1, "3\n4\n" },
		{ INT64_MIN, NOW + 5 * S, 2, "4\n5\n" },
		{ NOW + 5 * S, NOW + 6 * S, 1, "6\n" },
		{ NOW + 5 * S, NOW + 6 * S, 9, "5\n6\n" },
		{ NOW + 50 * S, INT64_MAX, 9, "" },
		{ INT64_MIN, NOW - 1, 9, "" },
	};
	struct fixture *fx = *state;

	open_writer(fx, 150, 9);
	for (int i = 0; i < 10; i++) {
		char line[] = { (char)('0' + i), '\n' };

		logfile_write(&fx->l, LOGLINE_STDOUT, line, 2, NOW + i * S);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct logs_query query = { rows[i].since, rows[i].until, rows[i].tail };
		cleanup_streams struct buf got[] = STREAMS_INIT;
		struct err err = ERR_INIT;
		struct logs *l = NULL;

		assert_ok(logs_open(fx->dir, &query, &l, &err));
		read_more(l, got);
		assert_string_equal(buf_str(&got[0]), rows[i].text);
		logs_free(l);
	}
}

/* A reader who comes every now and then, while the files are renamed below it. */
static void test_follow(void **state)
{
	struct fixture *fx = *state;
	cleanup_streams struct buf got[] = STREAMS_INIT;
	cleanup_buf struct buf sent = BUF_INIT;
	unsigned int seed = 4;
	struct logs *l;

	/* the log is made later */
	l = open_logs(fx, -1);
	assert_int_equal(read_more(l, got), 0);
	open_writer(fx, 2000, LOGLINE_FILES_MAX);
	for (int i = 0; i < 3000; i++) {
		char line[200];
		size_t len = next_random(&seed, sizeof(line));

		memset(line, 'a' + i % 26, len);
		if (len && next_random(&seed, 4))
			line[len - 1] = '\n';
		buf_add(&sent, line, len);
		logfile_write(&fx->l, LOGLINE_STDOUT, line, len, NOW);
		if (next_random(&seed, 5) == 0)
			logfile_tick(&fx->l, NOW + S);
		if (next_random(&seed, 100) == 0)
			read_more(l, got);
	}
	logfile_flush(&fx->l, NOW);
	read_more(l, got);
	assert_int_equal(got[0].len, sent.len);
	assert_memory_equal(got[0].data, sent.data, sent.len);
	assert_int_equal(logs_malformed(l), 0);
	assert_false(logs_lost(l));
	logs_free(l);
}

/* One who comes too late has lost something, and knows it; all that is there still comes. */
static void test_too_late(void **state)
{
	struct fixture *fx = *state;
	cleanup_streams struct buf got[] = STREAMS_INIT, rest[] = STREAMS_INIT;
	struct logs *l;

	open_writer(fx, 1000, 3);
	logfile_write(&fx->l, LOGLINE_STDOUT, "first\n", 6, NOW);
	l = open_logs(fx, -1);
	for (int i = 0; i < 200; i++) {
		char line[16];
		int len = snprintf(line, sizeof(line), "line %d\n", i);

		logfile_write(&fx->l, LOGLINE_STDOUT, line, (size_t)len, NOW);
	}
	/* the first file was open: all of it comes */
	assert_true(read_more(l, got) > 20);
	assert_true(str_starts(buf_str(&got[0]), "first\nline 0\nline 1\n"));
	assert_true(str_ends(buf_str(&got[0]), "line 198\nline 199\n"));
	assert_true(logs_lost(l));
	logs_free(l);
	l = open_logs(fx, -1);
	read_more(l, rest);
	assert_true(str_ends(buf_str(&got[0]), buf_str(&rest[0])));
	assert_false(logs_lost(l));
	logs_free(l);
}

/* A monitor that was killed while it rotated. */
static void test_gaps(void **state)
{
	static const char *const gone[] = { LOGLINE_FILE, LOGLINE_FILE ".1", LOGLINE_FILE ".2" };
	static const char *const left[] = { "aabb", "aacc", "bbcc" };
	struct fixture *fx = *state;

	for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
		cleanup_streams struct buf got[] = STREAMS_INIT;
		cleanup_buf struct buf text = BUF_INIT;
		struct logs *l;

		for (size_t k = 0; k < ARRAY_SIZE(gone); k++) {
			char c = (char)('c' - k);

			buf_reset(&text);
			buf_addf(&text, "2026-01-02T15:04:05Z stdout P %c\n", c);
			buf_addf(&text, "2026-01-02T15:04:05Z stdout P %c\n", c);
			put_file(fx, gone[k], buf_str(&text), text.len);
		}
		assert_int_equal(unlinkat(fx->dir, gone[i], 0), 0);
		l = open_logs(fx, -1);
		assert_int_equal(read_more(l, got), 4);
		assert_string_equal(buf_str(&got[0]), left[i]);
		logs_free(l);
	}
}

/* Whatever else is in the file is counted and passed over. */
static void test_no_records(void **state)
{
	struct fixture *fx = *state;
	cleanup_streams struct buf got[] = STREAMS_INIT;
	cleanup_buf struct buf text = BUF_INIT;
	struct logs *l;

	buf_adds(&text, "nonsense\n\n2026-01-02T15:04:05Z stdout F one\n{\"log\":\n");
	for (int i = 0; i < (3 << 20); i++)
		buf_addc(&text, 'x');
	buf_adds(&text, "\n2026-01-02T15:04:05Z stdout F two\n2026-01-02T15:04:05Z stdout F thr");
	put_file(fx, LOGLINE_FILE ".1", buf_str(&text), text.len);
	put_file(fx, LOGLINE_FILE, "2026-01-02T15:04:05Z stderr F four\n",
		 strlen("2026-01-02T15:04:05Z stderr F four\n"));
	l = open_logs(fx, -1);
	assert_int_equal(read_more(l, got), 3);
	assert_string_equal(buf_str(&got[0]), "one\ntwo\n");
	assert_string_equal(buf_str(&got[1]), "four\n");
	assert_int_equal(logs_malformed(l), 5);
	logs_free(l);
	streams_done(&got);
	l = open_logs(fx, 2);
	assert_int_equal(read_more(l, got), 2);
	assert_string_equal(buf_str(&got[0]), "two\n");
	logs_free(l);
	streams_done(&got);
	l = open_logs(fx, 3);
	assert_int_equal(read_more(l, got), 3);
	logs_free(l);
}

/* A writer that takes back what the disk had no room for, and somebody who empties the file. */
static void test_shorter(void **state)
{
#define ONE "2026-01-02T15:04:05Z stdout F one\n"
#define TWO "2026-01-02T15:04:05Z stdout F two\n"
	struct fixture *fx = *state;
	cleanup_streams struct buf got[] = STREAMS_INIT;
	cleanup_fd int fd = -EBADF;
	struct logs *l;

	put_file(fx, LOGLINE_FILE, ONE "2026-01-02T15", strlen(ONE) + 13);
	fd = openat(fx->dir, LOGLINE_FILE, O_WRONLY | O_APPEND | O_CLOEXEC);
	l = open_logs(fx, -1);
	assert_int_equal(read_more(l, got), 1);
	assert_int_equal(ftruncate(fd, (off_t)strlen(ONE)), 0);
	assert_int_equal(read_more(l, got), 0);
	assert_int_equal(io_write(fd, TWO, strlen(TWO)), 0);
	assert_int_equal(read_more(l, got), 1);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(read_more(l, got), 0);
	assert_int_equal(io_write(fd, ONE, strlen(ONE)), 0);
	assert_int_equal(read_more(l, got), 1);
	assert_string_equal(buf_str(&got[0]), "one\ntwo\none\n");
	assert_int_equal(logs_malformed(l), 0);
	logs_free(l);
}

static void test_refused(void **state)
{
	struct fixture *fx = *state;
	struct logs_query query = LOGS_QUERY_INIT;
	struct err err = ERR_INIT;
	struct logs *l = NULL;

	assert_int_equal(symlinkat("/etc/passwd", fx->dir, LOGLINE_FILE), 0);
	assert_int_equal(logs_open(fx->dir, &query, &l, &err), -ELOOP);
	assert_null(l);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order),      TEST(test_any_tail),
		TEST(test_long_tail),  TEST(test_tail_of_open_lines),
		TEST(test_times),      TEST(test_follow),
		TEST(test_too_late),   TEST(test_gaps),
		TEST(test_no_records), TEST(test_shorter),
		TEST(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

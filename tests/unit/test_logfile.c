/* SPDX-License-Identifier: Apache-2.0 */
/* The log's writer: whatever comes in whatever pieces is in the files, in whole records. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "child.h"
#include "logdir.h"

#define NAME LOGLINE_FILE
#define NOW  (INT64_C(1767366245) * 1000000000 + 123456789)
#define T    "2026-01-02T15:04:05.123456789Z"

static const struct logfile_options cri = { .driver = LOGLINE_CRI };
static const struct logfile_options json = { .driver = LOGLINE_JSON };

static bool exists(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What the streams were, by all files, the oldest first. Returns the number of records, or -1:
 * there is something else in a file. */
static int collect_file(int dir, const char *name, struct buf out[LOGLINE_STREAMS])
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_free char *scratch = NULL;
	int records = 0;

	if (io_read_file(dir, name, &text, 64u << 20, NULL) < 0)
		return -1;
	scratch = xmalloc(text.len + 1);
	for (size_t at = 0; at < text.len; records++) {
		const char *newline = memchr(text.data + at, '\n', text.len - at);
		struct logline line;

		if (!newline || logline_parse(text.data + at, (size_t)(newline - text.data) - at,
					      scratch, &line) < 0)
			return -1;
		if (line.len > LOGLINE_TEXT_MAX)
			return -1;
		buf_add(&out[line.stream - 1], line.text, line.len);
		if (!line.partial)
			buf_addc(&out[line.stream - 1], '\n');
		at = (size_t)(newline - text.data) + 1;
	}
	return records;
}

static int collect(int dir, struct buf out[LOGLINE_STREAMS])
{
	int records = 0;

	buf_reset(&out[0]);
	buf_reset(&out[1]);
	for (int i = LOGLINE_FILES_MAX; i >= 0; i--) {
		cleanup_free char *name = i ? xasprintf(NAME ".%d", i) : xstrdup(NAME);
		int n;

		if (!exists(dir, name))
			continue;
		n = collect_file(dir, name, out);
		if (n < 0)
			return -1;
		records += n;
	}
	return records;
}

#define cleanup_streams CLEANUP(streams_done)
static void streams_done(struct buf (*out)[LOGLINE_STREAMS])
{
	buf_done(&(*out)[0]);
	buf_done(&(*out)[1]);
}
#define STREAMS_INIT                                                                               \
	{                                                                                          \
		BUF_INIT, BUF_INIT                                                                 \
	}

static void has_text(struct fixture *fx, const char *text)
{
	cleanup_buf struct buf got = BUF_INIT;
	struct err err = ERR_INIT;

	assert_ok(io_read_file(fx->dir, NAME, &got, 1u << 20, &err));
	assert_string_equal(buf_str(&got), text);
}

static void write_all(struct fixture *fx, enum logline_stream stream, const char *text)
{
	assert_int_equal(logfile_write(&fx->l, stream, text, strlen(text), NOW), strlen(text));
}

static void test_lines(void **state)
{
	struct fixture *fx = *state;
	struct err err = ERR_INIT;
	struct stat st;

	assert_ok(logfile_open(&fx->l, fx->dir, NAME, &cri, &err));
	assert_int_equal(logfile_timeout_ms(&fx->l, NOW), -1);
	write_all(fx, LOGLINE_STDOUT, "one\n\ntwo\n");
	write_all(fx, LOGLINE_STDERR, "three\n");
	has_text(fx,
		 T " stdout F one\n" T " stdout F \n" T " stdout F two\n" T " stderr F three\n");
	assert_int_equal(fstatat(fx->dir, NAME, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(logfile_timeout_ms(&fx->l, NOW), -1);
	/* the time of the next second, and of an earlier one */
	assert_int_equal(logfile_write(&fx->l, LOGLINE_STDOUT, "x\n", 2, NOW + 900000000), 2);
	assert_int_equal(logfile_write(&fx->l, LOGLINE_STDOUT, "y\n", 2, NOW - 3), 2);
	has_text(fx, T " stdout F one\n" T " stdout F \n" T " stdout F two\n" T " stderr F three\n"
		       "2026-01-02T15:04:06.023456789Z stdout F x\n"
		       "2026-01-02T15:04:05.123456786Z stdout F y\n");
}

static void test_json(void **state)
{
	struct fixture *fx = *state;
	struct logfile_options o = json;
	struct err err = ERR_INIT;

	o.attrs = "{\"a\":\"b\"}";
	assert_ok(logfile_open(&fx->l, fx->dir, NAME, &o, &err));
	write_all(fx, LOGLINE_STDOUT, "\"\n");
	has_text(fx, "{\"log\":\"\\\"\\n\",\"stream\":\"stdout\",\"attrs\":{\"a\":\"b\"},\"time\":"
		     "\"" T "\"}\n");
}

static void test_none(void **state)
{
	const struct logfile_options none = { .driver = LOGLINE_NONE };
	struct fixture *fx = *state;
	struct err err = ERR_INIT;

	assert_ok(logfile_open(&fx->l, fx->dir, NAME, &none, &err));
	write_all(fx, LOGLINE_STDOUT, "text");
	assert_int_equal(logfile_timeout_ms(&fx->l, NOW), -1);
	logfile_tick(&fx->l, NOW);
	assert_int_equal(logfile_flush(&fx->l, NOW), 0);
	assert_int_equal(logfile_reopen(&fx->l), 0);
	assert_false(exists(fx->dir, NAME));
}

/* A line that comes in pieces is one record, unless it is longer than one. */
static void test_pieces(void **state)
{
	static char text[3 * LOGLINE_TEXT_MAX];
	struct fixture *fx = *state;
	struct err err = ERR_INIT;
	cleanup_streams struct buf got[] = STREAMS_INIT;

	memset(text, 'x', sizeof(text));
	assert_ok(logfile_open(&fx->l, fx->dir, NAME, &cri, &err));
	for (int i = 0; i < 1000; i++)
		assert_int_equal(logfile_write(&fx->l, LOGLINE_STDOUT, "y", 1, NOW), 1);
	write_all(fx, LOGLINE_STDOUT, "\n");
	assert_int_equal(collect(fx->dir, got), 1);
	/* as long as a record can be, its newline with it and on its own */
	text[LOGLINE_TEXT_MAX] = '\n';
	assert_int_equal(logfile_write(&fx->l, LOGLINE_STDOUT, text, LOGLINE_TEXT_MAX + 1, NOW),
			 LOGLINE_TEXT_MAX + 1);
	assert_int_equal(collect(fx->dir, got), 2);
	assert_int_equal(logfile_write(&fx->l, LOGLINE_STDOUT, text, LOGLINE_TEXT_MAX, NOW),
			 LOGLINE_TEXT_MAX);
	assert_int_equal(collect(fx->dir, got), 2);
	write_all(fx, LOGLINE_STDOUT, "\n");
	assert_int_equal(collect(fx->dir, got), 3);
	/* one byte longer */
	write_all(fx, LOGLINE_STDOUT, "z");
	assert_int_equal(logfile_write(&fx->l, LOGLINE_STDOUT, text, LOGLINE_TEXT_MAX + 1, NOW),
			 LOGLINE_TEXT_MAX + 1);
	assert_int_equal(collect(fx->dir, got), 5);
	assert_int_equal(got[0].len, 1001 + 3 * (LOGLINE_TEXT_MAX + 1) + 1);
}

/* A prompt is written when it has waited a little. */
static void test_prompt(void **state)
{
	const int64_t ms = 1000000;
	struct fixture *fx = *state;
	struct err err = ERR_INIT;

	assert_ok(logfile_open(&fx->l, fx->dir, NAME, &cri, &err));
	write_all(fx, LOGLINE_STDOUT, "name: ");
	has_text(fx, "");
	assert_int_equal(logfile_timeout_ms(&fx->l, NOW), LOGFILE_PARTIAL_MS);
	assert_int_equal(logfile_timeout_ms(&fx->l, NOW + 30 * ms), LOGFILE_PARTIAL_MS - 30);
	assert_int_equal(logfile_timeout_ms(&fx->l, NOW - 3000 * ms), 0);
	logfile_tick(&fx->l, NOW + (LOGFILE_PARTIAL_MS - 1) * ms);
	has_text(fx, "");
	logfile_tick(&fx->l, NOW + LOGFILE_PARTIAL_MS * ms);
	has_text(fx, "2026-01-02T15:04:05.223456789Z stdout P name: \n");
	assert_int_equal(logfile_timeout_ms(&fx->l, NOW), -1);
	write_all(fx, LOGLINE_STDOUT, "bob\nbye");
	assert_int_equal(logfile_flush(&fx->l, NOW), 0);
	has_text(fx, "2026-01-02T15:04:05.223456789Z stdout P name: \n" T " stdout F bob\n" T
		     " stdout P bye\n");
}

/* A repeatable random number. */
static unsigned int next_random(unsigned int *state, unsigned int below)
{
	*state = *state * 1103515245u + 12345u;
	return (*state >> 8) % below;
}

/* Text with short lines, long lines and, if wanted, characters of several bytes. */
static void make_text(struct buf *out, size_t len, unsigned int *seed, bool utf8)
{
	while (out->len < len) {
		unsigned int kind = next_random(seed, 100);
		size_t line = next_random(seed, kind < 90 ? 100 : kind < 97 ? 3000 : 60000);

		for (size_t i = 0; i < line; i++) {
			if (utf8 && next_random(seed, 8) == 0)
				buf_adds(out,
					 next_random(seed, 2) ? "\xc3\xa9" : "\xf0\x9f\x98\x80");
			else if (utf8)
				buf_addc(out, (char)(next_random(seed, 97) + (i % 7 ? 1 : 30)));
			else
				buf_addc(out, (char)next_random(seed, 256));
		}
		buf_addc(out, '\n');
	}
}

static void any_pieces(struct fixture *fx, const struct logfile_options *o, bool utf8)
{
	cleanup_streams struct buf sent[] = STREAMS_INIT, got[] = STREAMS_INIT;
	struct err err = ERR_INIT;
	unsigned int seed = 7;
	size_t at[LOGLINE_STREAMS] = { 0, 0 };

	make_text(&sent[0], 700000, &seed, utf8);
	make_text(&sent[1], 300000, &seed, utf8);
	buf_adds(&sent[0], "unfinished");
	assert_ok(logfile_open(&fx->l, fx->dir, NAME, o, &err));
	for (int64_t now = NOW; at[0] < sent[0].len || at[1] < sent[1].len; now += 1000000) {
		size_t s = next_random(&seed, 2), left = sent[s].len - at[s];
		size_t n = next_random(&seed, next_random(&seed, 10) ? 300 : 66000);

		n = n < left ? n : left;
		assert_int_equal(logfile_write(&fx->l, (enum logline_stream)(s + 1),
					       sent[s].data + at[s], n, now),
				 n);
		at[s] += n;
		if (!utf8 && next_random(&seed, 10) == 0)
			logfile_tick(&fx->l, now);
	}
	assert_int_equal(logfile_flush(&fx->l, NOW), 0);
	assert_true(collect(fx->dir, got) > 0);
	for (size_t s = 0; s < LOGLINE_STREAMS; s++) {
		assert_int_equal(got[s].len, sent[s].len);
		assert_memory_equal(got[s].data, sent[s].data, sent[s].len);
	}
}

static void test_any_pieces_cri(void **state)
{
	any_pieces(*state, &cri, false);
}

/* Lines are cut between characters: nothing of UTF-8 gets lost. */
static void test_any_pieces_json(void **state)
{
	any_pieces(*state, &json, true);
}

static void test_rotated_pieces(void **state)
{
	const struct logfile_options o = { .driver = LOGLINE_CRI,
					   .max_size = 50000,
					   .max_files = LOGLINE_FILES_MAX };
	struct fixture *fx = *state;
	struct stat st;

	any_pieces(fx, &o, false);
	for (int i = 0; i < 20; i++) {
		cleanup_free char *name = i ? xasprintf(NAME ".%d", i) : xstrdup(NAME);

		assert_int_equal(fstatat(fx->dir, name, &st, 0), 0);
		assert_in_range(st.st_size, 1, o.max_size);
	}
	assert_false(exists(fx->dir, NAME ".new"));
}

/* Only the newest stay, and what stays is the end of it all without a gap. */
static void test_oldest_go(void **state)
{
	const struct logfile_options o = { .driver = LOGLINE_CRI,
					   .max_size = 4096,
					   .max_files = 3 };
	struct fixture *fx = *state;
	cleanup_streams struct buf got[] = STREAMS_INIT;
	cleanup_buf struct buf sent = BUF_INIT;
	struct err err = ERR_INIT;

	assert_ok(logfile_open(&fx->l, fx->dir, NAME, &o, &err));
	for (int i = 0; i < 1000; i++)
		buf_addf(&sent, "line %d\n", i);
	assert_int_equal(logfile_write(&fx->l, LOGLINE_STDOUT, sent.data, sent.len, NOW), sent.len);
	assert_in_range(collect(fx->dir, got), 2 * 4096 / 50, 3 * 4096 / 40);
	assert_memory_equal(got[0].data, sent.data + sent.len - got[0].len, got[0].len);
	assert_true(exists(fx->dir, NAME ".2"));
	assert_false(exists(fx->dir, NAME ".3"));
	/* what a killed monitor has left free is taken first, so that there is one gap at most */
	assert_int_equal(unlinkat(fx->dir, NAME ".1", 0), 0);
	for (int i = 0; i < 90; i++)
		write_all(fx, LOGLINE_STDOUT, "again\n");
	assert_true(exists(fx->dir, NAME ".1"));
	assert_true(collect(fx->dir, got) > 0);
	assert_null(memmem(got[0].data, got[0].len, "line 999", 8) ? NULL : "line 999 is lost");
}

static void test_one_file(void **state)
{
	const struct logfile_options o = { .driver = LOGLINE_JSON, .max_size = 100 };
	struct fixture *fx = *state;
	struct err err = ERR_INIT;

	assert_ok(logfile_open(&fx->l, fx->dir, NAME, &o, &err));
	write_all(fx, LOGLINE_STDOUT, "one\ntwo\nthree\n");
	has_text(fx, "{\"log\":\"three\\n\",\"stream\":\"stdout\",\"time\":\"" T "\"}\n");
	assert_false(exists(fx->dir, NAME ".1"));
}

static void test_reopen(void **state)
{
	struct fixture *fx = *state;
	struct err err = ERR_INIT;

	assert_ok(logfile_open(&fx->l, fx->dir, NAME, &cri, &err));
	write_all(fx, LOGLINE_STDOUT, "one\n");
	assert_int_equal(renameat(fx->dir, NAME, fx->dir, "moved"), 0);
	write_all(fx, LOGLINE_STDOUT, "two\n");
	assert_int_equal(logfile_reopen(&fx->l), 0);
	write_all(fx, LOGLINE_STDOUT, "three\n");
	has_text(fx, T " stdout F three\n");
}

/* Wherever a killed monitor's last write has ended, the next life's records are whole. */
static void torn(struct fixture *fx, const struct logfile_options *o)
{
	cleanup_buf struct buf whole = BUF_INIT;
	cleanup_streams struct buf got[] = STREAMS_INIT;
	struct err err = ERR_INIT;

	assert_ok(logfile_open(&fx->l, fx->dir, NAME, o, &err));
	write_all(fx, LOGLINE_STDOUT, "one\n\ntwo words\n");
	logfile_close(&fx->l);
	assert_ok(io_read_file(fx->dir, NAME, &whole, 4096, &err));
	for (size_t cut = 0; cut <= whole.len; cut++) {
		cleanup_fd int fd = openat(fx->dir, NAME, O_WRONLY | O_TRUNC | O_CLOEXEC);
		int before = 0, after;

		for (size_t i = 0; i < cut; i++)
			before += whole.data[i] == '\n';
		assert_int_equal(io_write(fd, whole.data, cut), 0);
		assert_ok(logfile_open(&fx->l, fx->dir, NAME, o, &err));
		write_all(fx, LOGLINE_STDOUT, "next\n");
		logfile_close(&fx->l);
		after = collect(fx->dir, got);
		assert_int_equal(after, before + 1);
		assert_memory_equal(got[0].data + got[0].len - 5, "next\n", 5);
	}
}

static void test_torn_cri(void **state)
{
	torn(*state, &cri);
}

static void test_torn_json(void **state)
{
	torn(*state, &json);
}

/* The end of one life and the beginning of the next are no line together. */
static void test_two_lives(void **state)
{
	struct fixture *fx = *state;
	cleanup_streams struct buf got[] = STREAMS_INIT;
	struct err err = ERR_INIT;

	for (int i = 0; i < 2; i++) {
		assert_ok(logfile_open(&fx->l, fx->dir, NAME, i ? &json : &cri, &err));
		write_all(fx, LOGLINE_STDERR, "e\nf");
		write_all(fx, LOGLINE_STDOUT, "o\np");
		assert_int_equal(logfile_flush(&fx->l, NOW), 0);
		logfile_close(&fx->l);
	}
	assert_int_equal(collect(fx->dir, got), 10);
	assert_string_equal(buf_str(&got[0]), "o\np\no\np");
	assert_string_equal(buf_str(&got[1]), "e\nf\ne\nf");
}

static void set_limit(rlim_t bytes)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes;
	setrlimit(RLIMIT_FSIZE, &limit);
}

/* There is room for so many bytes, and then for all: the file never ends with part of a record, and
 * in the end nothing is missing. */
static int no_room_at_any_byte(const void *data)
{
	const struct fixture *fx = data;
	static const char text[] = "one\ntwo words\n\nthree\n";
	static struct logfile l;
	struct err err = ERR_INIT;

	signal(SIGXFSZ, SIG_IGN);
	for (rlim_t room = 0; room < 220; room++) {
		struct buf got[] = STREAMS_INIT;
		int records;

		set_limit(RLIM_INFINITY);
		unlinkat(fx->dir, NAME, 0);
		CHECK_OK(logfile_open(&l, fx->dir, NAME, &cri, &err), &err);
		set_limit(room);
		CHECK(logfile_write(&l, LOGLINE_STDOUT, text, strlen(text), NOW) ==
		      (ssize_t)strlen(text));
		records = collect(fx->dir, got);
		CHECK(records >= 0 && records <= 4);
		CHECK((records < 4) == (logfile_timeout_ms(&l, NOW) == LOGFILE_RETRY_MS));
		logfile_tick(&l, NOW);
		CHECK(collect(fx->dir, got) == records);
		set_limit(RLIM_INFINITY);
		logfile_tick(&l, NOW);
		CHECK(logfile_timeout_ms(&l, NOW) == -1);
		CHECK(collect(fx->dir, got) == 4);
		CHECK(str_eq(buf_str(&got[0]), text));
		logfile_close(&l);
		streams_done(&got);
	}
	return 0;
}

static void test_no_room_at_any_byte(void **state)
{
	child_run(no_room_at_any_byte, *state);
}

/* What has to wait is told to wait, and nothing gets lost, however long it takes. */
static int no_room_blocks(const void *data)
{
	const struct fixture *fx = data;
	static struct logfile l;
	struct buf sent[] = STREAMS_INIT, got[] = STREAMS_INIT;
	struct err err = ERR_INIT;
	unsigned int seed = 3;
	size_t at[LOGLINE_STREAMS] = { 0, 0 }, refused = 0;
	rlim_t room = 1000;

	signal(SIGXFSZ, SIG_IGN);
	make_text(&sent[0], 400000, &seed, false);
	make_text(&sent[1], 400000, &seed, false);
	CHECK_OK(logfile_open(&l, fx->dir, NAME, &cri, &err), &err);
	while (at[0] < sent[0].len || at[1] < sent[1].len) {
		size_t s = next_random(&seed, 2), left = sent[s].len - at[s];
		size_t want = next_random(&seed, 30000);
		ssize_t n;

		want = want < left ? want : left;
		set_limit(room);
		n = logfile_write(&l, (enum logline_stream)(s + 1), sent[s].data + at[s], want,
				  NOW);
		CHECK(n >= 0 && n <= (ssize_t)want);
		at[s] += (size_t)n;
		refused += (size_t)n < want;
		CHECK((size_t)n == want || logfile_timeout_ms(&l, NOW) == LOGFILE_RETRY_MS);
		set_limit(RLIM_INFINITY);
		CHECK(collect(fx->dir, got) >= 0);
		room += next_random(&seed, 20000);
	}
	CHECK(refused > 3);
	CHECK(logfile_flush(&l, NOW) == 0);
	CHECK(collect(fx->dir, got) > 0);
	for (size_t s = 0; s < LOGLINE_STREAMS; s++)
		CHECK(got[s].len == sent[s].len &&
		      memcmp(got[s].data, sent[s].data, got[s].len) == 0);
	logfile_close(&l);
	streams_done(&got);
	streams_done(&sent);
	return 0;
}

static void test_no_room_blocks(void **state)
{
	child_run(no_room_blocks, *state);
}

/* "... inro: 12 lines (345 bytes) are missing here: ..." in stderr: adds them up. */
static size_t count_missing(const struct buf *errors, size_t *ret_bytes)
{
	const char *at = buf_str(errors);
	size_t lines = 0;

	*ret_bytes = 0;
	while ((at = strstr(at, "inro: "))) {
		char *end;

		at += strlen("inro: ");
		lines += strtoul(at, &end, 10);
		*ret_bytes += strtoul(end + strlen(" lines ("), NULL, 10);
	}
	return lines;
}

/* Whole lines or rests of lines are dropped; what is missing is counted to the byte. */
static int no_room_drops(const void *data)
{
	const struct logfile_options o = { .driver = LOGLINE_CRI, .may_drop = true };
	const struct fixture *fx = data;
	static struct logfile l;
	struct buf got[] = STREAMS_INIT;
	struct err err = ERR_INIT;
	size_t sent_lines = 0, sent_bytes = 0, got_lines = 0, bytes;

	signal(SIGXFSZ, SIG_IGN);
	CHECK_OK(logfile_open(&l, fx->dir, NAME, &o, &err), &err);
	for (size_t round = 0; round < 60; round++) {
		set_limit(round % 3 ? 20000 * (round + 1) : RLIM_INFINITY);
		for (size_t i = 0; i < 40; i++) {
			char *line = xcalloc(1, 40010);
			size_t len = i % 9 ? 1 + i * 37 : 100 * i + 40000 * (i == 9);

			len = len < 40000 ? len : 40000;
			memset(line, 'x', len);
			line[len] = '\n';
			CHECK(logfile_write(&l, LOGLINE_STDOUT, line, len + 1, NOW) ==
			      (ssize_t)len + 1);
			sent_lines++;
			sent_bytes += len + 1;
			free(line);
		}
	}
	set_limit(RLIM_INFINITY);
	logfile_tick(&l, NOW);
	CHECK(logfile_flush(&l, NOW) == 0);
	CHECK(logfile_timeout_ms(&l, NOW) == -1);
	CHECK(collect(fx->dir, got) > 0);
	for (size_t i = 0; i < got[0].len; i++)
		got_lines += got[0].data[i] == '\n';
	CHECK(count_missing(&got[1], &bytes) > 0);
	/* a line that was begun and then dropped is ended, which adds a newline */
	CHECK(got[0].len + bytes >= sent_bytes && got[0].len + bytes < sent_bytes + 60);
	CHECK(got_lines + count_missing(&got[1], &bytes) ==
	      sent_lines + (got[0].len + bytes - sent_bytes));
	CHECK(l.dropped_bytes == 0);
	set_limit(1);
	CHECK(logfile_write(&l, LOGLINE_STDOUT, "first\nlast", 10, NOW) == 10);
	CHECK(logfile_flush(&l, NOW) < 0);
	logfile_close(&l);
	CHECK(l.dropped_lines == 1 && l.dropped_bytes == 10);
	streams_done(&got);
	return 0;
}

static void test_no_room_drops(void **state)
{
	child_run(no_room_drops, *state);
}

/* A real full disk, and rotation on it. */
static int full_disk(const void *data)
{
	const struct logfile_options o = { .driver = LOGLINE_CRI,
					   .max_size = 40000,
					   .max_files = 10 };
	static struct logfile l;
	struct buf sent[] = STREAMS_INIT, got[] = STREAMS_INIT;
	struct err err = ERR_INIT;
	unsigned int seed = 5;
	size_t at = 0, room = 1, refused = 0;
	int dir;

	CHECK(mount("tmpfs", "/tmp", "tmpfs", 0, "size=64k") == 0);
	dir = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(dir >= 0);
	make_text(&sent[0], 300000, &seed, false);
	CHECK_OK(logfile_open(&l, dir, NAME, &o, &err), &err);
	while (at < sent[0].len) {
		size_t want = sent[0].len - at < 10000 ? sent[0].len - at : 10000;
		ssize_t n = logfile_write(&l, LOGLINE_STDOUT, sent[0].data + at, want, NOW);

		CHECK(n >= 0);
		at += (size_t)n;
		if ((size_t)n == want)
			continue;
		CHECK(collect(dir, got) > 0);
		CHECK(refused++ < 1000);
		char options[32];

		snprintf(options, sizeof(options), "size=%zuk", 64 + 16 * room++);
		CHECK(mount(NULL, "/tmp", NULL, MS_REMOUNT, options) == 0);
	}
	CHECK(refused > 3);
	CHECK(mount(NULL, "/tmp", NULL, MS_REMOUNT, "size=1m") == 0);
	CHECK(logfile_flush(&l, NOW) == 0);
	CHECK(collect(dir, got) > 0);
	CHECK(got[0].len == sent[0].len && memcmp(got[0].data, sent[0].data, got[0].len) == 0);
	logfile_close(&l);
	close(dir);
	streams_done(&got);
	streams_done(&sent);
	return 0;
}

static void test_full_disk(void **state)
{
	child_run_userns(full_disk, *state, CLONE_NEWNS);
}

static void test_refused(void **state)
{
	struct fixture *fx = *state;
	struct logfile_options o = json;
	cleanup_free char *attrs = xcalloc(1, LOGLINE_ATTRS_MAX + 2);
	struct err err = ERR_INIT;

	memset(attrs, ' ', LOGLINE_ATTRS_MAX + 1);
	o.attrs = attrs;
	assert_int_not_equal(logfile_open(&fx->l, fx->dir, NAME, &o, &err), 0);
	fx->l.fd = -EBADF;
	assert_int_equal(symlinkat("/dev/null", fx->dir, NAME), 0);
	assert_int_equal(logfile_open(&fx->l, fx->dir, NAME, &cri, &err), -ELOOP);
	assert_int_equal(unlinkat(fx->dir, NAME, 0), 0);
	assert_int_equal(mkfifoat(fx->dir, NAME, 0600), 0);
	assert_int_equal(logfile_open(&fx->l, fx->dir, NAME, &cri, &err), -EINVAL);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lines),
		TEST(test_json),
		TEST(test_none),
		TEST(test_pieces),
		TEST(test_prompt),
		TEST(test_any_pieces_cri),
		TEST(test_any_pieces_json),
		TEST(test_rotated_pieces),
		TEST(test_oldest_go),
		TEST(test_one_file),
		TEST(test_reopen),
		TEST(test_torn_cri),
		TEST(test_torn_json),
		TEST(test_two_lives),
		TEST(test_no_room_at_any_byte),
		TEST(test_no_room_blocks),
		TEST(test_no_room_drops),
		TEST(test_full_disk),
		TEST(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

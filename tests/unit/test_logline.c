/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/str.h"
#include "runtime/logline.h"

static const char stamp[] = "2026-01-02T15:04:05.123456789Z";
#define STAMP_NS (INT64_C(1767366245) * 1000000000 + 123456789)

static int parse(const char *record, struct logline *ret)
{
	static char scratch[4096];

	return logline_parse(record, strlen(record), scratch, ret);
}

static void has(const struct logline *line, enum logline_stream stream, bool partial,
		const char *text, size_t len)
{
	int64_t ns = 0;

	assert_int_equal(line->stream, stream);
	assert_int_equal(line->partial, partial);
	assert_int_equal(line->len, len);
	assert_memory_equal(line->text, text, len);
	assert_int_equal(logline_time(line, &ns), 0);
	assert_true(ns == STAMP_NS);
}

static void test_cri(void **state)
{
	struct logline line;

	assert_int_equal(parse("2026-01-02T15:04:05.123456789Z stdout F a b ", &line), 0);
	has(&line, LOGLINE_STDOUT, false, "a b ", 4);
	assert_int_equal(parse("2026-01-02T16:04:05.123456789+01:00 stderr P \033[2J", &line), 0);
	has(&line, LOGLINE_STDERR, true, "\033[2J", 4);
	assert_int_equal(parse("2026-01-02T15:04:05.123456789Z stdout F:x:y z", &line), 0);
	has(&line, LOGLINE_STDOUT, false, "z", 1);
	assert_int_equal(parse("2026-01-02T15:04:05.123456789Z stdout F", &line), 0);
	has(&line, LOGLINE_STDOUT, false, "", 0);
	assert_int_equal(parse("2026-01-02T15:04:05.123456789Z stdout F ", &line), 0);
	has(&line, LOGLINE_STDOUT, false, "", 0);
}

static void test_json(void **state)
{
	struct logline line;

	assert_int_equal(parse("{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":"
			       "\"2026-01-02T15:04:05.123456789Z\"}",
			       &line),
			 0);
	has(&line, LOGLINE_STDOUT, false, "a", 1);
	assert_null(line.attrs);
	assert_int_equal(
	    parse("{ \"time\" : \"2026-01-02T15:04:05.123456789Z\", \"stream\":\"stderr\","
		  "\"more\":[1,{\"x\":\"]\\\"\"},null], \"attrs\":{\"a\":\"b\"},"
		  "\"log\":\"\\u0000\\\"\\\\\\/\\b\\f\\r\\t\\u00e9\\u20AC\\ud83d\\ude00\\ud83d\"} ",
		  &line),
	    0);
	has(&line, LOGLINE_STDERR, true,
	    "\0\"\\/\b\f\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbd", 20);
	assert_int_equal(line.attrs_len, 9);
	assert_memory_equal(line.attrs, "{\"a\":\"b\"}", 9);
}

static void test_no_record(void **state)
{
#define T "2026-01-02T15:04:05.123456789Z"
	static const char *const records[] = {
		"",
		" ",
		"text",
		T " stdout",
		T " stdin F x",
		T " stdout  F x",
		T " stdout X x",
		T " stdout FP x",
		"{",
		"{}",
		"{\"log\":\"a\\n\",\"stream\":\"stdout\"}",
		"{\"log\":\"a\\n\",\"time\":\"" T "\"}",
		"{\"stream\":\"stdout\",\"time\":\"" T "\"}",
		"{\"log\":\"a\\n\",\"stream\":\"none\",\"time\":\"" T "\"}",
		"{\"log\":1,\"stream\":\"stdout\",\"time\":\"" T "\"}",
		"{\"log\":\"a\\x\",\"stream\":\"stdout\",\"time\":\"" T "\"}",
		"{\"log\":\"a\\u12\",\"stream\":\"stdout\",\"time\":\"" T "\"}",
		"{\"log\":\"a\\",
		"{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"" T "\"",
		"{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"" T "\"}x",
		"{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"" T "\",}",
		"{\"log\":\"a\\n\",\"x\":,\"stream\":\"stdout\",\"time\":\"" T "\"}",
		"{\"log\":\"a\\n\",\"x\":{,\"stream\":\"stdout\",\"time\":\"" T "\"}",
	};
	struct logline line = { .len = 42 };
	int64_t ns = 42;

	for (size_t i = 0; i < ARRAY_SIZE(records); i++)
		if (parse(records[i], &line) == 0)
			fail_msg("%s is a record", records[i]);
	assert_int_equal(line.len, 42);
	assert_int_equal(parse("yesterday stdout F x", &line), 0);
	assert_int_equal(logline_time(&line, &ns), -EINVAL);
	assert_int_equal(parse(T T " stdout F x", &line), 0);
	assert_int_equal(logline_time(&line, &ns), -EINVAL);
	assert_int_equal(ns, 42);
}

static void test_put_cri(void **state)
{
	static char out[LOGLINE_RECORD_MAX];
	size_t n = logline_put_cri(out, stamp, LOGLINE_STDERR, "a\0b", 3, false);
	const char expected[] = T " stderr F a\0b\n";

	assert_int_equal(n, sizeof(expected) - 1);
	assert_memory_equal(out, expected, n);
	n = logline_put_cri(out, stamp, LOGLINE_STDOUT, "", 0, true);
	assert_memory_equal(out, T " stdout P \n", n);
}

static void test_put_json(void **state)
{
	static const char text[] = "a\"\\\n\t\x1b\x7f\xc3\xa9\xff<";
	static char out[LOGLINE_RECORD_MAX];
	size_t used = 0, n;

	n = logline_put_json(out, stamp, LOGLINE_STDERR, text, sizeof(text) - 1, false, NULL,
			     &used);
	assert_int_equal(used, sizeof(text) - 1);
	out[n] = '\0';
	assert_string_equal(out, "{\"log\":\"a\\\"\\\\\\n\\t\\u001b\x7f\xc3\xa9\\ufffd<\\n\","
				 "\"stream\":\"stderr\",\"time\":\"" T "\"}\n");
	/* a character whose end is still to come stays out, unless it is alone */
	n = logline_put_json(out, stamp, LOGLINE_STDOUT, "x\xe2\x82", 3, true, "{\"k\":\"v\"}",
			     &used);
	assert_int_equal(used, 1);
	out[n] = '\0';
	assert_string_equal(out, "{\"log\":\"x\",\"stream\":\"stdout\",\"attrs\":{\"k\":\"v\"},"
				 "\"time\":\"" T "\"}\n");
	logline_put_json(out, stamp, LOGLINE_STDOUT, "\xe2\x82", 2, true, NULL, &used);
	assert_int_equal(used, 2);
	logline_put_json(out, stamp, LOGLINE_STDOUT, "x\xe2\x82", 3, false, NULL, &used);
	assert_int_equal(used, 3);
}

/* What is not UTF-8 becomes one U+FFFD for each byte. */
static void test_utf8(void **state)
{
	static const struct {
		const char *text;
		size_t wrong;
	} rows[] = {
		{ "\xc0\x80", 2 },         { "\xe0\x80\x80", 3 },     { "\xed\xa0\x80", 3 },
		{ "\xed\x9f\xbf", 0 },     { "\xf0\x8f\xbf\xbf", 4 }, { "\xf0\x90\x80\x80", 0 },
		{ "\xf4\x8f\xbf\xbf", 0 }, { "\xf4\x90\x80\x80", 4 }, { "\xf5\x80", 2 },
		{ "\xe2\x82z", 2 },        { "\xc3\xc3\xa9", 1 },
	};
	static char out[LOGLINE_RECORD_MAX], scratch[LOGLINE_RECORD_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = strlen(rows[i].text), used, n, wrong = 0;
		struct logline line;
		const char *at;

		n = logline_put_json(out, stamp, LOGLINE_STDOUT, rows[i].text, len, false, NULL,
				     &used);
		assert_int_equal(used, len);
		out[n] = '\0';
		for (at = out; (at = strstr(at, "\\ufffd")); at++)
			wrong++;
		assert_int_equal(wrong, rows[i].wrong);
		assert_int_equal(logline_parse(out, n - 1, scratch, &line), 0);
		if (!wrong)
			has(&line, LOGLINE_STDOUT, false, rows[i].text, len);
	}
}

/* Escapes make a text six times as long: it then takes several records. */
static void test_much_to_escape(void **state)
{
	static char text[LOGLINE_TEXT_MAX], out[LOGLINE_RECORD_MAX], scratch[LOGLINE_RECORD_MAX];
	size_t done = 0, records = 0;

	memset(text, 1, sizeof(text));
	while (done < sizeof(text)) {
		struct logline line;
		size_t used, n;

		n = logline_put_json(out, stamp, LOGLINE_STDOUT, text + done, sizeof(text) - done,
				     false, NULL, &used);
		assert_true(used > 0 && n <= sizeof(out));
		assert_int_equal(logline_parse(out, n - 1, scratch, &line), 0);
		assert_int_equal(line.partial, done + used < sizeof(text));
		assert_int_equal(line.len, used);
		assert_memory_equal(line.text, text, used);
		done += used;
		records++;
	}
	assert_in_range(records, 2, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cri),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_no_record),
		cmocka_unit_test(test_put_cri),
		cmocka_unit_test(test_put_json),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_much_to_escape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Records for systemd's journal, and what journalctl says of them. */
#include "unit.h"

#include "base/str.h"
#include "runtime/journal.h"

static const char stamp[] = "2026-01-02T15:04:05.123456789Z";
#define STAMP_NS (INT64_C(1767366245) * 1000000000 + 123456789)

static ssize_t parse(const char *text, struct journal_entry *ret)
{
	return journal_parse(text, strlen(text), ret);
}

static void test_put(void **state)
{
	char out[JOURNAL_RECORD_MAX];
	size_t n = journal_put(out, "CONTAINER_NAME=web\n", stamp, LOGLINE_STDERR, "a\rb", 3, true);

	out[n] = '\0';
	assert_string_equal(out, "CONTAINER_NAME=web\nPRIORITY=3\nCONTAINER_PARTIAL_MESSAGE=true\n"
				 "SYSLOG_TIMESTAMP=2026-01-02T15:04:05.123456789Z\n"
				 "MESSAGE=a\rb\n");
	n = journal_put(out, "", stamp, LOGLINE_STDOUT, "", 0, false);
	out[n] = '\0';
	assert_string_equal(out, "PRIORITY=6\nSYSLOG_TIMESTAMP=2026-01-02T15:04:05.123456789Z\n"
				 "MESSAGE=\n");
}

/* What was sent is an entry, too. */
static void test_entry(void **state)
{
	cleanup_free char *text = xmalloc(JOURNAL_RECORD_MAX + 1);
	cleanup_free char *line = xmalloc(LOGLINE_TEXT_MAX);
	cleanup_free char *fields = xasprintf("A=%0*d\n", (int)LOGLINE_ATTRS_MAX - 5, 1);
	struct journal_entry e;
	int64_t ns = 0;
	size_t n;

	memset(line, '=', LOGLINE_TEXT_MAX);
	n = journal_put(text, fields, stamp, LOGLINE_STDERR, line, LOGLINE_TEXT_MAX, true);
	assert_true(n < JOURNAL_RECORD_MAX);
	for (size_t i = 0; i <= n; i += 97)
		assert_int_equal(journal_parse(text, i, &e), 0);
	text[n] = '\n';
	assert_int_equal(journal_parse(text, n + 1, &e), n + 1);
	assert_int_equal(e.line.stream, LOGLINE_STDERR);
	assert_true(e.line.partial);
	assert_int_equal(e.line.len, LOGLINE_TEXT_MAX);
	assert_memory_equal(e.line.text, line, LOGLINE_TEXT_MAX);
	assert_int_equal(logline_time(&e.line, &ns), 0);
	assert_true(ns == STAMP_NS);
}

static void test_binary(void **state)
{
	static const char text[] =
	    "MESSAGE\n\3\0\0\0\0\0\0\0a\nb\n__REALTIME_TIMESTAMP=1767366245123456"
	    "\nPRIORITY=6\n\nMESSAGE=next\n\n";
	struct journal_entry e;
	ssize_t n = journal_parse(text, sizeof(text) - 1, &e);
	int64_t ns = 0;

	assert_true(n > 0);
	assert_int_equal(e.line.len, 3);
	assert_memory_equal(e.line.text, "a\nb", 3);
	assert_int_equal(e.line.stream, LOGLINE_STDOUT);
	assert_int_equal(logline_time(&e.line, &ns), 0);
	assert_true(ns == STAMP_NS / 1000 * 1000);
	assert_int_equal(parse(text + n, &e), strlen("MESSAGE=next\n\n"));
	assert_int_equal(e.line.len, 4);
	assert_null(e.line.time);
}

static void test_bad(void **state)
{
	static const char wrong[] = "MESSAGE\n\1\0\0\0\0\0\0\0abc\n",
			  large[] = "M\n\0\0\0\0\1\0\0\0";
	struct journal_entry e;

	assert_int_equal(parse("", &e), 0);
	assert_int_equal(parse("\n", &e), 1);
	assert_null(e.line.text);
	assert_int_equal(parse("MESSAGE=x\n", &e), 0);
	assert_int_equal(journal_parse(wrong, sizeof(wrong) - 1, &e), -EINVAL);
	assert_int_equal(journal_parse(large, sizeof(large) - 1, &e), -EINVAL);
}

static void test_names(void **state)
{
	static const struct {
		const char *word, *name;
	} rows[] = {
		{ "com.example.team", "COM_EXAMPLE_TEAM" },
		{ "__a-1", "A_1" },
		{ "2x", "2X" },
		{ "--", NULL },
		{ "\303\251", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *name = journal_field_name(rows[i].word);

		if (rows[i].name)
			assert_string_equal(name, rows[i].name);
		else
			assert_null(name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put),    cmocka_unit_test(test_entry),
		cmocka_unit_test(test_binary), cmocka_unit_test(test_bad),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

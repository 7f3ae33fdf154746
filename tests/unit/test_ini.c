/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/ini.h"
#include "base/str.h"
#include "unit.h"

static int note(void *ctx, const struct ini_entry *e, struct err *err)
{
	struct buf *out = ctx;

	if (e->key && str_eq(e->key, "refused"))
		return err_fail(err, ERR_INVALID, "no such key");
	buf_addf(out, "%zu[%s", e->line, e->section);
	if (e->subject)
		buf_addf(out, "|%s", e->subject);
	buf_addc(out, ']');
	if (e->key)
		buf_addf(out, "%s=<%s>", e->key, e->value);
	buf_addc(out, '\n');
	return 0;
}

static void gives_n(const char *text, size_t len, const char *expected)
{
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	assert_ok(ini_parse(text, len, "f", note, &out, &err));
	assert_string_equal(buf_str(&out), expected);
}

static void gives(const char *text, const char *expected)
{
	gives_n(text, strlen(text), expected);
}

static void test_lines(void **state)
{
	gives("", "");
	gives("\n \t\n# x = y\n  ; x = y\n", "");
	gives("a = b", "1[]a=<b>\n");
	gives("a=b=c\r\n\n d-1.x_ = \n", "1[]a=<b=c>\n3[]d-1.x_=<>\n");
	gives("[image]\nmax = 5 # 6 \n", "1[image]\n2[image]max=<5 # 6>\n");
	gives("a = \" b \"\nb = \"\"\n", "1[]a=< b >\n2[]b=<>\n");
	gives("\xef\xbb\xbf[a]\n", "1[a]\n");
	gives("[registry \"r.example:5000/a b\"]\nx = \xc3\xa9\n[image]\ny=z",
	      "1[registry|r.example:5000/a b]\n2[registry|r.example:5000/a b]x=<\xc3\xa9>\n"
	      "3[image]\n4[image]y=<z>\n");
	gives("[ registry\t\"a\" ]", "1[registry|a]\n");
}

static void fails_n(const char *text, size_t len, const char *message)
{
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	assert_true(ini_parse(text, len, "f", note, &out, &err) < 0);
	assert_string_equal(err.msg, message);
}

static void fails(const char *text, const char *message)
{
	fails_n(text, strlen(text), message);
}

#define SECTION "expected [section] or [section \"name\"]"

static void test_errors(void **state)
{
	fails("\n[a", "f:2: " SECTION);
	fails("[]", "f:1: " SECTION);
	fails("[a b]", "f:1: " SECTION);
	fails("[a] x", "f:1: " SECTION);
	fails("[a \"\"]", "f:1: " SECTION);
	fails("[a \"b\"c\"]", "f:1: " SECTION);
	fails("[a \"b]", "f:1: " SECTION);
	fails("[a.b]", "f:1: " SECTION);
	fails("word", "f:1: expected KEY = VALUE");
	fails("= b", "f:1: a key has letters, digits, \"_\", \"-\", \".\" and \"/\" only");
	fails("a b = c", "f:1: a key has letters, digits, \"_\", \"-\", \".\" and \"/\" only");
	fails("a = \"b", "f:1: expected a quote at the end");
	fails("a = \"b\"c", "f:1: expected a quote at the end");
	fails("a = \"", "f:1: expected a quote at the end");
	fails("a = \xff", "f:1: not UTF-8");
	fails("a = b\x1b[1m", "f:1: a control character");
	fails_n("a = b\0c", 7, "f:1: a control character");
	fails("a = b\n\nrefused = 1", "f:3: no such key");
}

static void test_limits(void **state)
{
	size_t len = INI_BYTES_MAX + 1;
	char *text = xmalloc(len);

	memset(text, 'a', len);
	memcpy(text, "k =", 3);
	fails_n(text, INI_LINE_MAX + 1, "f:1: longer than 4096 bytes");
	fails_n(text, len, "f: larger than 1048576 bytes");
	/* all of the longest line is kept */
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	assert_ok(ini_parse(text, INI_LINE_MAX, "f", note, &out, &err));
	assert_int_equal(out.len, strlen("1[]k=<>\n") + INI_LINE_MAX - 3);
	/* a section's name, too */
	memcpy(text, "[r \"", 4);
	memcpy(text + INI_LINE_MAX - 2, "\"]", 2);
	buf_reset(&out);
	assert_ok(ini_parse(text, INI_LINE_MAX, "f", note, &out, &err));
	assert_int_equal(out.len, strlen("1[r|]\n") + INI_LINE_MAX - 6);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines),
					    cmocka_unit_test(test_errors),
					    cmocka_unit_test(test_limits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

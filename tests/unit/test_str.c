/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "unit.h"

static void test_compare(void **state)
{
	assert_true(str_eq("a", "a"));
	assert_true(str_eq(NULL, NULL));
	assert_false(str_eq("a", NULL));
	assert_true(str_starts("abc", "ab"));
	assert_false(str_starts("a", "ab"));
	assert_true(str_ends("abc", "bc"));
	assert_true(str_ends("abc", ""));
	assert_false(str_ends("c", "bc"));
	assert_string_equal(str_after("key=v", "key="), "v");
	assert_null(str_after("ke", "key="));
}

static void test_u64(void **state)
{
	static const char *const invalid[] = {
		"",    " 1",  "1 ", "+1",  "-1", "01",  "0x1",
		"1\n", "1.0", "a",  "--1", "00", "1e3", "99999999999999999999999x"
	};
	uint64_t v = 42;

	for (size_t i = 0; i < ARRAY_SIZE(invalid); i++)
		assert_int_equal(str_parse_u64(invalid[i], &v), -EINVAL);
	assert_int_equal(str_parse_u64("18446744073709551616", &v), -ERANGE);
	assert_int_equal(str_parse_u64("99999999999999999999999", &v), -ERANGE);
	assert_int_equal(v, 42);
	assert_int_equal(str_parse_u64("18446744073709551615", &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(str_parse_u64("0", &v), 0);
	assert_true(v == 0);
}

static void test_signed(void **state)
{
	int64_t v = 42;
	int i = 42;
	uint32_t u = 42;

	assert_int_equal(str_parse_i64("-9223372036854775808", &v), 0);
	assert_true(v == INT64_MIN);
	assert_int_equal(str_parse_i64("9223372036854775807", &v), 0);
	assert_true(v == INT64_MAX);
	assert_int_equal(str_parse_i64("9223372036854775808", &v), -ERANGE);
	assert_int_equal(str_parse_i64("-9223372036854775809", &v), -ERANGE);
	assert_int_equal(str_parse_i64("-0", &v), -EINVAL);
	assert_int_equal(str_parse_i64("-", &v), -EINVAL);
	assert_int_equal(str_parse_i64("--1", &v), -EINVAL);
	assert_int_equal(str_parse_int("-2147483648", &i), 0);
	assert_int_equal(i, INT32_MIN);
	assert_int_equal(str_parse_int("2147483648", &i), -ERANGE);
	assert_int_equal(str_parse_u32("4294967295", &u), 0);
	assert_int_equal(str_parse_u32("4294967296", &u), -ERANGE);
	assert_int_equal(str_parse_u32("-1", &u), -EINVAL);
}

static void test_mode_bool(void **state)
{
	uint32_t mode = 42;
	bool b = false;

	assert_int_equal(str_parse_mode("0755", &mode), 0);
	assert_int_equal(mode, 0755);
	assert_int_equal(str_parse_mode("07777", &mode), 0);
	assert_int_equal(str_parse_mode("10000", &mode), -ERANGE);
	assert_int_equal(str_parse_mode("8", &mode), -EINVAL);
	assert_int_equal(str_parse_mode("", &mode), -EINVAL);
	assert_int_equal(str_parse_mode("000755", &mode), -EINVAL);
	assert_int_equal(mode, 07777);
	assert_int_equal(str_parse_bool("yes", &b), 0);
	assert_true(b);
	assert_int_equal(str_parse_bool("0", &b), 0);
	assert_false(b);
	assert_int_equal(str_parse_bool("True", &b), 0);
	assert_true(b);
	assert_int_equal(str_parse_bool("tRUE", &b), -EINVAL);
	assert_int_equal(str_parse_bool("", &b), -EINVAL);
}

static void bytes(const char *s, uint64_t expected)
{
	uint64_t v = 42;

	assert_int_equal(str_parse_bytes(s, &v), 0);
	assert_true(v == expected);
}

static void test_bytes(void **state)
{
	static const char *const invalid[] = { "",   "k",  "1x", "1kk", "1kbb", "-1", "1 k",
					       "01", "1.", ".5", "1ib", "1ki",  "0x1" };
	uint64_t v = 42;

	bytes("0", 0);
	bytes("512", 512);
	bytes("512b", 512);
	bytes("64k", 65536);
	bytes("64KB", 65536);
	bytes("64KiB", 65536);
	bytes("1.5g", UINT64_C(1536) << 20);
	bytes("2GiB", UINT64_C(2) << 30);
	bytes("1t", UINT64_C(1) << 40);
	bytes("0.5m", 512 * 1024);
	bytes("15e", UINT64_C(15) << 60);
	bytes("1.000000001e", (UINT64_C(1) << 60) + UINT64_C(1152921504));
	for (size_t i = 0; i < ARRAY_SIZE(invalid); i++)
		assert_int_equal(str_parse_bytes(invalid[i], &v), -EINVAL);
	assert_int_equal(str_parse_bytes("16e", &v), -ERANGE);
	assert_int_equal(str_parse_bytes("18446744073709551615k", &v), -ERANGE);
	assert_int_equal(v, 42);
}

static void test_nano(void **state)
{
	uint64_t v = 42;

	assert_int_equal(str_parse_nano("1.5", &v), 0);
	assert_true(v == 1500000000);
	assert_int_equal(str_parse_nano("0.000000001", &v), 0);
	assert_true(v == 1);
	assert_int_equal(str_parse_nano("0.0000000001", &v), -EINVAL);
	assert_int_equal(str_parse_nano("1.5 ", &v), -EINVAL);
	assert_int_equal(str_parse_nano("18446744074", &v), -ERANGE);
	assert_true(v == 1);
}

static void escapes(const char *s, const char *expected)
{
	char *e = str_escape(s);

	assert_string_equal(e, expected);
	free(e);
}

static void test_escape(void **state)
{
	escapes("", "");
	escapes("plain é €😀", "plain é €😀");
	escapes("a\nb\tc\\d\x1b[31m\x7f", "a\\nb\\tc\\\\d\\x1b[31m\\x7f");
	/* over-long, surrogate, cut, too high, a C1 control */
	escapes("\xc0\x80", "\\xc0\\x80");
	escapes("\xed\xa0\x80", "\\xed\\xa0\\x80");
	escapes("\xe2\x82", "\\xe2\\x82");
	escapes("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	escapes("\xc2\x9b", "\\xc2\\x9b");
}

static void test_mask_controls(void **state)
{
	char text[] = "a\x1b[2J\n\x07\x7f\xc2\x9b"
		      "2J \xc3\x9b \xc2";

	assert_string_equal(str_mask_controls(text, "\n"), "a?[2J\n????2J \xc3\x9b \xc2");
	assert_string_equal(str_mask_controls(text, ""), "a?[2J?????2J \xc3\x9b \xc2");
}

static void test_edits(void **state)
{
	char longer[STR_EDITS_MAX + 2];

	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(str_edits("", ""), 0);
	assert_int_equal(str_edits("pull", "pull"), 0);
	assert_int_equal(str_edits("pul", "pull"), 1);
	assert_int_equal(str_edits("puhs", "push"), 2);
	assert_int_equal(str_edits("kitten", "sitting"), 3);
	assert_true(str_edits(longer, "a") == SIZE_MAX);
	assert_true(str_edits("a", longer) == SIZE_MAX);
}

static void test_ifname(void **state)
{
	static const char *const bad[] = { "",    ".",   "..",   "a b",      "a/b",
					   "a:b", "a\n", "\x7f", "\xc3\xa4", "sixteen-letters-" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(str_is_ifname(bad[i]));
	assert_true(str_is_ifname("eth0"));
	assert_true(str_is_ifname("fifteen-letters"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mask_controls), cmocka_unit_test(test_compare),
		cmocka_unit_test(test_u64),           cmocka_unit_test(test_signed),
		cmocka_unit_test(test_mode_bool),     cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_nano),          cmocka_unit_test(test_edits),
		cmocka_unit_test(test_escape),        cmocka_unit_test(test_ifname),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

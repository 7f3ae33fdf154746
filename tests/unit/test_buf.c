/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "unit.h"

static void test_empty(void **state)
{
	struct buf b = BUF_INIT;
	char *s;

	assert_string_equal(buf_str(&b), "");
	buf_add(&b, NULL, 0);
	s = buf_take(&b);
	assert_string_equal(s, "");
	free(s);
	buf_done(&b);
}

static void test_grow(void **state)
{
	struct buf b = BUF_INIT;
	char *s;

	for (int i = 0; i < 10000; i++)
		buf_addc(&b, (char)('a' + i % 26));
	assert_int_equal(b.len, 10000);
	assert_int_equal(strlen(b.data), 10000);
	assert_int_equal(b.data[9999], 'a' + 9999 % 26);
	buf_reset(&b);
	assert_string_equal(buf_str(&b), "");
	buf_adds(&b, "x");
	buf_add(&b, "y\0z", 3);
	assert_int_equal(b.len, 4);
	s = buf_take(&b);
	assert_memory_equal(s, "xy\0z", 5);
	assert_null(b.data);
	free(s);
}

static void test_format(void **state)
{
	struct buf b = BUF_INIT;
	char filler[200];

	memset(filler, 'f', sizeof(filler) - 1);
	filler[sizeof(filler) - 1] = '\0';
	buf_addf(&b, "%d:%s:%c", -1, filler, '!');
	assert_int_equal(b.len, 3 + 199 + 2);
	assert_string_equal(b.data + b.len - 3, "f:!");
	/* exactly the room that is left, and one byte more */
	for (size_t n = 1; n < 300; n++) {
		struct buf c = BUF_INIT;

		buf_addf(&c, "%*s", (int)n, "e");
		assert_int_equal(c.len, n);
		assert_int_equal(c.data[n - 1], 'e');
		buf_done(&c);
	}
	buf_done(&b);
}

static void test_fill(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_fill(&b, 'x', 0);
	assert_string_equal(buf_str(&b), "");
	buf_fill(&b, 'x', 100);
	buf_fill(&b, 'y', 0);
	buf_fill(&b, 'z', 1);
	assert_int_equal(b.len, 101);
	assert_int_equal(strspn(b.data, "x"), 100);
	assert_string_equal(b.data + 100, "z");
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_empty),
					    cmocka_unit_test(test_grow),
					    cmocka_unit_test(test_format),
					    cmocka_unit_test(test_fill) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

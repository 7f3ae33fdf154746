/* SPDX-License-Identifier: Apache-2.0 */
#include "base/table.h"
#include "unit.h"

static void test_table(void **state)
{
	static const char *const headers[] = { "NAME", "SIZE", "NOTE" };
	static const char *const rows[][3] = { { "a", "1", "x" },
					       { "größer", "1234567", "" },
					       { "", "", "last" } };
	struct table *t = table_new(headers, ARRAY_SIZE(headers));
	struct buf out = BUF_INIT;

	table_write(t, true, &out);
	assert_string_equal(buf_str(&out), "NAME      SIZE      NOTE\n");
	buf_reset(&out);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		table_row(t, rows[i]);
	table_write(t, true, &out);
	assert_string_equal(buf_str(&out), "NAME      SIZE      NOTE\n"
					   "a         1         x\n"
					   "größer    1234567   \n"
					   "                    last\n");
	buf_reset(&out);
	table_write(t, false, &out);
	assert_string_equal(buf_str(&out), "a         1         x\n"
					   "größer    1234567   \n"
					   "                    last\n");
	table_free(t);
	table_free(NULL);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

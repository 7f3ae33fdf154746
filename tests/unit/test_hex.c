/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "unit.h"

static void test_code(void **state)
{
	unsigned char data[4] = { 9, 9, 9, 9 };
	char out[9];

	hex_encode("\x00\x7f\xab\xff", 4, out);
	assert_string_equal(out, "007fabff");
	assert_int_equal(hex_decode("007fabff", data, 4), 0);
	assert_memory_equal(data, "\x00\x7f\xab\xff", 4);
	assert_int_equal(hex_decode("007FABFF", data, 4), -EINVAL);
	assert_int_equal(hex_decode("007fabf", data, 4), -EINVAL);
	assert_int_equal(hex_decode("007fabff0", data, 4), -EINVAL);
	assert_int_equal(hex_decode("11 11111", data, 4), -EINVAL);
	assert_int_equal(hex_decode("111111g1", data, 4), -EINVAL);
	/* nothing is stored of a wrong text */
	assert_memory_equal(data, "\x00\x7f\xab\xff", 4);
}

static void test_random(void **state)
{
	char a[HEX_ID_LEN + 1], b[HEX_ID_LEN + 1];

	assert_int_equal(hex_random_id(a), 0);
	assert_int_equal(hex_random_id(b), 0);
	assert_int_equal(strlen(a), HEX_ID_LEN);
	assert_int_equal(strspn(a, "0123456789abcdef"), HEX_ID_LEN);
	assert_string_not_equal(a, b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_code),
					    cmocka_unit_test(test_random) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

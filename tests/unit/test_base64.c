/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"
#include "unit.h"

static void both(const char *plain, size_t len, const char *text)
{
	cleanup_buf struct buf encoded = BUF_INIT;
	cleanup_buf struct buf decoded = BUF_INIT;

	base64_encode(plain, len, &encoded);
	assert_string_equal(buf_str(&encoded), text);
	assert_int_equal(base64_decode(text, strlen(text), &decoded), 0);
	assert_int_equal(decoded.len, len);
	assert_memory_equal(buf_str(&decoded), plain, len);
}

/* The examples of RFC 4648, section 10. */
static void test_rfc4648(void **state)
{
	both("", 0, "");
	both("f", 1, "Zg==");
	both("fo", 2, "Zm8=");
	both("foo", 3, "Zm9v");
	both("foob", 4, "Zm9vYg==");
	both("fooba", 5, "Zm9vYmE=");
	both("foobar", 6, "Zm9vYmFy");
	both("\xff\x00\xfb\xf0", 4, "/wD78A==");
}

static void test_decode(void **state)
{
	static const char *const bad[] = { "Z",     "=",    "Zg=",   "Zh==", "Zm9=", "Zg==Zg==",
					   "Zm9v ", "Zm-v", "Zm9v=", "====", "Z===", "Zg==\n" };
	cleanup_buf struct buf out = BUF_INIT;

	/* Go's RawStdEncoding and hand-made files leave the padding out */
	assert_int_equal(base64_decode("Zg", 2, &out), 0);
	assert_string_equal(buf_str(&out), "f");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(base64_decode(bad[i], strlen(bad[i]), &out), -EINVAL);
		assert_string_equal(buf_str(&out), "f");
	}
	assert_int_equal(base64_decode("Zm9\0", 4, &out), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rfc4648),
					    cmocka_unit_test(test_decode) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

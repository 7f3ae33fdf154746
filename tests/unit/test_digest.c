/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "oci/digest.h"

#define HEX32 "0123456789abcdef0123456789abcdef"
#define HEX64 HEX32 HEX32

static void test_known_algorithms(void **state)
{
	static const char *const good[] = { "sha256:" HEX64, "sha512:" HEX64 HEX64 };
	char text[DIGEST_TEXT_MAX];
	struct digest d;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(digest_parse(good[i], &d, NULL), 0);
		assert_string_equal(digest_format(&d, text), good[i]);
		assert_true(digest_valid(good[i]));
		assert_string_equal(digest_hex(good[i]), good[i] + 7);
		assert_int_equal(d.bytes[1], 0x23);
	}
	assert_int_equal(digest_size(DIGEST_SHA512), 64);
	assert_string_equal(digest_alg_name(DIGEST_SHA256), "sha256");
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"sha256",
		"sha256:",
		HEX64,
		"sha256:" HEX32,
		"sha256:" HEX64 "0",
		"sha512:" HEX64,
		"sha256:0123456789ABCDEF0123456789abcdef" HEX32,
		"SHA256:" HEX64,
		" sha256:" HEX64,
		"sha256:" HEX64 "\n",
		"sha256:../../../../../../../../../../../../../../../../../../../../etc/pass",
		"md5:" HEX32,
		"blake3:" HEX64,
		"sha256:g123456789abcdef0123456789abcdef" HEX32,
	};
	struct digest d;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = ERR_INIT;

		if (digest_parse(bad[i], &d, &err) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
		assert_true(str_starts(err.msg, "expected a digest like sha256:"));
		assert_false(digest_valid(bad[i]));
	}
	assert_false(digest_valid(NULL));
}

static void test_equal_compares_algorithm_and_bytes(void **state)
{
	struct digest a, b;

	assert_int_equal(digest_parse("sha256:" HEX64, &a, NULL), 0);
	assert_int_equal(digest_parse("sha256:" HEX64, &b, NULL), 0);
	assert_true(digest_equal(&a, &b));
	b.bytes[31] ^= 1;
	assert_false(digest_equal(&a, &b));
	assert_int_equal(digest_parse("sha512:" HEX64 HEX64, &b, NULL), 0);
	assert_false(digest_equal(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_algorithms),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_equal_compares_algorithm_and_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

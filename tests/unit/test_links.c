/* SPDX-License-Identifier: Apache-2.0 */
#include "base/links.h"
#include "base/str.h"
#include "unit.h"

#define MANY 5000

static void test_first_names(void **state)
{
	struct links links = { 0 };

	assert_null(links_find(&links, 1, 10, "a"));
	assert_null(links_find(&links, 2, 10, "other disk"));
	assert_null(links_find(&links, 1, 11, "b"));
	assert_string_equal(links_find(&links, 1, 10, "c"), "a");
	assert_string_equal(links_find(&links, 2, 10, "d"), "other disk");
	assert_string_equal(links_find(&links, 1, 10, "e"), "a");
	assert_int_equal(links.n, 3);
	links_done(&links);
	assert_null(links_find(&links, 1, 10, "again"));
	links_done(&links);
}

static void test_many(void **state)
{
	struct links links = { 0 };

	for (int pass = 0; pass < 2; pass++)
		for (unsigned int i = 0; i < MANY; i++) {
			cleanup_free char *name = xasprintf("%u", i);
			const char *first = links_find(&links, i % 3, i, pass ? "again" : name);

			if (!pass)
				assert_null(first);
			else
				assert_string_equal(first, name);
		}
	assert_int_equal(links.n, MANY);
	links_done(&links);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_names),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

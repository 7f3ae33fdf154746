/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/timeutil.h"
#include "engine/filter.h"

#define S INT64_C(1000000000)
#define X (INT64_C(1767366245) * S) /* 2026-01-02T15:04:05Z */

static void test_time(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {
		{ "2026-01-02T15:04:05Z", X },
		{ "2026-01-02T16:04:05.25+01:00", X + S / 4 },
		{ "2026-01-02T15:04Z", X - 5 * S },
		{ "2026-01-02Z", X - (15 * 3600 + 4 * 60 + 5) * S },
		/* two hours east of UTC */
		{ "2026-01-02T17:04:05", X },
		{ "2026-01-02T17:04:05.5", X + S / 2 },
		{ "2026-01-02T17:04", X - 5 * S },
		{ "2026-01-02", X - (17 * 3600 + 4 * 60 + 5) * S },
		{ "0", 0 },
		{ "1767366245", X },
		{ "1767366245.5", X + S / 2 },
		{ "1767366245.000000001", X + 1 },
		{ "-1.5", -3 * S / 2 },
	};
	struct err err = ERR_INIT;
	int64_t ns;

	setenv("TZ", "XXX-2", 1);
	tzset();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_ok(filter_time(rows[i].text, &ns, &err));
		if (ns != rows[i].ns)
			fail_msg("%s: %lld", rows[i].text, (long long)ns);
	}
	assert_ok(filter_time("1h30m", &ns, &err));
	assert_in_range(time_now_ns() - ns, 5400 * S, 5460 * S);
}

static void test_no_time(void **state)
{
	static const char *const words[] = { "",         "Z",           "yesterday", "2026-01-02T",
					     "2026-01",  "1x",          "1.5x",      "2026-1-2",
					     "12:00:00", "2026-13-02Z", "1.-5" };
	struct err err = ERR_INIT;
	int64_t ns;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		assert_int_equal(filter_time(words[i], &ns, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

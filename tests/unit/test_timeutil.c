/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timeutil.h"
#include "unit.h"

#define S INT64_C(1000000000)

static void round_trip(int64_t ns, const char *text)
{
	char out[TIME_RFC3339_MAX];
	int64_t back = 0;

	assert_string_equal(time_rfc3339(ns, out), text);
	assert_int_equal(time_parse_rfc3339(text, &back), 0);
	assert_true(back == ns);
}

static void parses(const char *text, int64_t expected)
{
	int64_t ns = -42;

	assert_int_equal(time_parse_rfc3339(text, &ns), 0);
	assert_true(ns == expected);
}

static void test_rfc3339(void **state)
{
	static const char *const invalid[] = {
		"",
		"2026-01-02",
		"2026-01-02T15:04:05",
		"2026-13-02T15:04:05Z",
		"2026-02-29T15:04:05Z",
		"2026-01-02T24:04:05Z",
		"2026-01-02T15:04:05.Z",
		"2026-01-02T15:04:05Zx",
		"2026-1-02T15:04:05Z",
		"2026-01-02T15:04:05+1:00",
		"2026-01-02T15:04:05+24:00",
		" 2026-01-02T15:04:05Z",
	};
	int64_t ns = 42;

	round_trip(0, "1970-01-01T00:00:00.000000000Z");
	round_trip(-1, "1969-12-31T23:59:59.999999999Z");
	round_trip(1767366245 * S + 123456789, "2026-01-02T15:04:05.123456789Z");
	round_trip(951782400 * S, "2000-02-29T00:00:00.000000000Z");
	parses("2026-01-02T15:04:05Z", 1767366245 * S);
	parses("2026-01-02t15:04:05.5z", 1767366245 * S + S / 2);
	parses("2026-01-02T16:34:05.1234567891+01:30", 1767366245 * S + 123456789);
	parses("2026-01-02T10:04:05-05:00", 1767366245 * S);
	for (size_t i = 0; i < ARRAY_SIZE(invalid); i++)
		assert_int_equal(time_parse_rfc3339(invalid[i], &ns), -EINVAL);
	/* Go's zero time, which docker writes for "never", is beyond 64 bits of nanoseconds */
	assert_int_equal(time_parse_rfc3339("0001-01-01T00:00:00Z", &ns), -ERANGE);
	assert_int_equal(ns, 42);
}

static void human(int64_t seconds, const char *text)
{
	char out[TIME_HUMAN_MAX];

	assert_string_equal(time_human(seconds * S, out), text);
}

static void test_human(void **state)
{
	const int64_t h = 3600, d = 24 * h;

	human(-5, "Less than a second");
	human(0, "Less than a second");
	human(1, "1 second");
	human(59, "59 seconds");
	human(60, "About a minute");
	human(119, "About a minute");
	human(120, "2 minutes");
	human(59 * 60 + 59, "59 minutes");
	human(h, "About an hour");
	human(2 * h, "2 hours");
	human(47 * h, "47 hours");
	human(2 * d, "2 days");
	human(13 * d, "13 days");
	human(14 * d, "2 weeks");
	human(60 * d, "2 months");
	human(729 * d, "24 months");
	human(730 * d, "2 years");
}

static void test_clocks(void **state)
{
	int64_t a = time_monotonic_ns();

	assert_true(time_monotonic_ns() >= a);
	assert_true(time_now_ns() > 1767366245 * S);
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {
		{ "0", 0 },
		{ "5s", 5000000000 },
		{ "0s", 0 },
		{ "100ms", 100000000 },
		{ "1m30s", 90000000000 },
		{ "1.5h", 5400000000000 },
		{ ".5s", 500000000 },
		{ "1.s", 1000000000 },
		{ "250us", 250000 },
		{ "250\xc2\xb5s", 250000 },
		{ "7ns", 7 },
		{ "1h2m3s4ms", 3723004000000 },
		{ "0.0000000019s", 1 },
		{ "9223372036854775807ns", INT64_MAX },
	};
	static const struct {
		const char *text;
		int r;
	} bad[] = {
		{ "", -EINVAL },         { "5", -EINVAL },
		{ "s", -EINVAL },        { "-5s", -EINVAL },
		{ "5 s", -EINVAL },      { "5S", -EINVAL },
		{ ".s", -EINVAL },       { "5s5", -EINVAL },
		{ "1d", -EINVAL },       { "1..5s", -EINVAL },
		{ "5sec", -EINVAL },     { "9223372036854775808ns", -ERANGE },
		{ "2562048h", -ERANGE }, { "99999999999999999999s", -ERANGE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		int64_t ns = -1;
		assert_int_equal(time_parse_duration(good[i].text, &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int64_t ns = -7;
		if (time_parse_duration(bad[i].text, &ns) != bad[i].r)
			fail_msg("%s", bad[i].text);
		assert_int_equal(ns, -7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rfc3339),
					    cmocka_unit_test(test_human),
					    cmocka_unit_test(test_durations),
					    cmocka_unit_test(test_clocks) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

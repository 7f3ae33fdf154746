/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/str.h"
#include "runtime/detach_keys.h"
#include "engine/restart.h"

#define S INT64_C(1000000000)

static void test_policies(void **state)
{
	static const struct {
		const char *text;
		int policy;
		int64_t max;
	} rows[] = {
		{ "", RESTART_NO, 0 },
		{ "no", RESTART_NO, 0 },
		{ "always", RESTART_ALWAYS, 0 },
		{ "unless-stopped", RESTART_UNLESS_STOPPED, 0 },
		{ "on-failure", RESTART_ON_FAILURE, 0 },
		{ "on-failure:3", RESTART_ON_FAILURE, 3 },
	};
	static const char *const wrong[] = { "never",       "sometimes",
					     "always:3",    "on-failure:-1",
					     "on-failure:", "on-failure:x",
					     ":3",          "on-failure:99999999999" };
	struct err err = ERR_INIT;
	int64_t max;
	int policy;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_ok(restart_parse(rows[i].text, &policy, &max, &err));
		assert_int_equal(policy, rows[i].policy);
		assert_int_equal(max, rows[i].max);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct err one = ERR_INIT;

		if (restart_parse(wrong[i], &policy, &max, &one) >= 0)
			fail_msg("%s was taken", wrong[i]);
		assert_true(str_starts(one.msg, "invalid restart policy: "));
	}
}

static void test_wanted(void **state)
{
	static const struct {
		struct restart_question q; /* policy, max, restarts, status, stopped */
		bool wanted;
	} rows[] = {
		{ { RESTART_NO, 0, 0, 1, false }, false },
		{ { RESTART_ALWAYS, 0, 100, 0, false }, true },
		{ { RESTART_ALWAYS, 0, 0, 0, true }, false },
		{ { RESTART_UNLESS_STOPPED, 0, 0, 1, false }, true },
		{ { RESTART_UNLESS_STOPPED, 0, 0, 1, true }, false },
		{ { RESTART_ON_FAILURE, 0, 100, 1, false }, true },
		{ { RESTART_ON_FAILURE, 0, 0, 0, false }, false },
		{ { RESTART_ON_FAILURE, 2, 1, 1, false }, true },
		{ { RESTART_ON_FAILURE, 2, 2, 1, false }, false },
		{ { -1, 0, 0, 1, false }, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(restart_wanted(&rows[i].q), rows[i].wanted);
}

static void test_wanted_at_boot(void **state)
{
	static const struct {
		struct restart_question q; /* policy, max, restarts, status, stopped */
		bool running, wanted;
	} rows[] = {
		{ { RESTART_NO, 0, 0, 1, false }, true, false },
		{ { RESTART_ALWAYS, 0, 0, 0, false }, true, true },
		{ { RESTART_ALWAYS, 0, 0, 0, true }, false, true },
		{ { RESTART_UNLESS_STOPPED, 0, 0, 0, false }, false, true },
		{ { RESTART_UNLESS_STOPPED, 0, 0, 0, true }, false, false },
		{ { RESTART_ON_FAILURE, 0, 0, 0, false }, true, true },
		{ { RESTART_ON_FAILURE, 0, 0, 0, false }, false, false },
		{ { RESTART_ON_FAILURE, 0, 0, 137, false }, false, true },
		{ { RESTART_ON_FAILURE, 0, 0, 143, true }, false, false },
		{ { RESTART_ON_FAILURE, 1, 1, 1, false }, false, false },
		{ { -1, 0, 0, 1, false }, true, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(restart_wanted_at_boot(&rows[i].q, rows[i].running),
				 rows[i].wanted);
}

static void test_backoff(void **state)
{
	uint32_t ms = 0, sum = 0;

	for (int i = 0; i < 20; i++) {
		uint32_t next = restart_backoff(ms, S);

		assert_true(next >= ms && next <= 60000);
		ms = next;
		sum += ms;
	}
	assert_int_equal(ms, 60000);
	assert_int_equal(restart_backoff(0, S), 100);
	assert_int_equal(restart_backoff(100, S), 200);
	assert_int_equal(restart_backoff(60000, 10 * S), 100);
	assert_true(sum > 600000);
}

static void filter(const char *keys, const char *const *pieces, const char *want, bool want_end)
{
	struct detach_keys k;
	struct err err = ERR_INIT;
	char all[256] = "";
	size_t len = 0, n;
	bool end = false;

	assert_ok(detach_keys_parse(keys, &k, &err));
	for (size_t i = 0; pieces[i] && !end; i++) {
		end = detach_keys_filter(&k, pieces[i], strlen(pieces[i]), all + len, &n);
		len += n;
	}
	all[len] = '\0';
	assert_string_equal(all, want);
	assert_int_equal(end, want_end);
}

#define PIECES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_keys(void **state)
{
	filter(NULL, PIECES("ab\x10\x11zz"), "ab", true);
	filter(NULL, PIECES("ab\x10", "\x11"), "ab", true);
	filter(NULL, PIECES("ab\x10", "c"),
	       "ab\x10"
	       "c",
	       false);
	filter(NULL, PIECES("\x10\x10\x11"), "\x10", true);
	filter(NULL, PIECES("\x11\x10x\x11"), "\x11\x10x\x11", false);
	filter("a,a,b", PIECES("aaab"), "a", true);
	filter("a,b,a,b,c", PIECES("ababd", "ababab", "c"), "ababdab", true);
	filter("", PIECES("\x10\x11"), "\x10\x11", false);
	filter("ctrl-],x", PIECES("\x1dx"), "", true);
}

static void test_keys_refused(void **state)
{
	static const char *const wrong[] = { "ctrl-",
					     "ctrl-ab",
					     "ab",
					     "a,,b",
					     "ctrl-A",
					     "ctrl-1",
					     "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q" };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct err err = ERR_INIT;
		struct detach_keys k;

		assert_true(detach_keys_parse(wrong[i], &k, &err) < 0);
		assert_true(str_starts(err.msg, "invalid detach keys"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies),     cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_backoff),      cmocka_unit_test(test_keys),
		cmocka_unit_test(test_keys_refused), cmocka_unit_test(test_wanted_at_boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

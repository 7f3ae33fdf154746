/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strv.h"
#include "unit.h"

static void test_add(void **state)
{
	char **v = NULL, **w = NULL;

	assert_int_equal(strv_len(v), 0);
	strv_free(v);
	strv_extend(&v, NULL);
	assert_null(v);
	for (int i = 0; i < 20; i++)
		strv_addf(&v, "s%d", i);
	strv_take(&v, xstrdup("taken"));
	assert_int_equal(strv_len(v), 21);
	assert_string_equal(v[19], "s19");
	assert_true(strv_has(v, "taken"));
	assert_false(strv_has(v, "take"));
	assert_false(strv_has(NULL, ""));
	w = strv_copy(v);
	strv_extend(&w, v);
	assert_int_equal(strv_len(w), 42);
	assert_string_equal(w[21], "s0");
	assert_ptr_not_equal(w[0], v[0]);
	strv_free(v);
	strv_free(w);
	assert_null(strv_copy(NULL));
}

static void splits(const char *s, size_t n, const char *joined)
{
	char **v = strv_split(s, ','), *j = strv_join(v, "|");

	assert_int_equal(strv_len(v), n);
	assert_string_equal(j, joined);
	free(j);
	strv_free(v);
}

static void test_split_join(void **state)
{
	char *empty = strv_join(NULL, ",");

	splits("", 1, "");
	splits("a", 1, "a");
	splits(",a,,b,", 5, "|a||b|");
	assert_string_equal(empty, "");
	free(empty);
}

static void test_env(void **state)
{
	char **env = NULL;

	assert_null(strv_env_get(env, "A"));
	strv_env_set(&env, "AB=0");
	strv_env_set(&env, "A=1");
	strv_env_set(&env, "EMPTY=");
	assert_string_equal(strv_env_get(env, "A"), "1");
	assert_string_equal(strv_env_get(env, "EMPTY"), "");
	assert_null(strv_env_get(env, "B"));
	strv_env_set(&env, "A=2=3");
	assert_string_equal(strv_env_get(env, "A"), "2=3");
	assert_int_equal(strv_len(env), 3);
	strv_free(env);
}

static void test_env_unset(void **state)
{
	cleanup_strv char **v = NULL;

	strv_env_unset(NULL, "A");
	strv_add(&v, "AB=1");
	strv_add(&v, "A=2");
	strv_add(&v, "C=3");
	strv_env_unset(v, "B");
	assert_int_equal(strv_len(v), 3);
	strv_env_unset(v, "A");
	assert_int_equal(strv_len(v), 2);
	assert_null(strv_env_get(v, "A"));
	assert_string_equal(strv_env_get(v, "AB"), "1");
	assert_string_equal(strv_env_get(v, "C"), "3");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_add),
					    cmocka_unit_test(test_split_join),
					    cmocka_unit_test(test_env),
					    cmocka_unit_test(test_env_unset) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

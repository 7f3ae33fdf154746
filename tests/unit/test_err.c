/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/str.h"
#include "unit.h"

static void test_wrap(void **state)
{
	struct err err = ERR_INIT;
	int r = err_errno(&err, EPERM, "mounting %s in container", "/proc");

	assert_int_equal(r, -EPERM);
	assert_int_equal(err.errnum, EPERM);
	assert_int_equal(err.kind, ERR_SYSTEM);
	assert_int_equal(err_wrap(&err, r, "starting container %s", "web"), -EPERM);
	assert_string_equal(err.msg, "starting container web: mounting /proc in container: "
				     "Operation not permitted");
	assert_int_equal(err_exit_status(&err), 125);
	assert_int_equal(err_errno(&err, 9999, "x"), -9999);
	assert_string_equal(err.msg, "x: error 9999");
	/* never success, whatever is handed in */
	assert_true(err_errno(&err, 0, "x") < 0);
}

static void test_kinds(void **state)
{
	struct err err = ERR_INIT;

	for (int kind = 0; kind < ERR_KINDS; kind++)
		assert_true(err_fail(&err, (enum err_kind)kind, "x") < 0);
	assert_int_equal(err_fail(&err, ERR_NOT_FOUND, "no such image: %s", "a"), -ENOENT);
	assert_string_equal(err.msg, "no such image: a");
	assert_int_equal(err_set_kind(&err, -1, ERR_CMD_NOT_FOUND), -1);
	assert_int_equal(err_exit_status(&err), 127);
	err_set_kind(&err, 0, ERR_NOT_EXECUTABLE);
	assert_int_equal(err_exit_status(&err), 126);
}

static void test_hint(void **state)
{
	struct err err = ERR_INIT;

	err_fail(&err, ERR_SYSTEM, "x");
	assert_int_equal(err_hint(&err, -5, "do %d", 1), -5);
	err_hint(&err, -5, "do %d", 2);
	assert_string_equal(err.hint, "do 1");
	/* a new error has no old hint */
	err_fail(&err, ERR_SYSTEM, "y");
	assert_string_equal(err.hint, "");
}

static void test_no_record(void **state)
{
	assert_int_equal(err_errno(NULL, ENOENT, "x"), -ENOENT);
	assert_int_equal(err_fail(NULL, ERR_EXISTS, "x"), -EEXIST);
	assert_int_equal(err_wrap(NULL, -3, "x"), -3);
	assert_int_equal(err_hint(NULL, -3, "x"), -3);
	assert_int_equal(err_set_kind(NULL, -3, ERR_USAGE), -3);
}

/* Cut with dots, and between characters. */
static void test_cut(void **state)
{
	struct err err = ERR_INIT;
	char longer[2000];

	for (size_t i = 0; i + 2 < sizeof(longer); i += 2)
		memcpy(longer + i, "é", 3);
	for (int lead = 0; lead < 3; lead++) {
		err_fail(&err, ERR_SYSTEM, "%.*s%s", lead, "abc", longer);
		assert_true(str_ends(err.msg, "é..."));
		assert_true(strlen(err.msg) >= sizeof(err.msg) - 3);
	}
	err_errno(&err, ENOENT, "%s", longer);
	assert_true(str_ends(err.msg, "..."));
	err_fail(&err, ERR_SYSTEM, "%.995s", longer);
	err_wrap(&err, -1, "context");
	assert_true(str_starts(err.msg, "context: é"));
	assert_true(str_ends(err.msg, "é..."));
	err_wrap(&err, -1, "%s", longer);
	assert_true(strlen(err.msg) < sizeof(err.msg));
	for (const char *p = err.msg; *p; p += str_utf8_len(p))
		assert_int_not_equal(str_utf8_len(p), 0);
}

static void test_sanitize(void **state)
{
	struct err err;

	memset(&err, 'x', sizeof(err));
	err_sanitize(&err);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_int_equal(strlen(err.hint), sizeof(err.hint) - 1);
	assert_int_equal(err.kind, ERR_SYSTEM);
	assert_int_equal(err_exit_status(&err), 125);
	assert_in_range(err.errnum, 0, 4095);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrap), cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_hint), cmocka_unit_test(test_no_record),
		cmocka_unit_test(test_cut),  cmocka_unit_test(test_sanitize),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

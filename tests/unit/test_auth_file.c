/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "engine/auth_file.h"
#include "engine/credhelper.h"
#include "unit.h"

/* base64 of "user:NAME" */
#define AUTH_A "dXNlcjphYWE="
#define AUTH_B "dXNlcjpiYmI="
#define AUTH_C "dXNlcjpjY2M="

static void parse(const char *text, struct auth_file *f)
{
	struct err err = ERR_INIT;

	assert_ok(auth_file_parse(text, strlen(text), "file", f, &err));
}

static void password(const struct auth_file *f, const char *name, const char *expected)
{
	struct registry_auth auth = { 0 };
	struct err err = ERR_INIT;
	int r = auth_file_find(f, name, "file", &auth, &err);

	assert_ok(r);
	assert_int_equal(r, expected ? 1 : 0);
	if (expected) {
		assert_string_equal(auth.username, "user");
		assert_string_equal(auth.password, expected);
	}
	registry_auth_done(&auth);
}

static void test_longest_name(void **state)
{
	cleanup_auth_file struct auth_file f = { 0 };

	parse("{\"auths\": {\"a.example\": {\"auth\": \"" AUTH_A "\"},"
	      "\"a.example/team\": {\"auth\": \"" AUTH_B "\"},"
	      "\"a.example/team/app\": {\"auth\": \"" AUTH_C "\"}, \"b.example\": {}}}",
	      &f);
	password(&f, "a.example", "aaa");
	password(&f, "a.example/x/y", "aaa");
	password(&f, "a.example/team", "bbb");
	password(&f, "a.example/team/x", "bbb");
	password(&f, "a.example/team/app", "ccc");
	password(&f, "a.example/teams", "aaa");
	password(&f, "a.example:5000/x", NULL);
	password(&f, "b.example/x", NULL);
	password(&f, "example", NULL);
}

static void test_old_names(void **state)
{
	cleanup_auth_file struct auth_file f = { 0 };

	parse("{\"auths\": {\"https://index.docker.io/v1/\": {\"auth\": \"" AUTH_A "\"},"
	      "\"http://b.example/v2/\": {\"auth\": \"" AUTH_B "\"}}}",
	      &f);
	password(&f, "docker.io/library/debian", "aaa");
	password(&f, "docker.io", "aaa");
	password(&f, "b.example/x", "bbb");
	assert_true(auth_file_remove(&f, "docker.io"));
	assert_false(auth_file_remove(&f, "docker.io"));
	password(&f, "docker.io", NULL);
	assert_int_equal(f.auths.n, 1);
}

static void test_tokens(void **state)
{
	cleanup_auth_file struct auth_file f = { 0 };
	struct registry_auth auth = { 0 };
	struct err err = ERR_INIT;

	parse("{\"auths\": {\"a\": {\"auth\": \"dXNlcjo=\", \"identitytoken\": \"tok\"},"
	      "\"b\": {\"registrytoken\": \"reg\"}, \"c\": {\"username\": \"u\", \"password\": "
	      "\"p\"},"
	      "\"d\": {\"auth\": \"dTpwAAAA\"}}}",
	      &f);
	assert_int_equal(auth_file_find(&f, "a", "file", &auth, &err), 1);
	assert_string_equal(auth.identity_token, "tok");
	assert_string_equal(auth.username, "user");
	registry_auth_done(&auth);
	assert_int_equal(auth_file_find(&f, "b", "file", &auth, &err), 1);
	assert_string_equal(auth.registry_token, "reg");
	registry_auth_done(&auth);
	assert_int_equal(auth_file_find(&f, "c", "file", &auth, &err), 1);
	assert_string_equal(auth.password, "p");
	registry_auth_done(&auth);
	assert_int_equal(auth_file_find(&f, "d", "file", &auth, &err), 1);
	assert_string_equal(auth.password, "p");
	registry_auth_done(&auth);
}

/* What others wrote stays. */
static void test_change(void **state)
{
	cleanup_auth_file struct auth_file f = { 0 }, again = { 0 };
	struct registry_auth auth = { .username = (char[]){ "user" },
				      .password = (char[]){ "p:w\xc3\xa9" } };
	cleanup_buf struct buf text = BUF_INIT;

	parse("{\"HttpHeaders\": {\"X\": \"y\"}, \"auths\": {\"a\": {\"auth\": \"" AUTH_A
	      "\", \"email\": \"e\"}}, \"psFormat\": \"t\", \"n\": 1.0}",
	      &f);
	auth_file_set(&f, "b.example/x", &auth);
	assert_false(auth_file_remove(&f, "b.example"));
	auth_file_write(&f, &text);
	parse(buf_str(&text), &again);
	assert_string_equal(json_map_get(&again.members, "HttpHeaders"), "{\"X\":\"y\"}");
	assert_string_equal(json_map_get(&again.members, "psFormat"), "\"t\"");
	assert_string_equal(json_map_get(&again.members, "n"), "1.0");
	assert_string_equal(json_map_get(&again.auths, "a"),
			    "{\"auth\":\"" AUTH_A "\",\"email\":\"e\"}");
	password(&again, "b.example/x", "p:w\xc3\xa9");
	assert_string_equal(json_map_get(&again.auths, "b.example/x"),
			    "{\"auth\":\"dXNlcjpwOnfDqQ==\"}");
	auth_file_done(&f);
	parse("{}", &f);
	auth_file_set(&f, "a", &auth);
	assert_true(auth_file_remove(&f, "a"));
	buf_reset(&text);
	auth_file_write(&f, &text);
	assert_string_equal(buf_str(&text), "{\n\t\"auths\": {}\n}\n");
}

static void test_helpers(void **state)
{
	cleanup_auth_file struct auth_file f = { 0 };

	parse("{\"credsStore\": \"all\", \"credHelpers\": {\"a.example\": \"one\", "
	      "\"https://index.docker.io/v1/\": \"hub\"}}",
	      &f);
	assert_string_equal(auth_file_helper(&f, "a.example"), "one");
	assert_string_equal(auth_file_helper(&f, "docker.io"), "hub");
	assert_null(auth_file_helper(&f, "b.example"));
	assert_string_equal(f.store, "all");
}

static void fails(const char *text, const char *message)
{
	cleanup_auth_file struct auth_file f = { 0 };
	struct registry_auth auth = { 0 };
	struct err err = ERR_INIT;
	int r = auth_file_parse(text, strlen(text), "file", &f, &err);

	if (r == 0)
		r = auth_file_find(&f, "a", "file", &auth, &err);
	assert_true(r < 0);
	assert_string_equal(err.msg, message);
}

#define EXPECTED "file: auths: a: expected \"auth\" to be base64 of user:password"

static void test_errors(void **state)
{
	fails("[]", "file: expected an object, got an array");
	fails("{\"auths\": []}", "file: auths: expected an object, got an array");
	fails("{\"auths\": {\"a\": 1}}", "file: auths: a: expected an object, got an integer");
	fails("{\"auths\": {\"a\": {\"auth\": \"x\"}}}", EXPECTED);
	fails("{\"auths\": {\"a\": {\"auth\": \"dXNlcg==\"}}}", EXPECTED);
	/* "u:p", NUL, "x" */
	fails("{\"auths\": {\"a\": {\"auth\": \"dTpwAHg=\"}}}", EXPECTED);
	/* a broken entry spoils no other */
	cleanup_auth_file struct auth_file f = { 0 };
	parse("{\"auths\": {\"a\": 1, \"b\": {\"auth\": \"" AUTH_B "\"}}}", &f);
	password(&f, "b", "bbb");
}

static void test_helper_answers(void **state)
{
	static const char *const bad[] = { "", "{}", "{\"Username\":\"u\"}", "[1]",
					   "{\"Username\":1,\"Secret\":\"s\"}" };
	static const char user[] = "{\"ServerURL\":\"x\",\"Username\":\"u\",\"Secret\":\"s\"}\n";
	static const char token[] = "{\"Username\":\"<token>\",\"Secret\":\"t\"}";
	struct registry_auth auth = { 0 };
	struct err err = ERR_INIT;

	assert_ok(credhelper_parse(user, strlen(user), &auth, &err));
	assert_string_equal(auth.username, "u");
	assert_string_equal(auth.password, "s");
	assert_null(auth.identity_token);
	registry_auth_done(&auth);
	assert_ok(credhelper_parse(token, strlen(token), &auth, &err));
	assert_null(auth.username);
	assert_string_equal(auth.identity_token, "t");
	registry_auth_done(&auth);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_true(credhelper_parse(bad[i], strlen(bad[i]), &auth, &err) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest_name),   cmocka_unit_test(test_old_names),
		cmocka_unit_test(test_tokens),         cmocka_unit_test(test_change),
		cmocka_unit_test(test_helpers),        cmocka_unit_test(test_errors),
		cmocka_unit_test(test_helper_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

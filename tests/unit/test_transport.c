/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "engine/transport.h"
#include "image/layout.h"

static void test_words(void **state)
{
	static const struct {
		const char *word;
		enum transport kind;
		const char *name, *path, *ref;
	} rows[] = {
		{ "debian", TRANSPORT_STORE, "debian", NULL, NULL },
		{ "localhost:5000/a:1", TRANSPORT_STORE, "localhost:5000/a:1", NULL, NULL },
		{ "docker:dind", TRANSPORT_STORE, "docker:dind", NULL, NULL },
		{ "inro:a:1", TRANSPORT_STORE, "a:1", NULL, NULL },
		{ "docker://a:1", TRANSPORT_DOCKER, "a:1", NULL, NULL },
		{ "oci:/dir", TRANSPORT_OCI, NULL, "/dir", NULL },
		{ "oci:/dir:", TRANSPORT_OCI, NULL, "/dir", NULL },
		{ "oci:dir:a:1", TRANSPORT_OCI, NULL, "dir", "a:1" },
		{ "oci-archive:f:1", TRANSPORT_OCI_ARCHIVE, NULL, "f", "1" },
		{ "docker-archive:f:a/b:1", TRANSPORT_DOCKER_ARCHIVE, NULL, "f", "a/b:1" },
		{ "dir:a:b", TRANSPORT_DIR, NULL, "a:b", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_transport struct transport_name name = { 0 };
		struct err err = ERR_INIT;

		assert_int_equal(transport_parse(rows[i].word, &name, &err), 0);
		assert_int_equal(name.kind, rows[i].kind);
		assert_true(str_eq(name.name, rows[i].name));
		assert_true(str_eq(name.path, rows[i].path));
		assert_true(str_eq(name.ref, rows[i].ref));
		if (!str_ends(rows[i].word, ":") && !str_starts(rows[i].word, "inro:")) {
			cleanup_free char *text = transport_format(&name);
			assert_string_equal(text, rows[i].word);
		}
	}
}

static void test_refused(void **state)
{
	static const char *const words[] = { "",
					     "oci:",
					     "oci::1",
					     "dir:",
					     "docker://",
					     "docker-archive::a:1",
					     "inro:",
					     "docker-daemon:a",
					     "containers-storage:a" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct transport_name name = { 0 };
		struct err err = ERR_INIT;

		assert_true(transport_parse(words[i], &name, &err) < 0);
		assert_true(err.msg[0]);
		assert_null(name.name);
		assert_null(name.path);
	}
}

static void test_layout_refs(void **state)
{
	static const char *const good[] = { "a",
					    "1.0",
					    "v1.0-rc.1",
					    "a--b",
					    "made.test/app:1",
					    "docker.io/library/x@sha256:00",
					    "a+b_c" };
	static const char *const bad[] = { "",   "-a", "a-", "a b",  "a..b", "a---b",
					   "/a", "a/", "@1", "a//b", "\n",   "a\xff" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(layout_ref_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(layout_ref_valid(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_layout_refs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

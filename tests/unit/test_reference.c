/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "oci/reference.h"

#define HEX64  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX64
#define TEXT64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaz"

static void test_names(void **state)
{
	static const struct {
		const char *text, *full, *familiar;
	} rows[] = {
		{ "debian", "docker.io/library/debian:latest", "debian:latest" },
		{ "debian:12", "docker.io/library/debian:12", "debian:12" },
		{ "library/debian", "docker.io/library/debian:latest", "debian:latest" },
		{ "docker.io/debian", "docker.io/library/debian:latest", "debian:latest" },
		{ "index.docker.io/debian", "docker.io/library/debian:latest", "debian:latest" },
		{ "docker.io/library/debian:12", "docker.io/library/debian:12", "debian:12" },
		{ "user/app", "docker.io/user/app:latest", "user/app:latest" },
		{ "library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest" },
		{ "debian@" DIGEST, "docker.io/library/debian@" DIGEST, "debian@" DIGEST },
		{ "debian:12@" DIGEST, "docker.io/library/debian:12@" DIGEST, "debian:12@" DIGEST },
		{ "localhost/app", "localhost/app:latest", "localhost/app:latest" },
		{ "localhost:5000/app:1", "localhost:5000/app:1", "localhost:5000/app:1" },
		{ "localhost:5000", "docker.io/library/localhost:5000", "localhost:5000" },
		{ "host.example/a/b/c", "host.example/a/b/c:latest", "host.example/a/b/c:latest" },
		{ "127.0.0.1:80/a", "127.0.0.1:80/a:latest", "127.0.0.1:80/a:latest" },
		{ "[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest" },
		{ "Host/app", "Host/app:latest", "Host/app:latest" },
		{ "a-b/c", "docker.io/a-b/c:latest", "a-b/c:latest" },
		{ "a__b/c.d/e--f", "docker.io/a__b/c.d/e--f:latest", "a__b/c.d/e--f:latest" },
		{ "app:_x.y-Z", "docker.io/library/app:_x.y-Z", "app:_x.y-Z" },
		/* what the short form would turn into another name stays in full */
		{ "docker.io/foo.bar/baz", "docker.io/foo.bar/baz:latest",
		  "docker.io/foo.bar/baz:latest" },
		{ "docker.io/localhost/baz", "docker.io/localhost/baz:latest",
		  "docker.io/localhost/baz:latest" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_reference struct reference ref = { NULL };
		cleanup_free char *full = NULL, *familiar = NULL, *again = NULL;
		struct err err = ERR_INIT;

		if (reference_parse(rows[i].text, &ref, &err) < 0)
			fail_msg("%s: %s", rows[i].text, err.msg);
		full = reference_format(&ref);
		familiar = reference_familiar(&ref);
		assert_string_equal(full, rows[i].full);
		assert_string_equal(familiar, rows[i].familiar);
		assert_int_equal(reference_normalize(familiar, &again, &err), 0);
		assert_string_equal(again, full);
	}
}

static void test_parts(void **state)
{
	cleanup_reference struct reference ref = { NULL };
	cleanup_free char *repo = NULL, *familiar = NULL;

	assert_int_equal(reference_parse("debian:12@" DIGEST, &ref, NULL), 0);
	assert_string_equal(ref.domain, "docker.io");
	assert_string_equal(ref.path, "library/debian");
	assert_string_equal(ref.tag, "12");
	assert_string_equal(ref.digest, DIGEST);
	repo = reference_repository(&ref);
	familiar = reference_familiar_repository(&ref);
	assert_string_equal(repo, "docker.io/library/debian");
	assert_string_equal(familiar, "debian");
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "", "it is empty" },
		{ HEX64, "64 hex digits are an image's id" },
		{ "Debian", "must be lower case" },
		{ "user/App", "must be lower case" },
		{ "docker.io/Debian", "must be lower case" },
		{ ":tag", "a repository name" },
		{ "@" DIGEST, "a repository name" },
		{ "debian:", "a tag" },
		{ "debian:-x", "a tag" },
		{ "debian:a b", "a tag" },
		{ "debian:a:b", "a repository name" },
		{ "debian:" TEXT64 TEXT64, "a tag" },
		{ "debian@sha256:00", "a digest" },
		{ "debian@" DIGEST "@" DIGEST, "a digest" },
		{ "debian@md5:0123456789abcdef0123456789abcdef", "a digest" },
		{ "/debian", "a repository name" },
		{ "a//b", "a repository name" },
		{ "a/b/", "a repository name" },
		{ "a/../b", "a repository name" },
		{ "../b", "a registry" },
		{ "a/.b", "a repository name" },
		{ "a/b..c", "a repository name" },
		{ "a___b", "a repository name" },
		{ "-a", "a repository name" },
		{ "a-", "a repository name" },
		{ "a b", "a repository name" },
		{ "a\n", "a repository name" },
		{ "d\xc3\xa9"
		  "bian",
		  "a repository name" },
		{ "host.example:/a", "a registry" },
		{ "host.example:99999/a", "a registry" },
		{ "host.example:8o/a", "a registry" },
		{ "-host.example/a", "a registry" },
		{ "host..example/a", "a registry" },
		{ "[::1/a", "a registry" },
		{ "[g::]:1/a", "a registry" },
		{ "http://host.example/a", "a registry" },
		{ "a.b/" TEXT64 "/" TEXT64 "/" TEXT64 "/" TEXT64, "longer than 255" },
		{ TEXT64 TEXT64 TEXT64 TEXT64 TEXT64 TEXT64 TEXT64 TEXT64 TEXT64, "too long" },
	};
	struct reference ref;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = ERR_INIT;

		if (reference_parse(rows[i].text, &ref, &err) != -EINVAL)
			fail_msg("accepted: %s", rows[i].text);
		if (!strstr(err.msg, rows[i].why) ||
		    !str_starts(err.msg, "invalid image reference \""))
			fail_msg("%s: %s", rows[i].text, err.msg);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

static void test_registry_key(void **state)
{
	static const struct {
		const char *name, *key;
	} rows[] = {
		{ "reg.example", "reg.example" },
		{ "reg.example:443", "reg.example" },
		{ "reg.example:00443/a", "reg.example/a" },
		{ "REG.Example:5000/Team", "reg.example:5000/Team" },
		{ "reg.example:05000", "reg.example:5000" },
		{ "*.Corp.Example", "*.corp.example" },
		{ "docker.io/library/x", "docker.io/library/x" },
		{ "registry-1.docker.io/library/x", "docker.io/library/x" },
		{ "Index.Docker.io:443", "docker.io" },
		{ "registry.hub.docker.com/x", "docker.io/x" },
		{ "registry-1.docker.io:5000", "docker.io:5000" },
		{ "10.0.0.5:443/x", "10.0.0.5/x" },
		{ "10.5", "10.0.0.5" },
		{ "0xa000005/x", "10.0.0.5/x" },
		{ "167772165:5000/x", "10.0.0.5:5000/x" },
		{ "[2001:DB8:0:0::1]/x", "[2001:db8::1]/x" },
		{ "[2001:db8::1]:443", "[2001:db8::1]" },
		{ "[::ffff:a00:5]:5000", "10.0.0.5:5000" },
		/* none of the grammar's, but nothing to stumble over */
		{ "", "" },
		{ "/x", "/x" },
		{ "[", "[" },
		{ "]:443", "]" },
		{ "a:b", "a:b" },
		{ "a:", "a:" },
		{ "10.0.0.5 x/y", "10.0.0.5 x/y" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *key = reference_registry_key(rows[i].name);
		cleanup_free char *again = reference_registry_key(key);

		assert_string_equal(key, rows[i].key);
		assert_string_equal(again, key);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_registry_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

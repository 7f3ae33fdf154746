/* SPDX-License-Identifier: Apache-2.0 */
/* --platform: its words, and which entry of an index they mean. */
#include "unit.h"

#include "base/str.h"
#include "oci/image.h"

static void assert_platform(const char *text, const char *os, const char *arch, const char *variant)
{
	struct oci_platform p = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(oci_platform_parse(text, &p, &err), 0);
	assert_string_equal(p.os, os);
	assert_string_equal(p.architecture, arch);
	assert_true(str_eq(p.variant, variant));
	oci_platform_done(&p);
}

static void test_words(void **state)
{
	static const char *const bad[] = {
		"", "/", "linux/", "/amd64", "a/b/c/d", "Linux/amd64", "linux/amd64 ", "a\nb",
	};
	struct oci_platform p = { 0 };

	assert_platform("linux/arm64/v8", "linux", "arm64", "v8");
	assert_platform("linux/arm64", "linux", "arm64", NULL);
	assert_platform("s390x", "linux", "s390x", NULL);
	assert_platform("linux/aarch64", "linux", "arm64", NULL);
	assert_platform("x86_64", "linux", "amd64", NULL);
	assert_platform("windows/amd64", "windows", "amd64", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = ERR_INIT;
		assert_int_equal(oci_platform_parse(bad[i], &p, &err), -EINVAL);
		assert_null(p.os);
	}
}

#define HEX   "0000000000000000000000000000000000000000000000000000000000000000"
#define ENTRY "{\"mediaType\":\"" OCI_MEDIA_MANIFEST "\",\"digest\":\"sha256:" HEX "\",\"size\":"

static int64_t selected(const struct oci_index *index, const char *text)
{
	struct oci_platform p = { 0 };

	assert_int_equal(oci_platform_parse(text, &p, NULL), 0);
	const struct oci_descriptor *d = oci_index_select_platform(index, &p);
	oci_platform_done(&p);
	return d ? d->size : -1;
}

static void test_selection(void **state)
{
	static const char text[] =
	    "{\"schemaVersion\":2,\"manifests\":[" ENTRY "1}," ENTRY
	    "2,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v6\"}}," ENTRY
	    "3,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\"}}," ENTRY
	    "4,\"platform\":{\"os\":\"windows\",\"architecture\":\"amd64\"}}]}";
	struct oci_index index = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(oci_index_parse(text, strlen(text), &index, &err), 0);
	assert_int_equal(selected(&index, "linux/arm"), 2);
	assert_int_equal(selected(&index, "linux/arm/v7"), 3);
	assert_int_equal(selected(&index, "linux/arm/v8"), -1);
	assert_int_equal(selected(&index, "windows/amd64"), 4);
	/* What was asked for by name is never replaced by something else. */
	assert_int_equal(selected(&index, "linux/amd64"), -1);
	oci_index_done(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_selection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

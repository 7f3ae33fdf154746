/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include "base/buf.h"
#include "base/io.h"
#include "base/str.h"
#include "sys/mount.h"

struct seen {
	size_t n;
	struct mountinfo last;
	char root[64], mount_point[64], options[64], optional[64], fstype[32], source[64],
	    super[64];
	int stop_at, stop_value;
};

static int note(const struct mountinfo *mi, void *data)
{
	struct seen *s = data;

	s->last = *mi;
	snprintf(s->root, sizeof(s->root), "%s", mi->root);
	snprintf(s->mount_point, sizeof(s->mount_point), "%s", mi->mount_point);
	snprintf(s->options, sizeof(s->options), "%s", mi->options);
	snprintf(s->optional, sizeof(s->optional), "%s", mi->optional);
	snprintf(s->fstype, sizeof(s->fstype), "%s", mi->fstype);
	snprintf(s->source, sizeof(s->source), "%s", mi->source);
	snprintf(s->super, sizeof(s->super), "%s", mi->super_options);
	s->n++;
	return (int)s->n == s->stop_at ? s->stop_value : 0;
}

static int parse(const char *text, struct seen *s)
{
	struct err err = ERR_INIT;

	return mountinfo_parse(text, strlen(text), note, s, &err);
}

static void test_fields(void **state)
{
	struct seen s = { 0 };

	assert_int_equal(parse("36 35 98:7 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 "
			       "/dev/root rw,errors=continue\n",
			       &s),
			 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.last.id, 36);
	assert_int_equal(s.last.parent_id, 35);
	assert_int_equal(s.last.major, 98);
	assert_int_equal(s.last.minor, 7);
	assert_string_equal(s.root, "/mnt1");
	assert_string_equal(s.mount_point, "/mnt2");
	assert_string_equal(s.options, "rw,noatime");
	assert_string_equal(s.optional, "master:1 shared:2");
	assert_string_equal(s.fstype, "ext3");
	assert_string_equal(s.source, "/dev/root");
	assert_string_equal(s.super, "rw,errors=continue");
}

static void test_no_optional_fields_and_empty_source(void **state)
{
	struct seen s = { 0 };

	assert_int_equal(parse("1 0 0:1 / / rw - tmpfs  rw", &s), 0);
	assert_string_equal(s.optional, "");
	assert_string_equal(s.source, "");
	assert_string_equal(s.super, "rw");
}

static void test_escapes(void **state)
{
	struct seen s = { 0 };

	assert_int_equal(
	    parse("1 0 0:1 /a\\134b /with\\040space\\011tab\\012line rw - tmpfs my\\040disk rw\n",
		  &s),
	    0);
	assert_string_equal(s.root, "/a\\b");
	assert_string_equal(s.mount_point, "/with space\ttab\nline");
	assert_string_equal(s.source, "my disk");
}

static void test_namespace_root_and_spaces_in_super_options(void **state)
{
	struct seen s = { 0 };

	assert_int_equal(parse("1 0 0:4 net:[4026531840] /run/netns/a rw shared:3 - nsfs nsfs "
			       "rw,odd=a b\n",
			       &s),
			 0);
	assert_string_equal(s.root, "net:[4026531840]");
	assert_string_equal(s.super, "rw,odd=a b");
}

static void test_malformed(void **state)
{
	static const char *const bad[] = {
		"\n",
		"1\n",
		"1 0 0:1 / / rw\n",
		"1 0 0:1 / / rw shared:1 tmpfs tmpfs rw\n",
		"1 0 0:1 / / rw - tmpfs tmpfs\n",
		"1 0 0:1 / / rw - tmpfs\n",
		"1 0 0:1 / / rw -\n",
		"x 0 0:1 / / rw - tmpfs tmpfs rw\n",
		"-1 0 0:1 / / rw - tmpfs tmpfs rw\n",
		"01 0 0:1 / / rw - tmpfs tmpfs rw\n",
		"99999999999 0 0:1 / / rw - tmpfs tmpfs rw\n",
		"1 0 01 / / rw - tmpfs tmpfs rw\n",
		"1 0 0: / / rw - tmpfs tmpfs rw\n",
		"1 0 0:1 / relative rw - tmpfs tmpfs rw\n",
		"1 0 0:1  / rw - tmpfs tmpfs rw\n",
		"1 0 0:1 / /\\x rw - tmpfs tmpfs rw\n",
		"1 0 0:1 / /a\\04 rw - tmpfs tmpfs rw\n",
		"1 0 0:1 / /a\\000 rw - tmpfs tmpfs rw\n",
		"1 0 0:1 / /a\\400 rw - tmpfs tmpfs rw\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct seen s = { 0 };
		if (parse(bad[i], &s) != -EINVAL || s.n != 0)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void test_nul_byte_and_long_line(void **state)
{
	static const char nul[] = "1 0 0:1 / /a rw - tmpfs tmpfs rw\0b\n";
	struct seen s = { 0 };
	struct err err = ERR_INIT;
	cleanup_buf struct buf b = BUF_INIT;

	assert_int_equal(mountinfo_parse(nul, sizeof(nul) - 1, note, &s, &err), -EINVAL);
	buf_adds(&b, "1 0 0:1 / /");
	for (int i = 0; i < 70000; i++)
		buf_addc(&b, 'x');
	buf_adds(&b, " rw - tmpfs tmpfs rw\n");
	assert_true(mountinfo_parse(b.data, b.len, note, &s, &err) < 0);
	assert_int_equal(err.kind, ERR_LIMIT);
	assert_int_equal(s.n, 0);
}

static void test_stops_and_names_the_line(void **state)
{
	static const char three[] = "1 0 0:1 / / rw - a a rw\n2 1 0:1 / /b rw - a a rw\nrubbish\n";
	struct seen s = { .stop_at = 2, .stop_value = 77 };
	struct err err = ERR_INIT;

	assert_int_equal(parse(three, &s), 77);
	s = (struct seen){ 0 };
	assert_int_equal(mountinfo_parse(three, strlen(three), note, &s, &err), -EINVAL);
	assert_int_equal(s.n, 2);
	assert_non_null(strstr(err.msg, "line 3"));
	assert_int_equal(mountinfo_parse("", 0, note, &s, &err), 0);
}

static void test_own(void **state)
{
	cleanup_buf struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	struct seen s = { 0 };

	assert_int_equal(io_read_file(AT_FDCWD, "/proc/self/mountinfo", &b, 1 << 24, &err), 0);
	if (mountinfo_parse(b.data, b.len, note, &s, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(s.n > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_no_optional_fields_and_empty_source),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_namespace_root_and_spaces_in_super_options),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_nul_byte_and_long_line),
		cmocka_unit_test(test_stops_and_names_the_line),
		cmocka_unit_test(test_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

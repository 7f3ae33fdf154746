/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <sys/mount.h>

#include "base/strv.h"
#include "runtime/mount_opts.h"
#include "sys/uapi.h"

static void parse(const char *words, struct mount_opts *ret)
{
	char **list = words ? strv_split(words, ',') : NULL;
	struct err err = ERR_INIT;

	assert_ok(mount_opts_parse(list, ret, &err));
	strv_free(list);
}

#define LABEL "system_u:object_r:container_file_t:s0:c1,c2"

static void test_labels(void **state)
{
	static const struct {
		const char *type, *options, *label, *context;
	} cases[] = {
		{ "tmpfs", NULL, LABEL, LABEL },
		{ "devpts", "ro", LABEL, LABEL },
		{ "overlay", NULL, LABEL, LABEL },
		{ "ext4", NULL, LABEL, LABEL },
		{ "proc", NULL, LABEL, NULL },
		{ "sysfs", NULL, LABEL, NULL },
		{ "mqueue", NULL, LABEL, NULL },
		{ "cgroup", NULL, LABEL, NULL },
		{ "none", "rbind", LABEL, NULL },
		{ "tmpfs", "bind", LABEL, NULL },
		{ "bind", NULL, LABEL, NULL },
		{ "tmpfs", "remount,ro", LABEL, NULL },
		{ NULL, "bind", LABEL, NULL },
		{ "tmpfs", NULL, NULL, NULL },
		{ "tmpfs", NULL, "", NULL },
		{ "tmpfs", "context=own", LABEL, "own" },
		{ "tmpfs", "context=\"own\"", LABEL, "own" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mount_opts o;
		const char *got;

		parse(cases[i].options, &o);
		mount_opts_add_label(&o, cases[i].type, cases[i].label);
		got = mount_opts_data(&o, "context");
		if (!!got != !!cases[i].context || (got && strcmp(got, cases[i].context) != 0))
			fail_msg("case %zu: %s", i, got ? got : "none");
		mount_opts_done(&o);
	}
}

static void test_last_word_counts(void **state)
{
	struct mount_opts o;

	parse("ro,rw,nosuid,suid,nodev,rro,rrw,rnoexec,sync,async", &o);
	assert_int_equal(o.set, MOUNT_ATTR_NODEV);
	assert_int_equal(o.clear, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
	assert_int_equal(o.rec_set, MOUNT_ATTR_NOEXEC);
	assert_int_equal(o.rec_clear, MOUNT_ATTR_RDONLY);
	assert_false(o.readonly);
	assert_int_equal(o.n_data, 0);
	mount_opts_done(&o);
}

static void test_access_times(void **state)
{
	struct mount_opts o;

	parse("noatime,strictatime,rnoatime,nodiratime", &o);
	assert_int_equal(o.set & MOUNT_ATTR__ATIME, MOUNT_ATTR_STRICTATIME);
	assert_int_equal(o.clear & MOUNT_ATTR__ATIME, MOUNT_ATTR__ATIME);
	assert_int_equal(o.rec_set, MOUNT_ATTR_NOATIME);
	assert_int_equal(o.rec_clear, MOUNT_ATTR__ATIME);
	assert_true(o.set & MOUNT_ATTR_NODIRATIME);
	mount_opts_done(&o);
}

static void test_what_is_the_filesystems(void **state)
{
	struct mount_opts o;

	parse("ro,mode=0755,sync,sync,size=1m,x=", &o);
	assert_string_equal(mount_opts_data(&o, "mode"), "0755");
	assert_string_equal(mount_opts_data(&o, "sync"), "");
	assert_string_equal(mount_opts_data(&o, "x"), "");
	assert_int_equal(o.n_data, 4);
	assert_true(o.readonly);
	mount_opts_done(&o);
	parse("sync,rbind,rslave", &o);
	assert_true(mount_opts_known("sync") && !mount_opts_known("mode"));
	assert_true(o.bind && o.rec_bind && o.rec_propagation);
	assert_int_equal(o.propagation, MS_SLAVE);
	mount_opts_done(&o);
}

static void test_option_without_a_name(void **state)
{
	char *words[] = { NULL, NULL };
	struct mount_opts o;
	struct err err = ERR_INIT;

	words[0] = xstrdup("=x");
	assert_int_equal(mount_opts_parse(words, &o, &err), -EINVAL);
	free(words[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_last_word_counts),
		cmocka_unit_test(test_access_times),
		cmocka_unit_test(test_what_is_the_filesystems),
		cmocka_unit_test(test_option_without_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What mountinfo and /proc/self/cgroup say about the machine's cgroup hierarchies. */

#include "unit.h"

#include "base/strv.h"
#include "sys/cgroup.h"

static int parse(const char *mounts, const char *self, struct cgroup_system *sys, struct err *err)
{
	return cgroup_system_parse(mounts, strlen(mounts), self, strlen(self), sys, err);
}

static struct cgroup_system parsed(const char *mounts, const char *self)
{
	struct cgroup_system sys;
	struct err err = ERR_INIT;

	if (parse(mounts, self, &sys, &err) < 0)
		fail_msg("%s", err.msg);
	return sys;
}

static const struct cgroup_hierarchy *find(const struct cgroup_system *sys, const char *controller)
{
	for (size_t i = 0; i < sys->n; i++)
		if (controller ? strv_has(sys->h[i].controllers, controller) : sys->h[i].v2)
			return &sys->h[i];
	fail_msg("no hierarchy of %s", controller ? controller : "cgroup2");
	return NULL;
}

static void test_v2(void **state)
{
	struct cgroup_system sys = parsed(
	    "22 1 0:20 / /sys rw - sysfs sysfs rw\n"
	    "30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
	    "0::/user.slice/user-1000.slice/session-3.scope\n");

	assert_int_equal(sys.layout, CGROUP_V2);
	assert_int_equal(sys.n, 1);
	assert_true(sys.h[0].v2);
	assert_null(sys.h[0].controllers);
	assert_string_equal(sys.h[0].mount_point, "/sys/fs/cgroup");
	assert_string_equal(sys.h[0].mount_root, "/");
	assert_string_equal(sys.h[0].own_path, "/user.slice/user-1000.slice/session-3.scope");
	cgroup_system_done(&sys);
}

static void test_v1_comounted(void **state)
{
	struct cgroup_system sys =
	    parsed("31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
		   "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
		   "33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
		   "34 31 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup "
		   "rw,xattr,release_agent=/lib/systemd/systemd-cgroups-agent,name=systemd\n",
		   "12:cpu,cpuacct:/a\n4:memory:/b:c\n3:pids:/\n1:name=systemd:/init.scope\n");

	assert_int_equal(sys.layout, CGROUP_V1);
	assert_int_equal(sys.n, 3); /* pids is not mounted */
	assert_ptr_equal(find(&sys, "cpu"), find(&sys, "cpuacct"));
	assert_string_equal(find(&sys, "cpu")->mount_point, "/sys/fs/cgroup/cpu,cpuacct");
	assert_string_equal(find(&sys, "memory")->own_path, "/b:c");
	assert_string_equal(find(&sys, "name=systemd")->own_path, "/init.scope");
	cgroup_system_done(&sys);
}

static void test_hybrid(void **state)
{
	struct cgroup_system sys =
	    parsed("32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
		   "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
		   "1:cpu:/\n0::/\n");

	assert_int_equal(sys.layout, CGROUP_HYBRID);
	assert_int_equal(sys.n, 2);
	assert_string_equal(find(&sys, NULL)->mount_point, "/sys/fs/cgroup/unified");
	cgroup_system_done(&sys);
}

static void test_a_hierarchy_that_goes_is_not_cgroup2(void **state)
{
	struct cgroup_system sys =
	    parsed("32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
		   "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
		   "5772::/\n1:cpu:/\n0::/own\n");

	assert_int_equal(sys.layout, CGROUP_HYBRID);
	assert_int_equal(sys.n, 2);
	assert_string_equal(find(&sys, NULL)->own_path, "/own");
	cgroup_system_done(&sys);
}

static void test_v2_beside_a_named_hierarchy(void **state)
{
	struct cgroup_system sys =
	    parsed("30 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
		   "31 30 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n",
		   "1:name=systemd:/\n0::/x\n");

	assert_int_equal(sys.layout, CGROUP_V2);
	cgroup_system_done(&sys);
}

static void test_nested_sees_a_subtree(void **state)
{
	struct cgroup_system sys = parsed(
	    "712 711 0:33 /docker/1f2e /sys/fs/cgroup/pids ro,nosuid master:16 - cgroup cgroup "
	    "rw,pids\n",
	    "8:pids:/docker/1f2e/inner\n");

	assert_string_equal(sys.h[0].mount_root, "/docker/1f2e");
	assert_string_equal(sys.h[0].own_path, "/docker/1f2e/inner");
	cgroup_system_done(&sys);
}

static void test_each_hierarchy_once(void **state)
{
	struct cgroup_system sys =
	    parsed("50 1 0:29 / /chroot/sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
		   "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
		   "51 1 0:29 /x /other rw - cgroup cgroup rw,cpu\n"
		   "52 32 0:29 /y /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n",
		   "1:cpu:/\n");

	assert_int_equal(sys.n, 1);
	assert_string_equal(sys.h[0].mount_point, "/sys/fs/cgroup/cpu");
	assert_string_equal(sys.h[0].mount_root, "/y"); /* mounted over the first one */
	cgroup_system_done(&sys);
}

static void test_escapes_and_foreign_lines(void **state)
{
	struct cgroup_system sys =
	    parsed("complete nonsense of another filesystem\n"
		   "32 31 0:29 / /mnt/my\\040groups rw shared:1 master:2 - cgroup cgroup rw,cpu",
		   "1:cpu:/");

	assert_int_equal(sys.n, 1);
	assert_string_equal(sys.h[0].mount_point, "/mnt/my groups");
	cgroup_system_done(&sys);
}

static void test_none(void **state)
{
	struct cgroup_system sys = parsed("22 1 0:20 / /sys rw - sysfs sysfs rw\n", "0::/\n");

	assert_int_equal(sys.layout, CGROUP_NONE);
	assert_int_equal(sys.n, 0);
	cgroup_system_done(&sys);
	sys = parsed("", "");
	assert_int_equal(sys.layout, CGROUP_NONE);
	cgroup_system_done(&sys);
}

static void test_malformed(void **state)
{
	static const char *const bad[] = { "nonsense\n", "1:cpu\n", ":cpu:/\n", "x:cpu:/\n",
					   "1:cpu:relative\n" };
	struct cgroup_system sys;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_true(parse("", bad[i], &sys, &err) < 0);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_int_equal(sys.n, 0);
	}
	char self[] = "1:cpu\0:/\n";
	assert_true(cgroup_system_parse("", 0, self, sizeof(self) - 1, &sys, &err) < 0);
	assert_true(parse("x - cgroup cgroup rw,cpu\n", "1:cpu:/\n", &sys, &err) < 0);
	assert_int_equal(sys.n, 0);
}

static void test_too_many_hierarchies(void **state)
{
	struct cgroup_system sys;
	struct err err = ERR_INIT;
	char self[1024] = "";
	size_t len = 0;

	for (int i = 0; i <= CGROUP_HIERARCHIES_MAX; i++)
		len += (size_t)snprintf(self + len, sizeof(self) - len, "%d:name=n%d:/\n", i, i);
	assert_true(parse("", self, &sys, &err) < 0);
	assert_int_equal(err.kind, ERR_LIMIT);
}

static void test_this_machine(void **state)
{
	struct cgroup_system sys;
	struct err err = ERR_INIT;

	assert_int_equal(cgroup_system_read(&sys, &err), 0);
	for (size_t i = 0; i < sys.n; i++)
		assert_int_equal(sys.h[i].mount_point[0], '/');
	cgroup_system_done(&sys);
}

/* Whoever is at the root, or there already, has nothing to leave. */
static void test_where_this_process_is(void **state)
{
	static const char end[] = "/inro/monitors";
	static const struct {
		const char *text;
		bool v1, v2;
	} cases[] = {
		{ "0::/\n", true, true },
		{ "0::/user.slice/session-1.scope\n", true, false },
		{ "0::/user.slice/inro/monitors\n", true, true },
		{ "0::/inro/monitors/below\n", true, false },
		{ "4:memory:/\n1:name=systemd:/\n0::/\n", true, true },
		{ "4:memory:/a\n1:name=systemd:/\n0::/\n", false, true },
		{ "4:memory:/inro/monitors\n1:name=systemd:/b:c\n0::/", false, true },
		{ "10:memory:/inro/monitors\n1:name=systemd:/\n0::/../x", true, false },
		{ "nonsense\n\n:\n", true, true },
		{ "", true, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(cgroup_text_is_in(cases[i].text, false, end), cases[i].v1);
		assert_int_equal(cgroup_text_is_in(cases[i].text, true, end), cases[i].v2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v2),
		cmocka_unit_test(test_v1_comounted),
		cmocka_unit_test(test_hybrid),
		cmocka_unit_test(test_a_hierarchy_that_goes_is_not_cgroup2),
		cmocka_unit_test(test_v2_beside_a_named_hierarchy),
		cmocka_unit_test(test_nested_sees_a_subtree),
		cmocka_unit_test(test_each_hierarchy_once),
		cmocka_unit_test(test_escapes_and_foreign_lines),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_too_many_hierarchies),
		cmocka_unit_test(test_this_machine),
		cmocka_unit_test(test_where_this_process_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

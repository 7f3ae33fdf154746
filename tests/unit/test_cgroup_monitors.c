/* SPDX-License-Identifier: Apache-2.0 */
/* Where containers' cgroups are when a monitor makes them that has left its caller's cgroup. */
#include "unit.h"

#include "runtime/cgroup.h"

static void check(bool v2, const char *own, const char *rel, const char *want)
{
	struct cgroup_hierarchy h = {
		.mount_point = (char *)(uintptr_t) "/cg",
		.mount_root = (char *)(uintptr_t) "/",
		.own_path = (char *)(uintptr_t)own,
		.v2 = v2,
	};
	char *path = cgroup_path_in(&h, rel);

	assert_string_equal(path, want);
	free(path);
}

static void test_containers_are_where_they_were(void **state)
{
	(void)state;
	check(true, "/user/session", "inro/a", "/cg/user/inro/a");
	check(true, "/user/inro/monitors", "inro/a", "/cg/user/inro/a");
	check(true, "/inro/monitors", "inro/a", "/cg/inro/a");
	check(true, "/inro/monitors", "inro/monitors", "/cg/inro/monitors");
	check(true, "/inro/monitors", "/inro/a", "/cg/inro/a");
	check(true, "/session", "inro/a", "/cg/inro/a");
	check(false, "/user/session", "inro/a", "/cg/user/session/inro/a");
	check(false, "/user/session/inro/monitors", "inro/a", "/cg/user/session/inro/a");
	check(false, "/", "inro/a", "/cg/inro/a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_containers_are_where_they_were),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* When the container's cgroup is given to its user, and which files of it. */
#include "unit.h"

#include "base/str.h"
#include "base/strv.h"
#include "runtime/cgroup_priv.h"

static bool given(const char *namespaces, const char *mounts)
{
	cleanup_free char *json =
	    xasprintf("{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"},"
		      "\"process\":{\"cwd\":\"/\",\"args\":[\"x\"],\"user\":{\"uid\":0,\"gid\":0}},"
		      "\"mounts\":[%s],\"linux\":{\"namespaces\":[%s]}}",
		      mounts, namespaces);
	struct err err = ERR_INIT;
	struct spec spec = { 0 };

	if (spec_parse(json, strlen(json), &spec, &err) < 0)
		fail_msg("%s", err.msg);
	bool r = cgroup_is_given(&spec);
	spec_free(&spec);
	return r;
}

#define NS "{\"type\":\"cgroup\"}"
#define MOUNT(o)                                                                                   \
	"{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\"" o "}"
#define OPTS(o) ",\"options\":[" o "]"

static void test_when(void **state)
{
	assert_true(given(NS, MOUNT("")));
	assert_true(given(NS, MOUNT(OPTS("\"nosuid\",\"rw\""))));
	assert_true(given(NS, "{\"destination\":\"/sys/fs/./cgroup/\",\"source\":\"cgroup\"}"));
	assert_false(given(NS, MOUNT(OPTS("\"nosuid\",\"ro\""))));
	assert_false(given(NS, ""));
	assert_false(
	    given(NS, "{\"destination\":\"/cg\",\"type\":\"cgroup\",\"source\":\"cgroup\"}"));
	assert_false(given(NS, "{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\","
			       "\"source\":\"other\"}"));
	assert_false(given("", MOUNT("")));
	assert_false(given("{\"type\":\"cgroup\",\"path\":\"/proc/1/ns/cgroup\"}", MOUNT("")));
}

static void test_files(void **state)
{
	cleanup_strv char **known = cgroup_delegate_files(NULL);
	cleanup_strv char **listed = cgroup_delegate_files(
	    "cgroup.procs\nmemory.oom.group\n\n.\n..\n../x.y\n.hidden.x\nplain\n");

	assert_int_equal(strv_len(known), 3);
	assert_true(strv_has(known, "cgroup.subtree_control"));
	assert_int_equal(strv_len(listed), 2);
	assert_string_equal(listed[1], "memory.oom.group");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_when),
					    cmocka_unit_test(test_files) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

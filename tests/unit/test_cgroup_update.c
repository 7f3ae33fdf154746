/* SPDX-License-Identifier: Apache-2.0 */
/* New limits for a cgroup in use, on trees of plain files. */
#include "cgroup_tree.h"

static int update(struct tree *t, const char *json, struct err *err)
{
	struct spec_resources res = parse(json);

	*err = (struct err)ERR_INIT;
	int r = cgroup_update(&t->cg, &res, err);
	json_free(&spec_resources_desc, &res);
	return r;
}

static void test_cpu_max(void **state)
{
	int64_t quota = 5;
	uint64_t period = 5;

	assert_int_equal(cgroup_cpu_max_parse("max 100000", &quota, &period), 0);
	assert_true(quota == -1 && period == 100000);
	assert_int_equal(cgroup_cpu_max_parse("50000 200000", &quota, &period), 0);
	assert_true(quota == 50000 && period == 200000);
	static const char *const bad[] = { "",      "max",     "max ", "50000 ", " 100000",
					   "-1 10", "10 x 10", "x 10", "1 2 3" };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cgroup_cpu_max_parse(bad[i], &quota, &period), -EINVAL);
	assert_true(quota == 50000 && period == 200000);
}

static void test_undo_text(void **state)
{
	static const struct {
		const char *file, *old, *text, *undo;
	} cases[] = {
		{ "pids.max", "max", "7", "max" },
		{ "cpu.max", "max 100000", "5000 10000", "max 100000" },
		{ "cpuset.cpus", "", "0-1", "\n" },
		{ "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3", "1", "0" },
		{ "io.max", "8:0 rbps=1 wbps=max riops=max wiops=max", "8:0 rbps=9",
		  "8:0 rbps=1 wbps=max riops=max wiops=max" },
		{ "io.max", "8:10 rbps=1 wbps=2 riops=3 wiops=4", "8:1 rbps=9",
		  "8:1 rbps=max wbps=max riops=max wiops=max" },
		{ "io.weight", "default 100\n8:0 50", "8:0 70", "8:0 50" },
		{ "io.weight", "default 100\n8:0 50", "8:16 70", "8:16 default" },
		{ "io.weight", "default 100\n8:0 50", "200", "default 100" },
		{ "rdma.max", "a hca_handle=1 hca_object=2\nb hca_handle=max hca_object=max",
		  "b hca_handle=7", "b hca_handle=max hca_object=max" },
		{ "rdma.max", "a hca_handle=1 hca_object=2", "c hca_handle=7", NULL },
		{ "net_prio.ifpriomap", "lo 0\neth0 4", "eth0 5", "eth0 4" },
		{ "blkio.throttle.read_bps_device", "8:0 77", "8:0 9", "8:0 77" },
		{ "blkio.throttle.read_bps_device", "", "8:0 9", "8:0 0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *undo =
		    cgroup_undo_text(cases[i].file, cases[i].old, cases[i].text);
		if (!str_eq(undo, cases[i].undo))
			fail_msg("%s \"%s\": \"%s\"", cases[i].file, cases[i].text,
				 undo ? undo : "NULL");
	}
}

static void test_v2_halves(void **state)
{
	static const struct {
		const char *file, *before, *json, *changed, *after;
	} cases[] = {
		{ "cpu.max", "40000 200000", "{\"cpu\":{\"quota\":50000}}", "cpu.max",
		  "50000 200000" },
		{ "cpu.max", "40000 200000", "{\"cpu\":{\"period\":100000}}", "cpu.max",
		  "40000 100000" },
		{ "cpu.max", "max 200000", "{\"cpu\":{\"period\":100000}}", "cpu.max",
		  "max 100000" },
		{ "cpu.max", "max 100000", "{\"cpu\":{\"shares\":1024}}", "cpu.max", "max 100000" },
		{ "memory.max", "100", "{\"memory\":{\"swap\":150}}", "memory.swap.max", "50" },
		{ "memory.max", "100", "{\"memory\":{\"swap\":150}}", "memory.max", "100" },
		{ "memory.max", "100", "{\"memory\":{\"swap\":-1}}", "memory.swap.max", "max" },
		{ "io.weight", "8:0 5",
		  "{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":0}]}}",
		  "io.weight", "8:0 default" },
		{ "io.max", "8:0 rbps=5",
		  "{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":0}]}"
		  "}",
		  "io.max", "8:0 rbps=max" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tree t;
		struct err err = ERR_INIT;
		v2_tree(&t, V2_CONTROLLERS);
		tree_file(&t, "cg/inro/box", cases[i].file, cases[i].before);
		assert_ok(update(&t, cases[i].json, &err));
		cleanup_free char *path = path_join("cg/inro/box", cases[i].changed);
		if (!str_eq(tree_read(&t, path), cases[i].after))
			fail_msg("%s: %s holds \"%s\"", cases[i].json, cases[i].changed,
				 tree_read(&t, path));
		tree_free(&t);
	}
	struct tree t;
	struct err err = ERR_INIT;
	v2_tree(&t, V2_CONTROLLERS);
	tree_file(&t, "cg/inro/box", "memory.max", "max");
	assert_true(update(&t, "{\"memory\":{\"swap\":150}}", &err) < 0);
	assert_non_null(strstr(err.msg, "memory.swap"));
	tree_free(&t);
}

static void test_v2_all_or_nothing(void **state)
{
	struct tree t;
	struct err err = ERR_INIT;

	v2_tree(&t, V2_CONTROLLERS);
	tree_file(&t, "cg/inro/box", "memory.max", "111");
	tree_file(&t, "cg/inro/box", "memory.high", "222");
	tree_file(&t, "cg/inro/box", "io.max", "8:0 rbps=1");
	assert_true(update(&t,
			   "{\"memory\":{\"limit\":333},\"unified\":{\"memory.high\":\"444\","
			   "\"io.max\":\"8:0 rbps=2\",\"memory.none\":\"1\"}}",
			   &err) < 0);
	assert_non_null(strstr(err.msg, "memory.none"));
	assert_string_equal(tree_read(&t, "cg/inro/box/memory.max"), "111");
	assert_string_equal(tree_read(&t, "cg/inro/box/memory.high"), "222");
	assert_string_equal(tree_read(&t, "cg/inro/box/io.max"), "8:0 rbps=1");
	assert_null(t.cg.journal);
	tree_free(&t);
}

/* Devices of a document for update are no rules: the files stay as they are. */
static void test_devices_stay(void **state)
{
	static const char *const devices[] = { "devices", NULL };
	struct tree t;
	struct err err = ERR_INIT;

	tree_new(&t);
	t.sys.layout = CGROUP_V1;
	tree_hierarchy(&t, "devices", devices);
	tree_file(&t, "devices/box", "devices.deny", "");
	tree_file(&t, "devices/box", "devices.allow", "");
	assert_ok(create_on(&t.sys, "/box", "id", false, &t.cg, &err));
	assert_ok(update(&t, "{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}", &err));
	assert_string_equal(tree_read(&t, "devices/box/devices.deny"), "");
	apply_ok(&t, "{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}");
	assert_string_equal(tree_read(&t, "devices/box/devices.deny"), "a");
	tree_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpu_max),      cmocka_unit_test(test_undo_text),
		cmocka_unit_test(test_v2_halves),    cmocka_unit_test(test_v2_all_or_nothing),
		cmocka_unit_test(test_devices_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

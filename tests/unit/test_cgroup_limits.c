/* SPDX-License-Identifier: Apache-2.0 */
/* Limits from config.json to files, on trees of plain files that look like cgroupfs, and the
 * conversions from v1's values to v2's. tests/cli has the kernel's own cgroups. */
#include "unit.h"

#include <math.h>

#include "cgroup_tree.h"

/* --- conversions --- */

static void test_weight_of_shares(void **state)
{
	assert_int_equal(cgroup_weight_of_shares(0), 0);
	assert_int_equal(cgroup_weight_of_shares(2), 1);
	assert_int_equal(cgroup_weight_of_shares(1024), 100);
	assert_int_equal(cgroup_weight_of_shares(262144), 10000);
	assert_int_equal(cgroup_weight_of_shares(UINT64_MAX), 10000);
	for (uint64_t shares = 3; shares < 262144; shares++) {
		double l = log2((double)shares);
		double weight = ceil(pow(10, (l * l + 125 * l) / 612 - 7.0 / 34) - 1e-9);
		assert_int_equal(cgroup_weight_of_shares(shares), (uint64_t)weight);
	}
}

static void test_io_weight(void **state)
{
	assert_int_equal(cgroup_io_weight(0), 0);
	assert_int_equal(cgroup_io_weight(10), 1);
	assert_int_equal(cgroup_io_weight(500), 4950);
	assert_int_equal(cgroup_io_weight(1000), 10000);
}

static void test_swap_max(void **state)
{
	static const struct {
		int64_t memory, swap;
		int r;
		int64_t max;
	} cases[] = {
		{ 0, 0, 0, 0 },      { 100, 0, 0, 0 },      { -1, 0, 1, -1 },
		{ 100, 150, 1, 50 }, { 100, 100, 1, 0 },    { 100, -1, 1, -1 },
		{ -1, 70, 1, 70 },   { 0, 70, -EINVAL, 0 }, { 100, 99, -EINVAL, 0 },
		{ 0, -1, 1, -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t max = 0;
		assert_int_equal(cgroup_swap_max(cases[i].memory, cases[i].swap, &max), cases[i].r);
		assert_int_equal(max, cases[i].max);
	}
}

/* --- trees --- */

static void apply_fails(struct tree *t, const char *json, const char *message)
{
	struct err err;

	if (apply(t, json, &err) == 0)
		fail_msg("%s: no error", json);
	if (!strstr(err.msg, message))
		fail_msg("%s: \"%s\" does not say \"%s\"", json, err.msg, message);
}

static void test_v2_files(void **state)
{
	static const struct {
		const char *json, *file, *content;
	} cases[] = {
		{ "{\"memory\":{\"limit\":1048576}}", "memory.max", "1048576" },
		{ "{\"memory\":{\"limit\":100,\"swap\":150}}", "memory.swap.max", "50" },
		{ "{\"memory\":{\"limit\":100,\"swap\":100}}", "memory.swap.max", "0" },
		{ "{\"memory\":{\"limit\":-1}}", "memory.max", "max" },
		{ "{\"memory\":{\"limit\":-1}}", "memory.swap.max", "max" },
		{ "{\"memory\":{\"reservation\":4096}}", "memory.low", "4096" },
		{ "{\"memory\":{\"limit\":0,\"swap\":0}}", "memory.max", "" },
		{ "{\"cpu\":{\"shares\":1024}}", "cpu.weight", "100" },
		{ "{\"cpu\":{\"quota\":50000,\"period\":200000}}", "cpu.max", "50000 200000" },
		{ "{\"cpu\":{\"quota\":50000}}", "cpu.max", "50000 100000" },
		{ "{\"cpu\":{\"quota\":-1}}", "cpu.max", "max 100000" },
		{ "{\"cpu\":{\"period\":5000}}", "cpu.max", "max 5000" },
		{ "{\"cpu\":{\"quota\":50000,\"burst\":7}}", "cpu.max.burst", "7" },
		{ "{\"cpu\":{\"idle\":1}}", "cpu.idle", "1" },
		{ "{\"cpu\":{\"cpus\":\"0-1\"}}", "cpuset.cpus", "0-1" },
		{ "{\"cpu\":{\"mems\":\"0\"}}", "cpuset.mems", "0" },
		{ "{\"pids\":{\"limit\":7}}", "pids.max", "7" },
		{ "{\"pids\":{\"limit\":-1}}", "pids.max", "max" },
		{ "{\"pids\":{\"limit\":0}}", "pids.max", "1" },
		{ "{\"pids\":{}}", "pids.max", "" },
		{ "{\"blockIO\":{\"weight\":500}}", "io.weight", "4950" },
		{ "{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":10}]}}",
		  "io.weight", "8:0 1" },
		{ "{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":1,\"rate\":9}]}"
		  "}",
		  "io.max", "8:1 rbps=9" },
		{ "{\"blockIO\":{\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":1,\"rate\":0}]"
		  "}"
		  "}",
		  "io.max", "" },
		{ "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":2097152}]}",
		  "hugetlb.2MB.max", "2097152" },
		{ "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":2097152}]}",
		  "hugetlb.2MB.rsvd.max", "2097152" },
		{ "{\"rdma\":{\"mlx\":{\"hcaHandles\":3,\"hcaObjects\":9}}}", "rdma.max",
		  "mlx hca_handle=3 hca_object=9" },
		{ "{\"unified\":{\"memory.high\":\"123\"}}", "memory.high", "123" },
		{ "{\"memory\":{\"limit\":5},\"unified\":{\"memory.max\":\"6\"}}", "memory.max",
		  "6" },
		{ "{}", "memory.max", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tree t;
		v2_tree(&t, V2_CONTROLLERS);
		apply_ok(&t, cases[i].json);
		cleanup_free char *path = path_join("cg/inro/box", cases[i].file);
		if (!str_eq(tree_read(&t, path), cases[i].content))
			fail_msg("%s: %s holds \"%s\"", cases[i].json, cases[i].file,
				 tree_read(&t, path));
		tree_free(&t);
	}
}

static void test_v2_refuses(void **state)
{
	static const struct {
		const char *json, *message;
	} cases[] = {
		{ "{\"memory\":{\"swap\":100}}", "memory.swap" },
		{ "{\"memory\":{\"swappiness\":10}}",
		  "setting memory.swappiness: cgroup v2 has no" },
		{ "{\"memory\":{\"disableOOMKiller\":true}}", "memory.disableOOMKiller" },
		{ "{\"cpu\":{\"realtimeRuntime\":1000}}", "cpu.realtimeRuntime" },
		{ "{\"blockIO\":{\"leafWeight\":20}}", "blockIO.leafWeight" },
		{ "{\"network\":{\"classID\":1}}", "network.classID" },
		{ "{\"network\":{\"priorities\":[{\"name\":\"eth0\",\"priority\":1}]}}",
		  "network.priorities" },
		{ "{\"unified\":{\"memory.nonsense\":\"1\"}}", "memory.nonsense" },
		{ "{\"unified\":{\"misc.max\":\"1\"}}", "no controller misc" },
		{ "{\"hugepageLimits\":[{\"pageSize\":\"1GB\",\"limit\":0}]}", "hugetlb.1GB.max" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tree t;
		v2_tree(&t, V2_CONTROLLERS);
		apply_fails(&t, cases[i].json, cases[i].message);
		tree_free(&t);
	}
	/* what the parser of config.json would not let through */
	struct tree t;
	v2_tree(&t, V2_CONTROLLERS);
	struct json_pair pair = { (char[]){ "../memory.max" }, (char[]){ "1" } };
	struct spec_resources res = { .unified = { &pair, 1 } };
	struct err err = ERR_INIT;
	assert_true(cgroup_apply(&t.cg, &res, &err) < 0);
	assert_int_equal(err.kind, ERR_INVALID);
	tree_free(&t);
}

static void test_v2_swap_off_without_swap_accounting(void **state)
{
	struct tree t;

	v2_tree(&t, V2_CONTROLLERS);
	assert_int_equal(unlinkat(t.fd, "cg/inro/box/memory.swap.max", 0), 0);
	apply_ok(&t, "{\"memory\":{\"limit\":100,\"swap\":100}}");
	apply_ok(&t, "{\"memory\":{\"limit\":100,\"swap\":-1}}");
	apply_fails(&t, "{\"memory\":{\"limit\":100,\"swap\":101}}", "memory.swap.max");
	tree_free(&t);
}

static void test_v2_check_before_update(void **state)
{
	struct tree t;

	v2_tree(&t, V2_CONTROLLERS);
	tree_file(&t, "cg/inro/box", "memory.current", "5000\n");
	apply_fails(&t, "{\"memory\":{\"limit\":4999,\"checkBeforeUpdate\":true}}", "5000 bytes");
	apply_ok(&t, "{\"memory\":{\"limit\":5000,\"checkBeforeUpdate\":true}}");
	tree_free(&t);
}

static void test_v2_enables_controllers_from_the_top(void **state)
{
	struct tree t;

	v2_tree(&t, "\n");
	static const char all[] = "+cpuset +cpu +io +memory +hugetlb +pids +rdma";
	assert_string_equal(tree_read(&t, "cg/cgroup.subtree_control"), all);
	assert_string_equal(tree_read(&t, "cg/inro/cgroup.subtree_control"), all);
	tree_free(&t);

	v2_tree(&t, V2_CONTROLLERS); /* nothing missing, nothing written */
	assert_string_equal(tree_read(&t, "cg/cgroup.subtree_control"), "");
	tree_free(&t);
}

static void test_v2_missing_controller_is_explained(void **state)
{
	struct tree t;

	v2_tree(&t, "cpu pids\n");
	apply_fails(&t, "{\"memory\":{\"limit\":4096}}", "no controller memory");
	tree_file(&t, "cg/inro", "cgroup.subtree_control", "cpu pids\n");
	tree_file(&t, "cg", "cgroup.subtree_control", "cpu pids\n");
	apply_fails(&t, "{\"unified\":{\"io.max\":\"x\"}}", "controller io");
	tree_free(&t);
}

/* The one cgroup that there is has no such controller: not the same as no cgroup. */
static void test_v2_missing_controller_of_a_user(void **state)
{
	struct tree t;

	v2_tree(&t, "pids\n");
	t.cg.lenient = true;
	apply_fails(&t, "{\"memory\":{\"limit\":4096}}", "no controller memory");
	tree_free(&t);

	v2_tree(&t, V2_CONTROLLERS);
	cgroup_done(&t.cg);
	t.cg = (struct cgroup){ .layout = CGROUP_V2, .rootless = true, .lenient = true };
	apply_ok(&t, "{\"memory\":{\"limit\":4096},\"network\":{\"priorities\":[{\"name\":\"eth0\","
		     "\"priority\":1}]},\"unified\":{\"memory.high\":\"1\"}}");
	cleanup_free char *names = strv_join(t.cg.left_out, " ");
	assert_string_equal(names, "memory.limit network.priorities memory.high");
	tree_free(&t);
}

static void test_v2_in_use_is_refused(void **state)
{
	struct tree t;
	struct err err = ERR_INIT;

	v2_tree(&t, V2_CONTROLLERS);
	cgroup_done(&t.cg);
	tree_file(&t, "cg/inro/box/child", "cgroup.procs", "77\n");
	assert_true(create_on(&t.sys, "/inro/box", "id", false, &t.cg, &err) < 0);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "77"));

	assert_int_equal(unlinkat(t.fd, "cg/inro/box/child/cgroup.procs", 0), 0);
	tree_file(&t, "cg/inro/box", "cgroup.events", "populated 0\nfrozen 1\n");
	assert_true(create_on(&t.sys, "/inro/box", "id", false, &t.cg, &err) < 0);
	assert_non_null(strstr(err.msg, "frozen"));
	tree_free(&t);
}

static void test_paths(void **state)
{
	static const struct {
		const char *wanted, *v1, *v2;
		bool rootless;
	} cases[] = {
		{ NULL, "/inro/id", "/inro/id", false },
		{ NULL, "/user/session/inro/id", "/user/inro/id", true },
		{ "/a/b", "/a/b", "/a/b", false },
		{ "//a/../../b/./c", "/b/c", "/b/c", false },
		{ "a/b", "/user/session/a/b", "/user/a/b", false },
		{ "../../a", "/user/session/a", "/user/a", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tree t;
		tree_new(&t);
		static const char *const cpu[] = { "cpu", NULL };
		tree_hierarchy(&t, "cpu", cpu);
		tree_hierarchy(&t, "unified", NULL);
		t.sys.layout = CGROUP_HYBRID;
		cleanup_free char *v1 = path_join(t.sys.h[0].mount_point, cases[i].v1);
		cleanup_free char *v2 = path_join(t.sys.h[1].mount_point, cases[i].v2);
		struct err err = ERR_INIT;
		close(path_mkdirs(v1, 0755, &err));
		close(path_mkdirs(v2, 0755, &err));
		assert_int_equal(
		    create_on(&t.sys, cases[i].wanted, "id", cases[i].rootless, &t.cg, &err), 0);
		assert_int_equal(t.cg.n, 2);
		assert_string_equal(t.cg.dirs[0].path, v2);
		assert_string_equal(t.cg.dirs[1].path, v1);
		tree_free(&t);
	}
}

static void test_bad_paths(void **state)
{
	static const struct {
		const char *path;
		enum err_kind kind;
	} cases[] = {
		{ "/", ERR_INVALID },
		{ "..", ERR_INVALID },
		{ "system.slice:docker:1f2e", ERR_UNSUPPORTED },
		{ ":inro:1", ERR_UNSUPPORTED },
	};
	struct cgroup_system sys = { .layout = CGROUP_NONE };
	struct cgroup cg;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(create_on(&sys, cases[i].path, "id", false, &cg, &err) < 0);
		assert_int_equal(err.kind, cases[i].kind);
		assert_non_null(strstr(err.msg, cases[i].path));
	}
}

/* Inside a container whose mounts show a part of the hierarchy. */
static void test_nested_paths(void **state)
{
	struct tree t;
	struct err err = ERR_INIT;

	tree_new(&t);
	static const char *const pids[] = { "pids", NULL };
	tree_hierarchy(&t, "pids", pids);
	t.sys.layout = CGROUP_V1;
	struct cgroup_hierarchy *h = &t.sys.h[0];
	static const char *const cases[][3] = {
		{ "/docker/1f2e", "/docker/1f2e/me", "/me/box" },
		{ "/docker/1f2e", "/docker/1f2e", "/box" },
		{ "/docker/1f2e", "/docker/1f2e0/me", "/box" }, /* not below it */
		{ "/..", "/", "/box" },
		{ "/", "/../other", "/box" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		free(h->mount_root);
		free(h->own_path);
		h->mount_root = xstrdup(cases[i][0]);
		h->own_path = xstrdup(cases[i][1]);
		cleanup_free char *path = path_join(h->mount_point, cases[i][2]);
		close(path_mkdirs(path, 0755, &err));
		assert_int_equal(create_on(&t.sys, "box", "id", false, &t.cg, &err), 0);
		assert_string_equal(t.cg.dirs[0].path, path);
		cgroup_done(&t.cg);
	}
	tree_free(&t);
}

static void test_no_cgroups_at_all(void **state)
{
	struct tree t = { .sys = { .layout = CGROUP_NONE } };
	struct err err = ERR_INIT;

	assert_int_equal(create_on(&t.sys, NULL, "id", true, &t.cg, &err), 0);
	assert_int_equal(t.cg.n, 0);
	assert_int_equal(cgroup_clone_fd(&t.cg), -EBADF);
	apply_ok(&t, "{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}");
	apply_fails(&t, "{\"memory\":{\"limit\":4096}}", "setting memory.limit: no permission");
	assert_true(apply(&t, "{\"pids\":{\"limit\":4}}", &err) < 0);
	assert_string_equal(err.hint, "delegate the controller pids to this user, or run as root");
	/* an unprivileged user's container runs without them, and they are named */
	t.cg.lenient = true;
	apply_ok(&t, "{\"memory\":{\"limit\":4096},\"pids\":{\"limit\":4},\"blockIO\":{\"weight\":9"
		     "9},\"unified\":{\"memory.high\":\"1\"}}");
	cleanup_free char *names = strv_join(t.cg.left_out, " ");
	assert_string_equal(names, "memory.high memory.limit pids.limit blockIO.weight");
	apply_fails(&t, "{\"cpu\":{\"shares\":1}}", "expected 2 to 262144");
	assert_int_equal(cgroup_kill(&t.cg, 9, &err), 0);
	assert_int_equal(cgroup_delete(&t.cg, &err), 0);
	cgroup_done(&t.cg);

	assert_int_equal(create_on(&t.sys, NULL, "id", false, &t.cg, &err), 0);
	apply_fails(&t, "{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}", "devices");
	apply_ok(&t, "{\"devices\":[{\"allow\":true,\"access\":\"rwm\"}]}");
	apply_fails(&t, "{\"cpu\":{\"shares\":100}}", "controller cpu is not available");
	cgroup_done(&t.cg);
}

/* What the machine of the tests has not: weights, hugetlb, net_cls, net_prio, rdma. */
static void test_v1_files(void **state)
{
	static const char *const names[] = { "blkio", "hugetlb", "net_cls,net_prio", "rdma" };
	static const char *const sets[][3] = {
		{ "blkio" }, { "hugetlb" }, { "net_cls", "net_prio" }, { "rdma" }
	};
	static const struct {
		const char *json, *file, *content;
	} cases[] = {
		{ "{\"blockIO\":{\"weight\":500}}", "blkio/box/blkio.bfq.weight", "500" },
		{ "{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":10}]}}",
		  "blkio/box/blkio.bfq.weight_device", "8:0 10" },
		{ "{\"blockIO\":{\"throttleReadIOPSDevice\":[{\"major\":8,\"minor\":1,\"rate\":9}]}"
		  "}",
		  "blkio/box/blkio.throttle.read_iops_device", "8:1 9" },
		{ "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4}]}",
		  "hugetlb/box/hugetlb.2MB.limit_in_bytes", "4" },
		{ "{\"network\":{\"classID\":1048577}}", "net_cls,net_prio/box/net_cls.classid",
		  "1048577" },
		{ "{\"network\":{\"priorities\":[{\"name\":\"eth0\",\"priority\":5}]}}",
		  "net_cls,net_prio/box/net_prio.ifpriomap", "eth0 5" },
		{ "{\"rdma\":{\"mlx\":{\"hcaHandles\":3}}}", "rdma/box/rdma.max",
		  "mlx hca_handle=3" },
	};
	struct tree t;
	struct err err = ERR_INIT;

	tree_new(&t);
	t.sys.layout = CGROUP_V1;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		tree_hierarchy(&t, names[i], sets[i]);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *dir = xstrdup(cases[i].file);
		char *name = strrchr(dir, '/');
		*name++ = '\0';
		tree_file(&t, dir, name, "");
	}
	assert_int_equal(create_on(&t.sys, "/box", "id", true, &t.cg, &err), 0);
	assert_int_equal(t.cg.n, 4);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		apply_ok(&t, cases[i].json);
		assert_string_equal(tree_read(&t, cases[i].file), cases[i].content);
	}
	apply_fails(&t, "{\"unified\":{\"memory.max\":\"1\"}}", "unified is for cgroup v2");
	apply_fails(&t, "{\"blockIO\":{\"leafWeight\":20}}", "blkio.leaf_weight");
	apply_fails(&t, "{\"memory\":{\"limit\":20}}", "controller memory");
	unlinkat(t.fd, "blkio/box/blkio.bfq.weight", 0);
	apply_fails(&t, "{\"blockIO\":{\"weight\":20}}", "no blkio.weight or blkio.bfq.weight");
	tree_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weight_of_shares),
		cmocka_unit_test(test_io_weight),
		cmocka_unit_test(test_swap_max),
		cmocka_unit_test(test_v2_files),
		cmocka_unit_test(test_v2_refuses),
		cmocka_unit_test(test_v2_swap_off_without_swap_accounting),
		cmocka_unit_test(test_v2_check_before_update),
		cmocka_unit_test(test_v2_enables_controllers_from_the_top),
		cmocka_unit_test(test_v2_missing_controller_is_explained),
		cmocka_unit_test(test_v2_missing_controller_of_a_user),
		cmocka_unit_test(test_v2_in_use_is_refused),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_bad_paths),
		cmocka_unit_test(test_nested_paths),
		cmocka_unit_test(test_no_cgroups_at_all),
		cmocka_unit_test(test_v1_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

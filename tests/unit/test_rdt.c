/* SPDX-License-Identifier: Apache-2.0 */
/* Against a directory that looks like resctrl: what the kernel would make, the test makes. */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/path.h"
#include "runtime/rdt.h"

static char root[] = "/tmp/rdtXXXXXX";
static char schema_l3[] = "L3:0=7f0;1=1f", schema_mb[] = "MB:0=20;1=70", schema_l2[] = "L2:0=f";
static char class_name[] = "gold", default_class[] = "/";

static void put(const char *dir, const char *name, const char *text)
{
	char *path = path_join(dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(io_write(fd, text, strlen(text)), 0);
	close(fd);
	free(path);
}

static void assert_file(const char *dir, const char *name, const char *text)
{
	struct buf b = BUF_INIT;
	char *path = path_join(dir, name);
	struct err err = ERR_INIT;

	assert_ok(io_read_file(AT_FDCWD, path, &b, 4096, &err));
	assert_string_equal(buf_str(&b), text);
	buf_done(&b);
	free(path);
}

/* What mkdir(2) in a resctrl filesystem brings along. */
static void fill_group(const char *dir)
{
	char *mons = path_join(dir, "mon_groups");

	put(dir, "schemata", "    L3:0=fff;1=fff\n    MB:0=100;1=100\n");
	put(dir, "tasks", "");
	mkdir(mons, 0755);
	free(mons);
}

static int set_up(void **state)
{
	char *info;

	if (!mkdtemp(root))
		return -1;
	fill_group(root);
	info = path_join(root, "info");
	mkdir(info, 0755);
	put(info, "last_cmd_status", "mask f7 has non-consecutive 1-bits\n");
	free(info);
	return 0;
}

static int tear_down(void **state)
{
	struct err err = ERR_INIT;
	int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = path_remove_tree(tmp, root + strlen("/tmp/"), &err);

	close(tmp);
	return r;
}

static void test_mount_point(void **state)
{
	static const char text[] =
	    "25 1 0:22 / /sys rw - sysfs sysfs rw\n"
	    "26 25 0:23 /part /mnt rw - resctrl resctrl rw\n"
	    "27 25 0:23 / /sys/fs/res\\040ctrl rw,nosuid - resctrl resctrl rw\n";
	char *found = rdt_find(text, strlen(text));

	assert_string_equal(found, "/sys/fs/res ctrl");
	free(found);
	assert_null(rdt_find(text, strlen(text) / 3));
}

static void test_matching(void **state)
{
	static const char have[] = "    MB:0=  20;1= 100\n    L3:0=007f0;1=0001F\n"
				   "L3CODE:0=3\n";
	static const struct {
		const char *wanted;
		bool same;
	} cases[] = {
		{ "L3:0=7f0;1=1f", true },
		{ "L3:1=1f", true },
		{ "L3:0=7f0;", true },
		{ "MB:0=20;1=100", true },
		{ "MB:1=100\nL3:0=7F0", true },
		{ "", true },
		{ "L3:0=7f1", false },
		{ "L3:0=7f", false },
		{ "L3:2=1f", false },
		{ "L3:0", false },
		{ "L3:0=", false },
		{ "L3COD:0=3", false },
		{ "L3CODE:0=3", true },
		{ "L2:0=f", false },
		{ "MB:0=20\nL2:0=f", false },
		{ "nonsense", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (rdt_schema_matches(have, cases[i].wanted) != cases[i].same)
			fail_msg("%s", cases[i].wanted);
}

static void test_group_of_the_container(void **state)
{
	char *lines[] = { schema_l2, NULL };
	struct spec_intel_rdt spec = {
		.l3_cache_schema = schema_l3,
		.mem_bw_schema = schema_mb,
		.schemata = lines,
		.enable_monitoring = true,
	};
	struct err err = ERR_INIT;
	struct rdt rdt;

	assert_ok(rdt_plan(&spec, "c1", root, &rdt, &err));
	assert_true(rdt.ours);
	assert_int_equal(mkdir(rdt.group, 0755), 0);
	fill_group(rdt.group);
	assert_ok(rdt_make(&rdt, &err));
	assert_int_equal(access(rdt.mon, F_OK), 0);
	assert_non_null(strstr(rdt.mon, "/c1/mon_groups/c1"));
	put(rdt.mon, "tasks", "");
	put(rdt.group, "schemata", ""); /* here a write does not replace all */
	assert_ok(rdt_configure(&rdt, &spec, &err));
	assert_file(rdt.group, "schemata", "L3:0=7f0;1=1f\nMB:0=20;1=70\nL2:0=f\n");
	assert_ok(rdt_join(&rdt, 4711, &err));
	assert_file(rdt.group, "tasks", "4711");
	assert_file(rdt.mon, "tasks", "4711");
	/* Only the kernel removes a directory with files in it; that it is tried is what counts. */
	assert_int_equal(rdt_remove(&rdt, &err), -ENOTEMPTY);
	assert_non_null(strstr(err.msg, "mon_groups/c1"));
	rdt_done(&rdt);
}

static void test_group_is_removed(void **state)
{
	struct spec_intel_rdt spec = { .mem_bw_schema = schema_mb };
	struct err err = ERR_INIT;
	struct rdt rdt;

	assert_ok(rdt_plan(&spec, "c2", root, &rdt, &err));
	assert_ok(rdt_make(&rdt, &err));
	assert_true(rdt.group_made);
	assert_ok(rdt_remove(&rdt, &err));
	assert_int_equal(access(rdt.group, F_OK), -1);
	assert_ok(rdt_remove(&rdt, &err)); /* again, as after a kill in between */
	rdt_done(&rdt);
}

/* A second container of the same class and id, which fails before and after its groups are made. */
static void test_groups_of_others_stay(void **state)
{
	static char shared[] = "shared";
	struct spec_intel_rdt spec = { .clos_id = shared,
				       .mem_bw_schema = schema_mb,
				       .enable_monitoring = true };
	struct err err = ERR_INIT;
	struct rdt first, second;
	char *dir = path_join(root, shared), *mons = path_join(dir, "mon_groups");

	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(mkdir(mons, 0755), 0);
	assert_ok(rdt_plan(&spec, "c6", root, &first, &err));
	assert_ok(rdt_make(&first, &err));
	assert_true(first.mon_made && !first.group_made);
	assert_ok(rdt_plan(&spec, "c6", root, &second, &err));
	assert_ok(rdt_undo(&second, &err));
	assert_int_equal(access(first.mon, F_OK), 0);
	assert_ok(rdt_make(&second, &err));
	assert_ok(rdt_undo(&second, &err));
	assert_int_equal(access(first.mon, F_OK), 0);
	assert_ok(rdt_undo(&first, &err));
	assert_int_equal(access(first.mon, F_OK), -1);
	assert_int_equal(access(dir, F_OK), 0);
	rdt_done(&first);
	rdt_done(&second);
	free(mons);
	free(dir);
}

static void test_existing_class(void **state)
{
	struct spec_intel_rdt spec = { .clos_id = class_name, .mem_bw_schema = schema_mb };
	struct err err = ERR_INIT;
	struct rdt rdt;
	char *dir = path_join(root, class_name);

	assert_int_equal(mkdir(dir, 0755), 0);
	fill_group(dir);
	assert_ok(rdt_plan(&spec, "c3", root, &rdt, &err));
	assert_string_equal(rdt.group, dir);
	assert_ok(rdt_make(&rdt, &err));
	assert_false(rdt.group_made);
	assert_true(rdt_configure(&rdt, &spec, &err) < 0);
	assert_non_null(strstr(err.msg, "linux.intelRdt: memBwSchema: "));
	put(dir, "schemata", "MB:0=020;1= 70\n");
	assert_ok(rdt_configure(&rdt, &spec, &err));
	/* ... and it stays. */
	assert_ok(rdt_remove(&rdt, &err));
	assert_int_equal(access(dir, F_OK), 0);
	rdt_done(&rdt);
	free(dir);
}

static void test_class_without_a_schema(void **state)
{
	struct spec_intel_rdt spec = { .clos_id = default_class };
	static char missing[] = "silver";
	struct err err = ERR_INIT;
	struct rdt rdt;

	assert_ok(rdt_plan(&spec, "c4", root, &rdt, &err));
	assert_string_equal(rdt.group, root);
	assert_false(rdt.ours);
	assert_ok(rdt_make(&rdt, &err));
	assert_ok(rdt_configure(&rdt, &spec, &err));
	assert_file(root, "schemata", "    L3:0=fff;1=fff\n    MB:0=100;1=100\n");
	assert_ok(rdt_join(&rdt, 1, &err));
	assert_file(root, "tasks", "1");
	rdt_done(&rdt);

	spec.clos_id = missing;
	assert_true(rdt_plan(&spec, "c4", root, &rdt, &err) < 0);
	assert_non_null(strstr(err.msg, "linux.intelRdt: closID: "));
	rdt_done(&rdt);
}

static void test_the_kernels_words(void **state)
{
	struct spec_intel_rdt spec = { .mem_bw_schema = schema_mb };
	struct err err = ERR_INIT;
	struct rdt rdt;

	assert_ok(rdt_plan(&spec, "c5", root, &rdt, &err));
	assert_ok(rdt_make(&rdt, &err));
	/* no schemata file there */
	assert_true(rdt_configure(&rdt, &spec, &err) < 0);
	assert_string_equal(err.hint, "resctrl says: mask f7 has non-consecutive 1-bits");
	assert_ok(rdt_undo(&rdt, &err));
	rdt_done(&rdt);
}

static void test_update_and_back(void **state)
{
	static const char before[] = "    L3:0=fff;1=fff\n    MB:0=100;1=100\n";
	const struct spec_intel_rdt spec = { .l3_cache_schema = schema_l3 };
	struct rdt none = { 0 }, rdt = { .group = path_join(root, "updated") };
	struct err err = ERR_INIT;
	char *old = NULL;

	mkdir(rdt.group, 0755);
	fill_group(rdt.group);
	put(rdt.group, "schemata", before);
	assert_ok(rdt_update(&rdt, &spec, &old, &err));
	assert_string_equal(old, before);
	assert_file(rdt.group, "schemata",
		    "L3:0=7f0;1=1f\n=fff\n    MB:0=100;1=100\n"); /* no tail cut */
	rdt_restore(&rdt, old);
	assert_file(rdt.group, "schemata", before);
	free(old);
	rdt_done(&rdt);

	old = NULL;
	assert_true(rdt_update(&none, &spec, &old, &err) < 0);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "without linux.intelRdt"));
	assert_null(old);
}

static void test_nothing_asked(void **state)
{
	struct err err = ERR_INIT;
	struct rdt rdt;

	assert_ok(rdt_plan(NULL, "c6", NULL, &rdt, &err));
	assert_ok(rdt_make(&rdt, &err));
	assert_ok(rdt_configure(&rdt, NULL, &err));
	assert_ok(rdt_join(&rdt, 1, &err));
	assert_ok(rdt_undo(&rdt, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mount_point),
		cmocka_unit_test(test_matching),
		cmocka_unit_test(test_group_of_the_container),
		cmocka_unit_test(test_group_is_removed),
		cmocka_unit_test(test_groups_of_others_stay),
		cmocka_unit_test(test_existing_class),
		cmocka_unit_test(test_class_without_a_schema),
		cmocka_unit_test(test_the_kernels_words),
		cmocka_unit_test(test_update_and_back),
		cmocka_unit_test(test_nothing_asked),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

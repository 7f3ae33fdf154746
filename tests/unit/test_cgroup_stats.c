/* SPDX-License-Identifier: Apache-2.0 */
/* Counters: the parsers of the kernel's formats, which file goes where on trees of plain files, and
 * the JSON that `events` prints. */
#include "cgroup_tree.h"

#include <sys/eventfd.h>
#include <sys/mman.h>

#include "runtime/cgroup_oom.h"
#include "runtime/cgroup_stats.h"

#define TEXT(s) (s), strlen(s)

static void test_pairs(void **state)
{
	stats_pairs pairs = { 0 };

	stats_parse_pairs(TEXT("user 12\nsystem 3\n\nodd\n 7\nneg -1\nbig 18446744073709551615\n"
			       "over 18446744073709551616\nlast 5"),
			  &pairs);
	assert_int_equal(pairs.n, 4);
	assert_int_equal(*stats_pair_find(&pairs, "user"), 12);
	assert_int_equal(*stats_pair_find(&pairs, "system"), 3);
	assert_true(*stats_pair_find(&pairs, "big") == UINT64_MAX);
	assert_int_equal(*stats_pair_find(&pairs, "last"), 5);
	assert_null(stats_pair_find(&pairs, "odd"));
	stats_pairs_done(&pairs);
	assert_int_equal(pairs.n, 0);
}

static void test_values(void **state)
{
	uint64_t v = 9;

	assert_int_equal(stats_parse_value(TEXT("max\n"), &v), 0);
	assert_true(v == STATS_NO_LIMIT);
	assert_int_equal(stats_parse_value(TEXT("0"), &v), 0);
	assert_int_equal(v, 0);
	assert_true(stats_parse_value(TEXT(""), &v) < 0);
	assert_true(stats_parse_value(TEXT("maximum"), &v) < 0);
	assert_true(stats_parse_value(TEXT("-1"), &v) < 0);
}

static void test_cpu_lists(void **state)
{
	stats_u64s all = { 0 }, user = { 0 }, kernel = { 0 };

	stats_parse_numbers(TEXT("10 20 30 \n40\n"), &all);
	assert_int_equal(all.n, 3);
	assert_int_equal(all.items[2], 30);
	stats_parse_usage_all(TEXT("cpu user system\n0 11 12\n1 21 22 23\n2 31\n"), &user, &kernel);
	assert_int_equal(user.n, 2);
	assert_int_equal(user.items[1], 21);
	assert_int_equal(kernel.n, 2);
	assert_int_equal(kernel.items[0], 12);
	free(all.items);
	free(user.items);
	free(kernel.items);
}

static void test_blkio(void **state)
{
	stats_devices list = { 0 };

	stats_parse_blkio(TEXT("8:0 Read 100\n8:0 Write 200\n253:16 77\nTotal 300\n8:0 Rd\n8 1\n"
			       "8:1 AnOperationThatIsLong 5\n"),
			  &list);
	assert_int_equal(list.n, 3);
	assert_string_equal(list.items[1].op, "Write");
	assert_int_equal(list.items[1].value, 200);
	assert_int_equal(list.items[2].major, 253);
	assert_int_equal(list.items[2].minor, 16);
	assert_string_equal(list.items[2].op, "");
	assert_int_equal(list.items[2].value, 77);
	free(list.items);
}

static void test_io(void **state)
{
	stats_devices bytes = { 0 }, count = { 0 };

	stats_parse_io(TEXT("8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6 cost.usage=7\n"
			    "253:0\n253:1 rbytes=x wbytes=9\nbad rbytes=1\n"),
		       &bytes, &count);
	assert_int_equal(bytes.n, 3);
	assert_string_equal(bytes.items[0].op, "Read");
	assert_int_equal(bytes.items[1].value, 2);
	assert_int_equal(bytes.items[2].major, 253);
	assert_int_equal(bytes.items[2].value, 9);
	assert_int_equal(count.n, 2);
	assert_string_equal(count.items[1].op, "Write");
	assert_int_equal(count.items[1].value, 4);
	free(bytes.items);
	free(count.items);
}

static void test_pressure(void **state)
{
	struct stats_pressure p = { 0 };

	stats_parse_pressure(TEXT("some avg10=1.25 avg60=0.50 avg300=100.00 total=1234\n"
				  "full avg10=0.01 avg60=0.00 avg300=0.00 total=9\nnew x=1\n"),
			     &p);
	assert_true(p.set);
	assert_int_equal(p.some.avg10, 125);
	assert_int_equal(p.some.avg60, 50);
	assert_int_equal(p.some.avg300, 10000);
	assert_int_equal(p.some.total_us, 1234);
	assert_int_equal(p.full.avg10, 1);
	assert_int_equal(p.full.total_us, 9);
	p = (struct stats_pressure){ 0 };
	stats_parse_pressure(TEXT("some avg10=1.2 avg60=3.00\nfull avg10=1111.00\n"), &p);
	assert_int_equal(p.some.avg10, 0);
	assert_int_equal(p.full.avg10, 0);
	p = (struct stats_pressure){ 0 };
	stats_parse_pressure(TEXT(""), &p);
	assert_false(p.set);
}

static void test_lists(void **state)
{
	static const char *const bad[] = { "",    "\n",      "a",    "0-", "-3",
					   "3-1", "0-65536", "0,,1", "1 x" };
	stats_u16s list = { 0 };

	assert_int_equal(stats_parse_list(TEXT("0-2,7,65535\n"), &list), 0);
	assert_int_equal(list.n, 5);
	assert_int_equal(list.items[3], 7);
	assert_int_equal(list.items[4], 65535);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (stats_parse_list(TEXT(bad[i]), &list) == 0 && i > 1)
			fail_msg("\"%s\" is taken", bad[i]);
	assert_int_equal(list.n, 5);
	free(list.items);
}

/* --- trees --- */

/* What both readings have is the same. */
static void read_stats(struct tree *t, struct cgroup_stats *s, struct buf *json)
{
	struct cgroup_stats few;
	struct err err = ERR_INIT;

	assert_ok(cgroup_stats_read(&t->cg, s, &err));
	cgroup_stats_write(s, json);
	assert_ok(cgroup_usage_read(&t->cg, &few, &err));
	assert_int_equal(few.cpu.usage, s->cpu.usage);
	assert_int_equal(few.cpu.throttled_ns, s->cpu.throttled_ns);
	assert_int_equal(few.cpu.pressure.some.avg10, s->cpu.pressure.some.avg10);
	assert_int_equal(few.memory.usage.usage, s->memory.usage.usage);
	assert_int_equal(few.memory.usage.max, s->memory.usage.max);
	assert_int_equal(few.memory.usage.limit, s->memory.usage.limit);
	assert_int_equal(few.memory.raw.n, s->memory.raw.n);
	assert_int_equal(few.blkio.service_bytes.n, s->blkio.service_bytes.n);
	assert_int_equal(few.pids.current, s->pids.current);
	assert_int_equal(few.hugetlb.n, 0);
	cgroup_stats_done(&few);
}

static void has(const struct buf *json, const char *text)
{
	if (!strstr(buf_str(json), text))
		fail_msg("no %s in %s", text, buf_str(json));
}

static void test_v1_tree(void **state)
{
	static const char *const sets[][3] = { { "cpu", "cpuacct" }, { "cpuset" }, { "memory" },
					       { "pids" },           { "blkio" },  { "hugetlb" } };
	static const char *const names[] = { "cpu,cpuacct", "cpuset", "memory",
					     "pids",        "blkio",  "hugetlb" };
	static const struct {
		const char *dir, *file, *text;
	} files[] = {
		{ "cpu,cpuacct/box", "cpuacct.usage", "1000000000\n" },
		{ "cpu,cpuacct/box", "cpuacct.stat", "user 70\nsystem 20\n" },
		{ "cpu,cpuacct/box", "cpuacct.usage_percpu", "600000000 400000000 \n" },
		{ "cpu,cpuacct/box", "cpu.stat",
		  "nr_periods 9\nnr_throttled 4\nthrottled_time 500\n" },
		{ "cpuset/box", "cpuset.cpus", "0-1\n" },
		{ "cpuset/box", "cpuset.mems", "0\n" },
		{ "cpuset/box", "cpuset.sched_relax_domain_level", "-1\n" },
		{ "cpuset/box", "cpuset.sched_load_balance", "1\n" },
		{ "memory/box", "memory.stat", "cache 4096\nrss 8192\n" },
		{ "memory/box", "memory.usage_in_bytes", "20000\n" },
		{ "memory/box", "memory.max_usage_in_bytes", "30000\n" },
		{ "memory/box", "memory.failcnt", "3\n" },
		{ "memory/box", "memory.limit_in_bytes", "1048576\n" },
		{ "memory/box", "memory.memsw.usage_in_bytes", "21000\n" },
		{ "memory/box", "memory.memsw.limit_in_bytes", "2097152\n" },
		{ "pids/box", "pids.current", "5\n" },
		{ "pids/box", "pids.max", "max\n" },
		{ "blkio/box", "blkio.bfq.io_serviced_recursive", "Total 0\n" },
		{ "blkio/box", "blkio.throttle.io_serviced_recursive", "8:0 Read 11\nTotal 11\n" },
		{ "blkio/box", "blkio.throttle.io_service_bytes_recursive",
		  "8:0 Read 512\nTotal 512\n" },
		{ "hugetlb/box", "hugetlb.2MB.usage_in_bytes", "1\n" },
		{ "hugetlb/box", "hugetlb.2MB.rsvd.usage_in_bytes", "4194304\n" },
		{ "hugetlb/box", "hugetlb.2MB.rsvd.max_usage_in_bytes", "6291456\n" },
		{ "hugetlb/box", "hugetlb.2MB.rsvd.failcnt", "2\n" },
	};
	cleanup_buf struct buf json = BUF_INIT;
	struct cgroup_stats s;
	struct err err = ERR_INIT;
	struct tree t;

	tree_new(&t);
	t.sys.layout = CGROUP_V1;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		tree_hierarchy(&t, names[i], sets[i]);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		tree_file(&t, files[i].dir, files[i].file, files[i].text);
	assert_ok(create_on(&t.sys, "/box", "id", true, &t.cg, &err));
	read_stats(&t, &s, &json);
	assert_int_equal(s.cpu.user, 700000000);
	assert_int_equal(s.hugetlb.n, 1);
	assert_int_equal(s.hugetlb.items[0].usage, 4194304);
	has(&json, "{\"cpu\":{\"usage\":{\"total\":1000000000,\"percpu\":[600000000,400000000],"
		   "\"kernel\":200000000,\"user\":700000000},\"throttling\":{\"periods\":9,"
		   "\"throttledPeriods\":4,\"throttledTime\":500}}");
	has(&json, "\"cpuset\":{\"cpus\":[0,1],\"cpu_exclusive\":0,\"mems\":[0],");
	has(&json, "\"sched_load_balance\":1,\"sched_relax_domain_level\":-1}");
	has(&json, "\"memory\":{\"cache\":4096,\"usage\":{\"limit\":1048576,\"usage\":20000,"
		   "\"max\":30000,\"failcnt\":3},\"swap\":{\"limit\":2097152,\"usage\":21000,"
		   "\"failcnt\":0}");
	has(&json, "\"raw\":{\"cache\":4096,\"rss\":8192}");
	has(&json, "\"pids\":{\"current\":5},");
	has(&json, "\"blkio\":{\"ioServiceBytesRecursive\":[{\"major\":8,\"op\":\"Read\","
		   "\"value\":512}],\"ioServicedRecursive\":[{\"major\":8,\"op\":\"Read\","
		   "\"value\":11}]}");
	has(&json, "\"hugetlb\":{\"2MB\":{\"usage\":4194304,\"max\":6291456,\"failcnt\":2}}");
	has(&json, "\"intel_rdt\":{},\"network_interfaces\":null}");
	cgroup_stats_done(&s);
	tree_free(&t);
}

static void test_v2_tree(void **state)
{
	static const char *const files[][2] = {
		{ "cpu.stat", "usage_usec 1000\nuser_usec 700\nsystem_usec 300\nnr_periods 5\n"
			      "nr_throttled 2\nthrottled_usec 40\n" },
		{ "cpu.pressure", "some avg10=1.50 avg60=0.00 avg300=2.00 total=77\n" },
		{ "memory.stat", "anon 8192\nfile 4096\n" },
		{ "memory.current", "20000\n" },
		{ "memory.max", "1048576\n" },
		{ "memory.peak", "30000\n" },
		{ "memory.swap.current", "1000\n" },
		{ "memory.swap.max", "1048576\n" },
		{ "pids.current", "5\n" },
		{ "pids.max", "20\n" },
		{ "io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4\n" },
		{ "hugetlb.2MB.current", "2097152\n" },
		{ "hugetlb.2MB.events", "max 6\n" },
	};
	cleanup_buf struct buf json = BUF_INIT;
	struct cgroup_stats s;
	struct tree t;

	v2_tree(&t, V2_CONTROLLERS);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		tree_file(&t, "cg/inro/box", files[i][0], files[i][1]);
	read_stats(&t, &s, &json);
	has(&json, "{\"cpu\":{\"usage\":{\"total\":1000000,\"kernel\":300000,\"user\":700000},"
		   "\"throttling\":{\"periods\":5,\"throttledPeriods\":2,\"throttledTime\":40000},"
		   "\"psi\":{\"some\":{\"avg10\":1.5,\"avg60\":0,\"avg300\":2,\"total\":77},");
	has(&json, "\"memory\":{\"cache\":4096,\"usage\":{\"limit\":1048576,\"usage\":20000,"
		   "\"max\":30000,\"failcnt\":0},\"swap\":{\"limit\":2097152,\"usage\":21000,"
		   "\"failcnt\":0}");
	has(&json, "\"pids\":{\"current\":5,\"limit\":20},");
	has(&json, "\"ioServicedRecursive\":[{\"major\":8,\"op\":\"Read\",\"value\":3},"
		   "{\"major\":8,\"op\":\"Write\",\"value\":4}]");
	has(&json, "\"hugetlb\":{\"2MB\":{\"usage\":2097152,\"failcnt\":6}}");
	cgroup_stats_done(&s);

	tree_file(&t, "cg/inro/box", "memory.swap.max", "max\n\n\n\n\n\n");
	buf_reset(&json);
	read_stats(&t, &s, &json);
	has(&json, "\"swap\":{\"limit\":18446744073709551615,\"usage\":21000");
	cgroup_stats_done(&s);
	tree_free(&t);
}

static void test_nothing_to_read(void **state)
{
	struct cgroup none = { .layout = CGROUP_NONE };
	struct cgroup_stats s;
	struct err err = ERR_INIT;

	assert_true(cgroup_stats_read(&none, &s, &err) < 0);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
}

/* v2's kernel tells of a kill up to 10 ms late, when the process has ended already. */
static void test_oom_kill_before_its_notice(void **state)
{
	static const char one[] = "max 3\noom 1\noom_kill 1\n";
	struct cgroup_oom o = { .v2 = true };

	o.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	o.file = memfd_create("memory.events", MFD_CLOEXEC);
	assert_int_equal(pwrite(o.file, "oom_kill 0\n", 11, 0), 11);
	assert_false(cgroup_oom_happened(&o));
	assert_int_equal(pwrite(o.file, one, sizeof(one) - 1, 0), sizeof(one) - 1);
	assert_true(cgroup_oom_happened(&o));
	assert_false(cgroup_oom_happened(&o));
	cgroup_oom_done(&o);
	assert_false(cgroup_oom_happened(&o));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_cpu_lists),
		cmocka_unit_test(test_blkio),
		cmocka_unit_test(test_io),
		cmocka_unit_test(test_pressure),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_v1_tree),
		cmocka_unit_test(test_v2_tree),
		cmocka_unit_test(test_nothing_to_read),
		cmocka_unit_test(test_oom_kill_before_its_notice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

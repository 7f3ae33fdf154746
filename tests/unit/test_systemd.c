/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "runtime/systemd.h"
#include "unit.h"

static void test_names(void **state)
{
	static const struct {
		const char *path, *id;
		bool user;
		const char *unit, *slice, *place; /* unit NULL: refused */
	} cases[] = {
		{ NULL, "c1", false, "inro-c1.scope", "system.slice",
		  "/system.slice/inro-c1.scope" },
		{ "", "a+b", true, "inro-a\\x2bb.scope", "user.slice",
		  "/user.slice/inro-a\\x2bb.scope" },
		{ "system.slice:docker:1234", "x", false, "docker-1234.scope", "system.slice",
		  "/system.slice/docker-1234.scope" },
		{ ":libpod:9f", "x", true, "libpod-9f.scope", "user.slice",
		  "/user.slice/libpod-9f.scope" },
		{ "kubepods-burstable-pod1_2.slice:cri-containerd:ab", "x", false,
		  "cri-containerd-ab.scope", "kubepods-burstable-pod1_2.slice",
		  "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/"
		  "cri-containerd-ab.scope" },
		{ "-:p:n", "x", false, "p-n.scope", "-.slice", "/p-n.scope" },
		{ "-.slice:p:n", "x", false, "p-n.scope", "-.slice", "/p-n.scope" },
		{ "/default/c1", "x", false, NULL, NULL, NULL },
		{ "a.slice:b", "x", false, NULL, NULL, NULL },
		{ "a.slice:b:c:d", "x", false, NULL, NULL, NULL },
		{ "a:b:c", "x", false, NULL, NULL, NULL },
		{ "a/b.slice:p:n", "x", false, NULL, NULL, NULL },
		{ "../b.slice:p:n", "x", false, NULL, NULL, NULL },
		{ "a--b.slice:p:n", "x", false, NULL, NULL, NULL },
		{ "-a.slice:p:n", "x", false, NULL, NULL, NULL },
		{ ".slice:p:n", "x", false, NULL, NULL, NULL },
		{ "a.slice:p:n/../m", "x", false, NULL, NULL, NULL },
		{ "a.slice:p:", "x", false, NULL, NULL, NULL },
		{ "a.slice::n.slice", "x", false, NULL, NULL, NULL },
		{ "a.slice:p:n m", "x", false, NULL, NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct unit_name n = { 0 };
		struct err err = ERR_INIT;
		int r = unit_name_parse(cases[i].path, cases[i].id, cases[i].user, &n, &err);

		if (!cases[i].unit) {
			assert_true(r < 0 && str_starts(err.msg, "linux.cgroupsPath: "));
			assert_null(n.unit);
			continue;
		}
		assert_ok(r);
		assert_string_equal(n.unit, cases[i].unit);
		assert_string_equal(n.slice, cases[i].slice);
		assert_string_equal(n.path, cases[i].place);
		unit_name_done(&n);
	}
}

static void test_long_name(void **state)
{
	struct unit_name n = { 0 };
	struct err err = ERR_INIT;
	char id[256];

	memset(id, 'a', 255);
	id[255] = '\0';
	assert_int_equal(unit_name_parse(NULL, id, false, &n, &err), -EINVAL);
	id[244] = '\0'; /* inro- and .scope make 255 of it */
	assert_ok(unit_name_parse(NULL, id, false, &n, &err));
	assert_int_equal(strlen(n.unit), 255);
	unit_name_done(&n);
}

/* As text again: "t 5", "as a|b". */
static void show(const struct dbus_value *v, struct buf *out)
{
	if (v->text) {
		buf_adds(out, v->text);
	} else if (v->type == 'd') {
		buf_addf(out, "%g", v->real);
	} else if (v->type == 'a' || v->type == '(') {
		for (size_t i = 0; i < v->n; i++) {
			if (i)
				buf_addc(out, v->type == 'a' ? '|' : '/');
			show(&v->items[i], out);
		}
	} else {
		buf_addf(out, "%lld", (long long)v->number);
	}
}

static char *shown(const struct dbus_value *v)
{
	struct buf b = BUF_INIT;

	dbus_value_signature(v, &b);
	buf_addc(&b, ' ');
	show(v, &b);
	return buf_take(&b);
}

static void test_values(void **state)
{
	static const struct {
		const char *text, *shown; /* NULL: refused */
	} cases[] = {
		{ "true", "b 1" },
		{ " false ", "b 0" },
		{ "boolean true", "b 1" },
		{ "5", "i 5" },
		{ "-5", "i -5" },
		{ "0x10", "i 16" },
		{ "uint64 18446744073709551615", "t -1" },
		{ "int64 -9223372036854775808", "x -9223372036854775808" },
		{ "int16 -32768", "n -32768" },
		{ "byte 0xff", "y 255" },
		{ "uint32 7", "u 7" },
		{ "uint16 7", "q 7" },
		{ "1.5", "d 1.5" },
		{ "double 2", "d 2" },
		{ "1e3", "d 1000" },
		{ "'inactive-or-failed'", "s inactive-or-failed" },
		{ "\"it's\"", "s it's" },
		{ "'a\\'b\\\\c\\u00e9'", "s a'b\\c\xc3\xa9" },
		{ "'\\U0001f40b'", "s \xf0\x9f\x90\x8b" },
		{ "string 'x'", "s x" },
		{ "objectpath '/a'", "o /a" },
		{ "['a', 'b']", "as a|b" },
		{ "[ 'a' ]", "as a" },
		{ "@as []", "as " },
		{ "@au [1, 2]", "au 1|2" },
		{ "[uint64 1, 2]", "at 1|2" },
		{ "[byte 0xf0, 1]", "ay 240|1" },
		{ "[('/dev/null', 'rw')]", "a(ss) /dev/null/rw" },
		{ "[('8:0', uint64 100), ('8:16', uint64 200)]", "a(st) 8:0/100|8:16/200" },
		{ "('a', 1)", "(si) a/1" },
		{ "", NULL },
		{ "[]", NULL },
		{ "[1, 'a']", NULL },
		{ "[1", NULL },
		{ "[1,]", NULL },
		{ "()", NULL },
		{ "tru", NULL },
		{ "truex", NULL },
		{ "'open", NULL },
		{ "'a' 'b'", NULL },
		{ "'\xff'", NULL },
		{ "'\\u0000'", NULL },
		{ "'\\ud800'", NULL },
		{ "'\\\xd5x'", NULL },
		{ "'\\\xc3\xa9'", "s \xc3\xa9" },
		{ "'\\u12'", NULL },
		{ "007", NULL },
		{ "5g", NULL },
		{ "inf", NULL },
		{ "2147483648", NULL },
		{ "uint64 -1", NULL },
		{ "uint64 18446744073709551616", NULL },
		{ "byte 256", NULL },
		{ "int16 -32769", NULL },
		{ "0x", NULL },
		{ "uint32 'a'", NULL },
		{ "string 5", NULL },
		{ "uint32 uint32", NULL },
		{ "@", NULL },
		{ "@a []", NULL },
		{ "@s 5", NULL },
		{ "[[[[[[1]]]]]]", NULL },
		{ "<5>", NULL },
		{ "{'a': 1}", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dbus_value v = { 0 };
		struct err err = ERR_INIT;
		int r = unit_property_parse(cases[i].text, &v, &err);

		if (!cases[i].shown) {
			if (r >= 0 || !err.msg[0])
				fail_msg("accepted: %s", cases[i].text);
			continue;
		}
		if (r < 0)
			fail_msg("%s: %s", cases[i].text, err.msg);
		cleanup_free char *text = shown(&v);
		assert_string_equal(text, cases[i].shown);
		dbus_value_done(&v);
	}
}

static char *all_shown(const struct unit_properties *p)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < p->n; i++) {
		cleanup_free char *text = shown(&p->items[i].value);
		buf_addf(&b, "%s%s=%s", i ? "\n" : "", p->items[i].name, text);
	}
	return buf_take(&b);
}

static void test_annotations(void **state)
{
	struct json_pair pairs[] = {
		{ (char *)"org.example", (char *)"'no'" },
		{ (char *)"org.systemd.property.TimeoutStopSec", (char *)"123" },
		{ (char *)"org.systemd.property.TimeoutStopUSec", (char *)"uint64 5" },
		{ (char *)"org.systemd.property.RuntimeMaxSec", (char *)"1.5" },
		{ (char *)"org.systemd.property.CollectMode", (char *)"'inactive'" },
	};
	const struct json_map map = { pairs, ARRAY_SIZE(pairs) };
	struct unit_properties p = { 0 };
	struct err err = ERR_INIT;

	assert_ok(unit_properties_annotated(&map, &p, &err));
	cleanup_free char *text = all_shown(&p);
	assert_string_equal(text, "TimeoutStopUSec=t 123000000\nTimeoutStopUSec=t 5\n"
				  "RuntimeMaxUSec=t 1500000\nCollectMode=s inactive");
	unit_properties_done(&p);
}

static void test_wrong_annotations(void **state)
{
	static const char *const wrong[][2] = {
		{ "org.systemd.property.", "1" },
		{ "org.systemd.property.ab", "1" },
		{ "org.systemd.property.A1b", "1" },
		{ "org.systemd.property.A b", "1" },
		{ "org.systemd.property.TimeoutStopSec", "'x'" },
		{ "org.systemd.property.TimeoutStopSec", "-1" },
		{ "org.systemd.property.TimeoutStopSec", "uint64 18446744073710" },
		{ "org.systemd.property.TimeoutStopSec", "1e300" },
		{ "org.systemd.property.Description", "text" },
		{ "org.systemd.property.Slice", "'system.slice'" },
		{ "org.systemd.property.PIDs", "[uint32 1]" },
		{ "org.systemd.property.Delegate", "false" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct json_pair pair = { (char *)(uintptr_t)wrong[i][0],
					  (char *)(uintptr_t)wrong[i][1] };
		const struct json_map map = { &pair, 1 };
		struct unit_properties p = { 0 };
		struct err err = ERR_INIT;

		assert_true(unit_properties_annotated(&map, &p, &err) < 0);
		assert_true(str_starts(err.msg, "annotation org.systemd.property."));
		unit_properties_done(&p);
	}
}

static void test_limits_v2(void **state)
{
	struct spec_memory memory = { .limit = { true, 100 },
				      .swap = { true, 150 },
				      .reservation = { true, 50 } };
	struct spec_cpu cpu = { .shares = { true, 1024 },
				.quota = { true, 12345 },
				.period = { true, 100000 },
				.cpus = (char *)"0-2,9",
				.mems = (char *)"0" };
	struct spec_pids pids = { .limit = { true, 0 } };
	struct json_pair unified[] = { { (char *)"memory.high", (char *)"max" },
				       { (char *)"memory.oom.group", (char *)"1" },
				       { (char *)"hugetlb.2MB.max", (char *)"0" } };
	struct spec_resources res = { .memory = &memory,
				      .cpu = &cpu,
				      .pids = &pids,
				      .unified = { unified, ARRAY_SIZE(unified) } };
	struct unit_properties p = { 0 };
	struct err err = ERR_INIT;

	assert_ok(unit_properties_limits(&res, true, true, &p, &err));
	cleanup_free char *text = all_shown(&p);
	assert_string_equal(text, "MemoryMax=t 100\nMemoryLow=t 50\nMemorySwapMax=t 50\n"
				  "CPUWeight=t 100\nCPUQuotaPeriodUSec=t 100000\n"
				  "CPUQuotaPerSecUSec=t 130000\nAllowedCPUs=ay 7|2\n"
				  "AllowedMemoryNodes=ay 1\nTasksMax=t 1\nMemoryHigh=t -1\n"
				  "OOMPolicy=s kill");
	unit_properties_done(&p);
}

static void test_limits_unified(void **state)
{
	struct json_pair unified[] = { { (char *)"cpu.max", (char *)"50000 200000" },
				       { (char *)"cpuset.cpus", (char *)"1" },
				       { (char *)"cpu.idle", (char *)"1" },
				       { (char *)"pids.max", (char *)" max\n" } };
	struct spec_resources res = { .unified = { unified, ARRAY_SIZE(unified) } };
	struct unit_properties p = { 0 };
	struct err err = ERR_INIT;

	assert_ok(unit_properties_limits(&res, true, false, &p, &err));
	cleanup_free char *text = all_shown(&p);
	assert_string_equal(text, "CPUQuotaPeriodUSec=t 200000\nCPUQuotaPerSecUSec=t 250000\n"
				  "AllowedCPUs=ay 2\nCPUWeight=t 0\nTasksMax=t -1");
	unit_properties_done(&p);
	unified[0].value = (char *)"a lot";
	assert_int_equal(unit_properties_limits(&res, true, false, &p, &err), -EINVAL);
	assert_true(str_starts(err.msg, "linux.resources.unified: \"cpu.max\": "));
	unit_properties_done(&p);
}

static void test_limits_v1(void **state)
{
	struct spec_memory memory = { .limit = { true, -1 }, .reservation = { true, 50 } };
	struct spec_cpu cpu = { .shares = { true, 2 }, .quota = { true, -1 } };
	struct spec_device_rule rules[] = {
		{ .allow = false, .access = (char *)"rwm" },
		{ .allow = true, .type = (char *)"b", .major = { true, 8 }, .access = (char *)"r" },
	};
	struct spec_resources res = { .memory = &memory, .cpu = &cpu, .devices = { rules, 2 } };
	struct unit_properties p = { 0 };
	struct err err = ERR_INIT;

	assert_ok(unit_properties_limits(&res, false, true, &p, &err));
	cleanup_free char *text = all_shown(&p);
	assert_true(str_starts(text, "DeviceAllow=a(ss) \nDevicePolicy=s strict\n"
				     "DeviceAllow=a(ss) block-8/r|char-*/m|block-*/m|"
				     "/dev/char/1:3/rwm|"));
	assert_non_null(strstr(text, "\nMemoryLimit=t -1\nCPUShares=t 2\n"
				     "CPUQuotaPerSecUSec=t -1"));
	unit_properties_done(&p);
	/* an update leaves device rules alone */
	assert_ok(unit_properties_limits(&res, false, false, &p, &err));
	assert_string_equal(p.items[0].name, "MemoryLimit");
	unit_properties_done(&p);
}

static void test_no_limits(void **state)
{
	struct unit_properties p = { 0 };
	struct err err = ERR_INIT;

	assert_ok(unit_properties_limits(NULL, true, true, &p, &err));
	assert_int_equal(p.n, 0);
	/* without rules all devices are denied but the usual ones */
	assert_ok(unit_properties_limits(NULL, false, true, &p, &err));
	assert_int_equal(p.n, 3);
	unit_properties_done(&p);
}

static void test_quota(void **state)
{
	assert_int_equal(unit_quota_round(150000, 100000), 150000);
	assert_int_equal(unit_quota_round(12345, 100000), 13000);
	assert_int_equal(unit_quota_round(12345, 0), 13000);
	assert_int_equal(unit_quota_round(1, 100000), 1000);
	assert_int_equal(unit_quota_round(-1, 100000), -1);
	assert_int_equal(unit_quota_round(0, 100000), 0);
	assert_int_equal(unit_quota_round(INT64_MAX, 100000), INT64_MAX);
	assert_int_equal(unit_quota_round(5000, UINT64_MAX), 5000);
}

static void test_cpusets(void **state)
{
	static const char *const wrong[] = { "",     ",",  "a",    "3-1",
					     "1-",   "-1", "8192", "0-4294967295",
					     "1--2", "0x1" };
	struct dbus_value v;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(unit_cpuset_mask(wrong[i], &v), -EINVAL);
	assert_int_equal(unit_cpuset_mask("0, 8191,\n", &v), 0);
	assert_int_equal(v.n, 1024);
	assert_int_equal(v.items[0].number, 1);
	assert_int_equal(v.items[1023].number, 0x80);
	dbus_value_done(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_annotations),
		cmocka_unit_test(test_wrong_annotations),
		cmocka_unit_test(test_limits_v2),
		cmocka_unit_test(test_limits_unified),
		cmocka_unit_test(test_limits_v1),
		cmocka_unit_test(test_no_limits),
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_cpusets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

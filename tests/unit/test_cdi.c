/* SPDX-License-Identifier: Apache-2.0 */
/* Specifications of the Container Device Interface, and --gpus. */
#include "unit.h"

#include "base/str.h"
#include "base/strv.h"
#include "engine/cdi.h"

#define HEAD "{\"cdiVersion\":\"0.6.0\",\"kind\":\"vendor.com/net\",\"devices\":["

static void test_whole(void **state)
{
	static const char text[] = HEAD
	    "{\"name\":\"0\",\"containerEdits\":{\"deviceNodes\":[{\"path\":\"/dev/x0\","
	    "\"hostPath\":\"/dev/null\",\"type\":\"c\",\"major\":1,\"minor\":3,\"fileMode\":438,"
	    "\"permissions\":\"rw\",\"uid\":1,\"gid\":2}],\"env\":[\"A=b\"]}},"
	    "{\"name\":\"all\",\"annotations\":{\"x\":\"y\"},\"containerEdits\":{}}],"
	    "\"containerEdits\":{\"mounts\":[{\"hostPath\":\"/usr/lib/a.so\","
	    "\"containerPath\":\"/usr/lib/a.so\",\"options\":[\"ro\"]}],"
	    "\"hooks\":[{\"hookName\":\"createContainer\",\"path\":\"/bin/h\","
	    "\"args\":[\"h\",\"x\"],\"env\":[\"E=1\"],\"timeout\":5}],"
	    "\"additionalGids\":[44,0],\"intelRdt\":{\"closID\":\"a\"},"
	    "\"netDevices\":[{\"hostInterfaceName\":\"eth7\",\"name\":\"net0\"}]}}";
	cleanup_cdi_spec struct cdi_spec s = { 0 };
	struct err err = ERR_INIT;

	assert_ok(cdi_spec_parse(text, sizeof(text) - 1, "x.json", &s, &err));
	assert_string_equal(s.kind, "vendor.com/net");
	assert_int_equal(s.devices.n, 2);
	assert_string_equal(s.devices.items[0].edits.nodes.items[0].host_path, "/dev/null");
	assert_int_equal(s.devices.items[0].edits.nodes.items[0].file_mode.value, 0666);
	assert_string_equal(s.devices.items[0].edits.env[0], "A=b");
	assert_string_equal(s.edits.mounts.items[0].options[0], "ro");
	assert_string_equal(s.edits.hooks.items[0].hook_name, "createContainer");
	assert_string_equal(s.edits.hooks.items[0].hook.args[1], "x");
	assert_int_equal(s.edits.hooks.items[0].hook.timeout.value, 5);
	assert_int_equal(s.edits.gids.n, 2);
	assert_string_equal(s.edits.rdt->clos_id, "a");
	assert_string_equal(s.edits.net_devices.items[0].host_name, "eth7");
	assert_string_equal(s.edits.net_devices.items[0].name, "net0");
}

static void test_refused(void **state)
{
#define DEVICE(edits) HEAD "{\"name\":\"0\",\"containerEdits\":{" edits "}}]}"
	static const struct {
		const char *text, *word;
	} rows[] = {
		{ "[]", "x.json" },
		{ "{\"kind\":\"a/b\",\"devices\":[]}", "cdiVersion" },
		{ "{\"cdiVersion\":\"1\",\"kind\":\"ab\",\"devices\":[]}", "VENDOR/CLASS" },
		{ "{\"cdiVersion\":\"1\",\"kind\":\"a/b/c\",\"devices\":[]}", "VENDOR/CLASS" },
		{ "{\"cdiVersion\":\"1\",\"kind\":\"-a/b\",\"devices\":[]}", "VENDOR/CLASS" },
		{ HEAD "{\"name\":\"../x\"}]}", "no name of a device" },
		{ HEAD "{\"name\":\"0\"},{\"name\":\"0\"}]}", "two have the name" },
		{ DEVICE("\"env\":[\"AB\"]"), "NAME=VALUE" },
		{ DEVICE("\"env\":[\"=B\"]"), "NAME=VALUE" },
		{ DEVICE("\"intelRdt\":{\"closID\":\"../a\"}"), "intelRdt.closID" },
		{ DEVICE("\"netDevices\":[{\"name\":\"a\"}]"), "hostInterfaceName" },
		{ DEVICE("\"netDevices\":[{\"hostInterfaceName\":\"a\",\"name\":\"a/b\"}]"),
		  "no name of an interface" },
		{ DEVICE("\"deviceNodes\":[{\"path\":\"dev/x\"}]"), "deviceNodes[0].path" },
		{ DEVICE("\"deviceNodes\":[{\"path\":\"/dev/x\",\"type\":\"d\"}]"), "type" },
		{ DEVICE("\"deviceNodes\":[{\"path\":\"/x\",\"permissions\":\"x\"}]"), "rwm" },
		{ DEVICE("\"mounts\":[{\"hostPath\":\"a\",\"containerPath\":\"/b\"}]"),
		  "hostPath" },
		{ DEVICE("\"mounts\":[{\"hostPath\":\"/a\"}]"), "containerPath" },
		{ DEVICE("\"hooks\":[{\"hookName\":\"later\",\"path\":\"/b\"}]"), "no hook" },
		{ DEVICE("\"hooks\":[{\"hookName\":\"poststop\",\"path\":\"b\"}]"), "absolute" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = ERR_INIT;
		struct cdi_spec s;

		if (cdi_spec_parse(rows[i].text, strlen(rows[i].text), "x.json", &s, &err) == 0)
			fail_msg("row %zu was taken", i);
		if (!strstr(err.msg, rows[i].word))
			fail_msg("row %zu: \"%s\" does not say %s", i, err.msg, rows[i].word);
	}
}

static void test_names(void **state)
{
	static const struct {
		const char *word;
		size_t kind_len; /* 0: it is none */
	} rows[] = {
		{ "nvidia.com/gpu=all", 14 },
		{ "vendor.com/class=GPU-1:2.3_x", 16 },
		{ "/dev/sda", 0 },
		{ "/dev/a=b", 0 },
		{ "/dev/a:/dev/b=c", 0 },
		{ "a=b", 0 },
		{ "a/b=", 0 },
		{ "a/b=-", 0 },
		{ "a/=c", 0 },
		{ "1a/b=c", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = 0;

		if (cdi_name_parse(rows[i].word, &len) != (rows[i].kind_len > 0) ||
		    len != rows[i].kind_len)
			fail_msg("%s: %zu", rows[i].word, len);
	}
}

static void test_gpus(void **state)
{
	static const struct {
		const char *text, *names; /* NULL: refused */
	} rows[] = {
		{ "all", "nvidia.com/gpu=all" },
		{ "2", "nvidia.com/gpu=0 nvidia.com/gpu=1" },
		{ "device=GPU-3a,capabilities=utility", "nvidia.com/gpu=GPU-3a" },
		{ "\"device=0,2\"", "nvidia.com/gpu=0 nvidia.com/gpu=2" },
		{ "count=1,driver=nvidia", "nvidia.com/gpu=0" },
		{ "capabilities=gpu", "nvidia.com/gpu=0" },
		{ "0", "" },
		{ "count=0", "" },
		{ "driver=amd", NULL },
		{ "options=x", NULL },
		{ "device=a/b", NULL },
		{ "some", NULL },
		{ "9999", NULL },
		{ "-2", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_strv char **names = NULL;
		cleanup_free char *joined = NULL;
		struct err err = ERR_INIT;
		int r = gpus_parse(rows[i].text, &names, &err);

		joined = strv_join(names, " ");
		if ((r == 0) != (rows[i].names != NULL) ||
		    (r == 0 && !str_eq(joined, rows[i].names)))
			fail_msg("%s: %d \"%s\" %s", rows[i].text, r, joined, err.msg);
	}
}

/* Beside what --device and other --gpus have named. */
static void test_gpus_are_added(void **state)
{
	cleanup_strv char **names = NULL;
	cleanup_free char *joined = NULL;
	struct err err = ERR_INIT;

	strv_add(&names, "vendor.com/net=0");
	assert_ok(gpus_parse("device=1", &names, &err));
	assert_ok(gpus_parse("device=2", &names, &err));
	assert_true(gpus_parse("device=3,options=x", &names, &err) < 0);
	joined = strv_join(names, " ");
	assert_string_equal(joined, "vendor.com/net=0 nvidia.com/gpu=1 nvidia.com/gpu=2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),          cmocka_unit_test(test_refused),
		cmocka_unit_test(test_names),          cmocka_unit_test(test_gpus),
		cmocka_unit_test(test_gpus_are_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <sys/socket.h>

#include "base/str.h"
#include "net/cni.h"

#define LIST(members)   "{\"cniVersion\":\"1.0.0\",\"name\":\"front\"," members "}"
#define PLUGIN(rest)    "{\"type\":\"bridge\"" rest "}"
#define SINGLE(rest)    "{\"cniVersion\":\"0.4.0\",\"name\":\"one\",\"type\":\"bridge\"" rest "}"
#define RESULT(members) "{\"cniVersion\":\"1.0.0\"," members "}"

static int parse(const char *text, bool single, struct cni_list *ret, struct err *err)
{
	*err = (struct err)ERR_INIT;
	return cni_list_parse(text, strlen(text), single, "/etc/x", ret, err);
}

static void test_lists(void **state)
{
	cleanup_cni_list struct cni_list list = { 0 }, one = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(
	    parse(
		LIST(
		    "\"disableCheck\":true,\"plugins\":["
		    "{\"type\":\"bridge\",\"ipam\":{\"type\":\"host-local\"}},"
		    "{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true,\"x\":false}}]"),
		false, &list, &err),
	    0);
	assert_string_equal(list.name, "front");
	assert_string_equal(list.version, "1.0.0");
	assert_true(list.disable_check);
	assert_int_equal(list.plugins.n, 2);
	assert_string_equal(json_map_get(&list.plugins.items[0].members, "ipam"),
			    "{\"type\":\"host-local\"}");
	assert_true(cni_list_takes(&list, "portMappings"));
	assert_false(cni_list_takes(&list, "x"));
	assert_false(cni_list_takes(&list, "ips"));

	cni_list_done(&list);
	assert_int_equal(parse(LIST("\"cniVersions\":[\"0.4.0\",\"1.1.0\",\"2.0.0\"],"
				    "\"plugins\":[" PLUGIN("") "]"),
			       false, &list, &err),
			 0);
	assert_string_equal(list.version, "1.1.0");
	assert_null(list.versions);

	assert_int_equal(parse(SINGLE(",\"bridge\":\"b0\""), true, &one, &err), 0);
	assert_string_equal(one.name, "one");
	assert_string_equal(one.version, "0.4.0");
	assert_int_equal(one.plugins.n, 1);
	assert_string_equal(json_map_get(&one.plugins.items[0].members, "bridge"), "\"b0\"");
}

static void test_lists_refused(void **state)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{ "", "line 1" },
		{ "[]", "expected an object" },
		{ "{}", "name: expected" },
		{ "{\"name\":\"../x\",\"plugins\":[" PLUGIN("") "]}", "name: expected" },
		{ "{\"name\":\"x\",\"plugins\":[" PLUGIN("") "]}", "cniVersion (none)" },
		{ "{\"cniVersion\":\"0.2.0\",\"name\":\"x\",\"plugins\":[]}", "cniVersion 0.2.0" },
		{ LIST("\"plugins\":[]"), "1 to 64 plugins" },
		{ LIST("\"plugins\":[1]"), "expected an object" },
		{ LIST("\"plugins\":[{}]"), "plugins[0]: plugin: type: missing" },
		{ LIST("\"plugins\":[{\"type\":\"../bridge\"}]"), "invalid type" },
		{ LIST("\"plugins\":[{\"type\":\"..\"}]"), "invalid type" },
		{ LIST("\"plugins\":[{\"type\":\"a/b\"}]"), "invalid type" },
		{ LIST("\"plugins\":[{\"type\":7}]"), "expected a string" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cni_list list = { 0 };
		struct err err;

		if (parse(bad[i].text, false, &list, &err) >= 0)
			fail_msg("accepted: %s", bad[i].text);
		if (!strstr(err.msg, bad[i].message) || !strstr(err.msg, "/etc/x"))
			fail_msg("%s: %s", bad[i].text, err.msg);
		assert_null(list.name);
	}
}

static void test_result(void **state)
{
	static const char text[] = RESULT(
	    "\"interfaces\":[{\"name\":\"cni0\"},{\"name\":\"eth0\",\"mac\":\"02:00:00:00:00:01\","
	    "\"sandbox\":\"/proc/7/ns/net\"}],"
	    "\"ips\":[{\"address\":\"10.1.0.1/16\",\"interface\":0},"
	    "{\"version\":\"4\",\"address\":\"10.1.0.5/16\",\"gateway\":\"10.1.0.1\","
	    "\"interface\":1},"
	    "{\"address\":\"fd00::5/64\"}],"
	    "\"routes\":[{\"dst\":\"0.0.0.0/0\"}],\"dns\":{\"nameservers\":[\"10.1.0.1\"]}");
	cleanup_cni_result struct cni_result result = { 0 };
	struct net_addr addr, gateway;
	char buf[NET_ADDR_TEXT];
	struct err err = ERR_INIT;

	(void)state;
	assert_ok(cni_result_parse(text, strlen(text), &result, &err));
	assert_int_equal(cni_result_address(&result, 0, &addr, &gateway), 16);
	assert_string_equal(net_addr_format(&addr, buf), "10.1.0.5");
	assert_string_equal(net_addr_format(&gateway, buf), "10.1.0.1");
	assert_int_equal(cni_result_address(&result, 1, &addr, &gateway), 64);
	assert_string_equal(net_addr_format(&addr, buf), "fd00::5");
	assert_int_equal(gateway.family, 0);
	assert_int_equal(cni_result_address(&result, 2, &addr, &gateway), -ENOENT);
	assert_string_equal(result.dns.nameservers[0], "10.1.0.1");
}

static void test_results_refused(void **state)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{ "", "line 1" },
		{ "{}", "cniVersion: missing" },
		{ RESULT("\"ips\":[{}]"), "ips[0].address: missing" },
		{ RESULT("\"ips\":[{\"address\":\"10.0.0.5\"}]"), "ips[0].address: expected" },
		{ RESULT("\"ips\":[{\"address\":\"10.0.0.5/33\"}]"), "ips[0].address" },
		{ RESULT("\"ips\":[{\"address\":\"10.0.0.5/024\"}]"), "ips[0].address" },
		{ RESULT("\"ips\":[{\"address\":\"fd00::/8\",\"gateway\":\"x\"}]"), "gateway" },
		{ RESULT("\"ips\":[{\"address\":\"fd00::/8\",\"interface\":0}]"),
		  "ips[].interface: there is no number 0" },
		{ RESULT("\"routes\":[{\"dst\":\"any\"}]"), "routes[0].dst" },
		{ RESULT("\"interfaces\":[{\"name\":\"\"}]"), "interfaces[0].name" },
		{ RESULT("\"dns\":{\"nameservers\":[\"here\"]}"), "dns.nameservers: expected IP" },
		{ RESULT("\"dns\":{\"domain\":\"a b\"}"), "dns: expected words" },
		{ RESULT("\"dns\":{\"search\":[\"\"]}"), "dns: expected words" },
		{ RESULT("\"dns\":{\"options\":[\"a\\nb\"]}"), "dns: expected words" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cni_result result = { 0 };
		struct err err = ERR_INIT;

		if (cni_result_parse(bad[i].text, strlen(bad[i].text), &result, &err) >= 0)
			fail_msg("accepted: %s", bad[i].text);
		if (!strstr(err.msg, bad[i].message))
			fail_msg("%s: %s", bad[i].text, err.msg);
		assert_null(result.version);
	}
}

static void test_failure(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "{\"code\":7,\"msg\":\"no bridge\"}", "code 7: no bridge" },
		{ "{\"code\":11,\"msg\":\"a\",\"details\":\"b\"}", "code 11: a: b" },
		{ "", "it ended with status 3" },
		{ "panic", "it ended with status 3" },
		{ "{\"code\":-1,\"msg\":\"\"}", "it ended with status 3" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = ERR_INIT;

		assert_true(cni_failure(cases[i].text, strlen(cases[i].text), 3, &err) < 0);
		assert_string_equal(err.msg, cases[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),   cmocka_unit_test(test_lists_refused),
		cmocka_unit_test(test_result),  cmocka_unit_test(test_results_refused),
		cmocka_unit_test(test_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

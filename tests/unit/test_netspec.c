/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/buf.h"
#include "base/str.h"
#include "base/strv.h"
#include "net/netspec.h"

static struct netspec spec(const char *word)
{
	struct err err = ERR_INIT;
	struct netspec s;

	if (netspec_parse(word, &s, &err) < 0)
		fail_msg("%s: %s", word, err.msg);
	return s;
}

static void test_modes(void **state)
{
	static const struct {
		const char *word;
		enum netspec_kind kind;
		const char *target;
		uint16_t vlan;
	} cases[] = {
		{ "front", NETSPEC_NETWORK, "front", 0 },
		{ "front:", NETSPEC_NETWORK, "front", 0 },
		{ "0a1b2c", NETSPEC_NETWORK, "0a1b2c", 0 },
		{ "hosts", NETSPEC_NETWORK, "hosts", 0 },
		{ "name=front", NETSPEC_NETWORK, "front", 0 },
		{ "bridge", NETSPEC_NETWORK, NETSPEC_DEFAULT, 0 },
		{ "default", NETSPEC_NETWORK, NETSPEC_DEFAULT, 0 },
		{ "podman:", NETSPEC_NETWORK, NETSPEC_DEFAULT, 0 },
		{ "name=default", NETSPEC_NETWORK, NETSPEC_DEFAULT, 0 },
		{ "none", NETSPEC_NONE, NULL, 0 },
		{ "host", NETSPEC_HOST, NULL, 0 },
		{ "name=host", NETSPEC_HOST, NULL, 0 },
		{ "private", NETSPEC_PRIVATE, NULL, 0 },
		{ "container:web", NETSPEC_CONTAINER, "web", 0 },
		{ "ns:/run/netns/a:b", NETSPEC_PATH, "/run/netns/a:b", 0 },
		{ "pasta", NETSPEC_PASTA, NULL, 0 },
		{ "pasta:", NETSPEC_PASTA, NULL, 0 },
		{ "pasta:--mtu=1400,-t,8080:80", NETSPEC_PASTA, "--mtu=1400,-t,8080:80", 0 },
		{ "cni:front", NETSPEC_CNI, "front", 0 },
		{ "macvlan:eth0", NETSPEC_MACVLAN, "eth0", 0 },
		{ "vlan:eth0.42", NETSPEC_VLAN, "eth0", 42 },
		{ "vlan:eth0.7.4094", NETSPEC_VLAN, "eth0.7", 4094 },
		{ "host-device:eth1", NETSPEC_HOST_DEVICE, "eth1", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct netspec s = spec(cases[i].word);

		if (s.kind != cases[i].kind || !str_eq(s.target, cases[i].target) ||
		    s.vlan != cases[i].vlan)
			fail_msg("%s: %d %s %u", cases[i].word, s.kind, s.target, s.vlan);
		netspec_done(&s);
	}
}

/* The same in podman's words and in docker's. */
static void test_options(void **state)
{
	static const char *const words[] = {
		"front:ip=10.89.0.5,ip6=fd00::5,mac=02:42:0A:00:00:05,alias=a,alias=b_1,alias=a,"
		"interface_name=up0,host_interface_name=vm5,mtu=1400,gw-priority=-3,"
		"link-local-ip=169.254.1.2,link-local-ip=fe80::9",
		"alias=a,name=front,ip6=fd00::5,ip=10.89.0.5,mac-address=02-42-0a-00-00-05,"
		"alias=b_1,driver-opt=com.docker.network.endpoint.ifname=up0,"
		"host_interface_name=vm5,mtu=1400,gw-priority=-3,link-local-ip=169.254.1.2,"
		"link-local-ip=fe80::9",
	};
	static const uint8_t mac[] = { 2, 0x42, 10, 0, 0, 5 };
	char text[NET_ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct netspec s = spec(words[i]);
		cleanup_free char *aliases = strv_join(s.aliases, "|");

		assert_string_equal(s.target, "front");
		assert_string_equal(net_addr_format(&s.ip, text), "10.89.0.5");
		assert_string_equal(net_addr_format(&s.ip6, text), "fd00::5");
		assert_true(s.has_mac);
		assert_memory_equal(s.mac, mac, sizeof(mac));
		assert_string_equal(aliases, "a|b_1");
		assert_string_equal(s.interface, "up0");
		assert_string_equal(s.host_interface, "vm5");
		assert_int_equal(s.mtu, 1400);
		assert_int_equal(s.gw_priority, -3);
		assert_int_equal(s.n_link_local, 2);
		assert_string_equal(net_addr_format(&s.link_local[1], text), "fe80::9");
		netspec_done(&s);
	}
}

static void test_without_a_network(void **state)
{
	struct netspec s = spec("name=vlan:eth0.7,ip=10.88.0.5/24,gateway=10.88.0.1,ip6=fd00::5/"
				"64,gateway=fd00::1,mtu=1400");
	char text[NET_ADDR_TEXT];

	(void)state;
	assert_true(netspec_is_adhoc(&s) && netspec_is_link(&s));
	assert_int_equal(s.prefix, 24);
	assert_int_equal(s.prefix6, 64);
	assert_string_equal(net_addr_format(&s.gateway, text), "10.88.0.1");
	assert_string_equal(net_addr_format(&s.gateway6, text), "fd00::1");
	netspec_done(&s);
	s = spec("front");
	assert_true(!netspec_is_adhoc(&s) && netspec_is_link(&s));
	netspec_done(&s);
	s = spec("cni:front:ip=10.88.0.5/24,ip6=fd00::5,bandwidth=10m");
	assert_false(netspec_is_link(&s));
	assert_int_equal(s.prefix, 24);
	assert_int_equal(s.prefix6, 0);
	assert_int_equal(s.bandwidth, 10000000);
	netspec_done(&s);
}

static void test_sysctls(void **state)
{
	struct netspec s =
	    spec("name=a,\"driver-opt=com.docker.network.endpoint.sysctls="
		 "net.ipv6.conf.IFNAME.accept_ra=2,net.ipv4.conf.ifname.rp_filter=0\"");

	(void)state;
	assert_int_equal(strv_len(s.sysctls), 2);
	assert_string_equal(s.sysctls[0], "net.ipv6.conf.IFNAME.accept_ra=2");
	netspec_done(&s);
}

#define SYSCTLS "name=a,driver-opt=com.docker.network.endpoint.sysctls="
static const struct {
	const char *word, *msg, *hint;
} bad[] = {
	{ "", "network name cannot be empty", "" },
	{ ":ip=1.2.3.4", "network name cannot be empty", "" },
	{ "a,b", "invalid name of a network: \"a,b\"", "one --network each" },
	{ "a b", "invalid name of a network: \"a b\"", "letters" },
	{ "-a", "invalid name of a network: \"-a\"", "" },
	{ "../a:ip=1.2.3.4", "invalid name of a network", "" },
	{ "host:x", "invalid option for network host: x", "takes no options" },
	{ "none:ip=1.2.3.4", "invalid option for network none: ip=1.2.3.4", "" },
	{ "name=host,ip=1.2.3.4", "invalid option for network host: ip=1.2.3.4", "networks" },
	{ "name=container:a,alias=b", "invalid option for network container:a: alias=b", "" },
	{ "container", "expected container:NAME", "" },
	{ "container:", "expected container:NAME", "" },
	{ "ns:", "expected ns:/PATH", "" },
	{ "ns:run/netns/a", "expected an absolute path", "" },
	{ "cni", "expected cni:NAME", "" },
	{ "cni:../a", "expected the name of a list", "" },
	{ "macvlan:", "expected macvlan:PARENT", "" },
	{ "macvlan:a/b", "no name of a network interface", "" },
	{ "vlan:eth0", "expected vlan:PARENT.ID", "" },
	{ "vlan:eth0.0", "ID from 1 to 4094", "" },
	{ "vlan:eth0.4095", "ID from 1 to 4094", "" },
	{ "vlan:.5", "no name of a network interface", "" },
	{ "a:foo=1", "invalid option for network a: invalid field key foo", "gw-priority" },
	{ "a:,", "invalid field key", "" },
	{ "a:ip", "invalid field ip", "ip=VALUE" },
	{ "a:ip=x", "invalid IP address: x", "" },
	{ "a:ip=10.88.0.5/24", "go with macvlan:, vlan: and host-device: alone", "" },
	{ "cni:a:bandwidth=10", "bandwidth=10: expected bits per second", "" },
	{ "cni:a:bandwidth=M", "bandwidth=M: expected bits per second", "" },
	{ "cni:a:bandwidth=1T", "bandwidth=1T: expected bits per second", "" },
	{ "cni:a:bandwidth=99999999999G", "expected bits per second", "" },
	{ "a:bandwidth=10M", "bandwidth: only plugins of cni: have that", "" },
	{ "cni:a:gateway=10.88.0.1", "go with macvlan:, vlan: and host-device: alone", "" },
	{ "host-device", "expected host-device:INTERFACE", "" },
	{ "macvlan:a:ip=10.88.0.5", "expected ADDRESS/PREFIX", "" },
	{ "macvlan:a:ip=10.88.0.5/0", "ip=10.88.0.5/0: invalid prefix", "" },
	{ "macvlan:a:ip=10.88.0.5/33", "ip=10.88.0.5/33: invalid prefix", "" },
	{ "macvlan:a:ip6=fd00::5/129", "ip6=fd00::5/129: invalid prefix", "" },
	{ "macvlan:a:ip=10.88.0.5/24,gateway=10.88.1.1", "gateway=10.88.1.1: expected a neighbour",
	  "" },
	{ "macvlan:a:ip=10.88.0.5/24,gateway=fd00::1", "gateway=fd00::1: expected a neighbour",
	  "" },
	{ "macvlan:a:ip=10.88.0.5/24,gateway=10.88.0.1,gateway=10.88.0.2",
	  "gateway=10.88.0.2: given twice", "" },
	{ "vlan:a.7:alias=web", "alias: only networks have that", "" },
	{ "macvlan:a:host_interface_name=web", "host_interface_name: only networks have that", "" },
	{ "host-device:a:mtu=1400", "mtu: the interface is the host's", "" },
	{ "a:ip=fd00::5", "that is an IPv6 address: write ip6=", "" },
	{ "a:ip6=1.2.3.4", "that is an IPv4 address: write ip=", "" },
	{ "a:ip=1.2.3.4,ip=1.2.3.5", "ip=1.2.3.5: given twice", "" },
	{ "a:mac=1", "address 1: invalid MAC address", "" },
	{ "a:mac=", "invalid MAC address", "" },
	{ "a:mac=02:42:00:00:00-01", "invalid MAC address", "" },
	{ "a:mac=02:42:00:00:00:0g", "invalid MAC address", "" },
	{ "a:mac=02:42:00:00:00:001", "invalid MAC address", "" },
	{ "a:mac=ff:ff:ff:ff:ff:ff", "invalid MAC address", "a group" },
	{ "a:mac=00:00:00:00:00:00", "invalid MAC address", "not all may be 0" },
	{ "a:mac=02:42:00:00:00:01,mac-address=02:42:00:00:00:02", "given twice", "" },
	{ "a:alias=", "alias cannot be empty", "" },
	{ "a:alias=a b", "alias=a b: a name has letters", "" },
	{ "a:alias=a\nb", "a name has letters", "" },
	{ "a:alias=.a", "a name has letters", "" },
	{ "a:interface_name=", "interface_name cannot be empty", "" },
	{ "a:interface_name=sixteen-letters-", "1 to 15 characters", "" },
	{ "a:interface=../x", "can't be called so", "" },
	{ "a:interface=eth%d", "can't be called so", "" },
	{ "a:interface=lo", "not lo", "" },
	{ "a:interface=a,interface_name=b", "given twice", "" },
	{ "a:mtu=67", "expected 68 to 65535 bytes", "" },
	{ "a:mtu=1k", "expected 68 to 65535 bytes", "" },
	{ "a:link-local-ip=10.0.0.1", "invalid link local IP address: 10.0.0.1", "" },
	{ "a:gw-priority=x", "invalid gw-priority (x)", "" },
	{ "a=b", "invalid field key a", "" },
	{ "ip=1.2.3.4", "network name/id is not specified", "name=NAME" },
	{ "name=", "network name/id is not specified", "" },
	{ "name=a,foo=b", "invalid field key foo", "" },
	{ "name=a,alias", "invalid field alias", "" },
	{ "name=a,,ip=1.2.3.4", "invalid field key", "" },
	{ "name=a,name=b", "two names", "" },
	{ "name=a,\"b", "a quote has no other one", "" },
	{ "name=a:ip=1.2.3.4", "options go behind commas here", "" },
	{ "name=a,driver-opt=x", "invalid key value pair format in driver options: x", "" },
	{ "name=a,driver-opt==x", "invalid key value pair format in driver options", "" },
	{ "name=a,driver-opt=x=y", "unknown driver option: x=y", "ifname" },
	{ SYSCTLS "net.ipv4.conf.eth0.rp_filter=0", "invalid sysctl", "IFNAME" },
	{ SYSCTLS "net.ipv4.conf.IFNAME.rp_filter", "invalid sysctl", "" },
	{ SYSCTLS "net.ipv4.conf.IFNAME.rp_filter=", "invalid sysctl", "" },
	{ SYSCTLS "net.ipv4.../..IFNAME.rp_filter=0", "invalid sysctl", "" },
	{ SYSCTLS "net.core.conf.IFNAME.rp_filter=0", "invalid sysctl", "" },
	{ SYSCTLS "kernel.ipv4.conf.IFNAME.rp_filter=0", "invalid sysctl", "" },
	{ SYSCTLS "net.ipv4.conf.IFNAME.rp/filter=0", "invalid sysctl", "" },
};

static void test_bad(void **state)
{
	struct netspec s = { .mtu = 99 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = ERR_INIT;

		if (netspec_parse(bad[i].word, &s, &err) != -EINVAL)
			fail_msg("%s: taken", bad[i].word);
		if (!strstr(err.msg, bad[i].msg) || !strstr(err.hint, bad[i].hint))
			fail_msg("%s: %s; %s", bad[i].word, err.msg, err.hint);
		assert_int_equal(err.kind, ERR_USAGE);
		assert_int_equal(s.mtu, 99);
	}
}

/* No word is taken that makes a container's record, or a file of names, without end. */
static void test_limits(void **state)
{
	cleanup_buf struct buf word = BUF_INIT;
	cleanup_strv char **words = NULL;
	struct netspec *list;
	struct netspec s;
	size_t n;

	(void)state;
	buf_adds(&word, "a:alias=x");
	for (int i = 0; i < 64; i++)
		buf_addf(&word, ",alias=a%d", i);
	assert_true(netspec_parse(buf_str(&word), &s, NULL) < 0);
	buf_reset(&word);
	for (int i = 0; i < 5000; i++)
		buf_addc(&word, 'a');
	assert_true(netspec_parse(buf_str(&word), &s, NULL) < 0);
	for (int i = 0; i < 65; i++)
		strv_addf(&words, "net%d", i);
	assert_true(netspec_list_parse(words, &list, &n, NULL) < 0);
}

static void test_list(void **state)
{
	static char *const good[] = { (char *)"front:interface=a", (char *)"name=back",
				      (char *)"vlan:eth0.1",       (char *)"vlan:eth0.2",
				      (char *)"cni:front",         NULL };
	static const struct {
		const char *a, *b, *msg;
	} wrong[] = {
		{ "front", "none", "selected mode none conflicts with front" },
		{ "host", "front", "selected mode host conflicts with front" },
		{ "container:a", "container:a", "selected mode container:a conflicts" },
		{ "front", "name=front", "network \"front\" is specified multiple times" },
		{ "bridge", "podman", "network \"bridge\" is specified multiple times" },
		{ "a:interface=x", "b:interface=x", "both interfaces are called x" },
		{ "front", "back:foo=1", "invalid field key foo" },
	};
	struct err err = ERR_INIT;
	struct netspec *list;
	size_t n;

	(void)state;
	assert_ok(netspec_list_parse(good, &list, &n, &err));
	assert_int_equal(n, 5);
	assert_string_equal(list[1].target, "back");
	netspec_list_free(list, n);
	assert_ok(netspec_list_parse(NULL, &list, &n, &err));
	assert_int_equal(n, 0);
	netspec_list_free(list, n);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		char *const words[] = { (char *)wrong[i].a, (char *)wrong[i].b, NULL };

		err = (struct err)ERR_INIT;
		assert_int_equal(netspec_list_parse(words, &list, &n, &err), -EINVAL);
		if (!strstr(err.msg, wrong[i].msg))
			fail_msg("%s %s: %s", wrong[i].a, wrong[i].b, err.msg);
	}
}

static void test_reserved(void **state)
{
	static const char *const words[] = { "none",   "host",      "bridge",     "default",
					     "podman", "cni",       "macvlan",    "vlan",
					     "ns",     "container", "host-device" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		assert_true(netspec_is_reserved(words[i]));
	assert_false(netspec_is_reserved("hosts"));
	assert_false(netspec_is_reserved("hos"));
	assert_false(netspec_is_reserved(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_without_a_network),
		cmocka_unit_test(test_sysctls),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_reserved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

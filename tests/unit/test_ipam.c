/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <sys/socket.h>

#include "net/ipam.h"

static struct subnet net(const char *text)
{
	struct err err = ERR_INIT;
	struct subnet s;

	if (subnet_parse(text, &s, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return s;
}

static void assert_addr(const struct net_addr *a, const char *want)
{
	char text[NET_ADDR_TEXT];

	assert_string_equal(net_addr_format(a, text), want);
}

static void test_addresses(void **state)
{
	static const char *const bad[] = { "",          "1.2.3",    "01.2.3.4",         "1.2.3.4 ",
					   "1.2.3.256", "::1%eth0", "::ffff:192.0.2.1", ":::1" };
	struct net_addr a = { .family = 99 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = ERR_INIT;

		assert_true(net_addr_parse(bad[i], &a, &err) < 0);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_int_equal(a.family, 99);
	}
	assert_int_equal(net_addr_parse("2001:DB8:0::7", &a, NULL), 0);
	assert_addr(&a, "2001:db8::7");
}

static void test_subnets(void **state)
{
	static const char *const bad[] = { "10.0.0.0",    "10.0.0.0/33", "10.0.0.0/08",
					   "10.0.0.0/",   "fd00::/129",  "/24",
					   "10.0.0.0/-1", "10.0.0/24",   "10.0.0.0/24 " };
	struct err err = ERR_INIT;
	struct subnet s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_true(subnet_parse(bad[i], &s, NULL) < 0);
	assert_true(subnet_parse("10.89.77.3/20", &s, &err) < 0);
	assert_non_null(strstr(err.msg, "10.89.64.0/20?"));
	assert_int_equal(subnet_parse("0.0.0.0/0", &s, NULL), 0);
}

static void test_overlaps(void **state)
{
	static const struct {
		const char *a, *b;
		bool want;
	} cases[] = {
		{ "10.0.0.0/8", "10.89.0.0/24", true },
		{ "10.89.0.0/24", "10.89.1.0/24", false },
		{ "10.89.0.0/23", "10.89.1.0/24", true },
		{ "10.89.0.0/25", "10.89.0.128/25", false },
		{ "0.0.0.0/0", "192.0.2.0/24", true },
		{ "0.0.0.0/0", "fd00::/8", false },
		{ "fd00:1::/64", "fd00:1::/48", true },
		{ "fd00:1::/64", "fd00:1:0:1::/64", false },
		{ "192.0.2.1/32", "192.0.2.1/32", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct subnet a = net(cases[i].a), b = net(cases[i].b);

		assert_int_equal(subnet_overlaps(&a, &b), cases[i].want);
		assert_int_equal(subnet_overlaps(&b, &a), cases[i].want);
	}
}

static void test_hosts(void **state)
{
	static const struct {
		const char *subnet;
		uint64_t first, last;
		const char *first_addr, *last_addr;
	} cases[] = {
		{ "10.89.0.0/24", 1, 254, "10.89.0.1", "10.89.0.254" },
		{ "10.89.0.0/16", 1, 65534, "10.89.0.1", "10.89.255.254" },
		{ "192.0.2.4/30", 1, 2, "192.0.2.5", "192.0.2.6" },
		{ "192.0.2.4/31", 0, 1, "192.0.2.4", "192.0.2.5" },
		{ "192.0.2.4/32", 0, 0, "192.0.2.4", "192.0.2.4" },
		{ "0.0.0.0/0", 1, 0xfffffffe, "0.0.0.1", "255.255.255.254" },
		{ "fd00::/120", 1, 255, "fd00::1", "fd00::ff" },
		{ "fd00::/64", 1, UINT64_C(0xffffffffffff), "fd00::1", "fd00::ffff:ffff:ffff" },
		{ "fd00::8/125", 1, 7, "fd00::9", "fd00::f" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct subnet s = net(cases[i].subnet);
		struct net_addr a;
		uint64_t first, last, host;

		subnet_hosts(&s, &first, &last);
		assert_int_equal(first, cases[i].first);
		assert_int_equal(last, cases[i].last);
		assert_int_equal(subnet_address(&s, first, &a), 0);
		assert_addr(&a, cases[i].first_addr);
		assert_int_equal(subnet_host(&s, &a, &host), 0);
		assert_int_equal(host, first);
		assert_int_equal(subnet_address(&s, last, &a), 0);
		assert_addr(&a, cases[i].last_addr);
		assert_int_equal(subnet_host(&s, &a, &host), 0);
		assert_int_equal(host, last);
		assert_int_equal(subnet_address(&s, last + 2, &a), -ERANGE);
	}
}

static void test_not_in_there(void **state)
{
	static const char *const cases[][2] = {
		{ "10.89.0.0/24", "10.89.1.0" },
		{ "10.89.0.0/24", "fd00::1" },
		{ "fd00::/64", "fd00:0:0:1::1" },
		{ "fd00::/64", "fd00::1:0:0:1" }, /* behind what is counted */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct subnet s = net(cases[i][0]);
		struct net_addr a;
		uint64_t host;

		assert_int_equal(net_addr_parse(cases[i][1], &a, NULL), 0);
		assert_int_equal(subnet_host(&s, &a, &host), -ERANGE);
	}
}

static void assert_chosen(const char *const *taken, size_t n, const char *want)
{
	const struct subnet pools[] = { net("10.89.0.0/16"), net("10.90.0.0/15"),
					net("172.16.0.0/12") };
	struct subnet list[8], s;
	int r;

	for (size_t i = 0; i < n; i++)
		list[i] = net(taken[i]);
	r = subnet_choose(pools, ARRAY_SIZE(pools), 24, list, n, &s);
	assert_int_equal(r, want ? 0 : -ENOSPC);
	if (want)
		assert_addr(&s.base, want);
}

static void test_choose(void **state)
{
	static const char *const first[] = { "10.89.0.0/24" };
	static const char *const small[] = { "10.89.0.0/24", "10.89.1.77/32", "10.89.3.0/24" };
	static const char *const wide[] = { "10.89.0.0/22", "10.89.2.0/24", "10.89.4.0/23" };
	static const char *const vpn[] = { "10.0.0.0/8", "fd00::/8" };
	static const char *const end[] = { "10.89.0.0/17", "10.89.128.0/17", "10.90.0.0/16" };
	static const char *const all[] = { "10.0.0.0/8", "172.16.0.0/13", "172.24.0.0/13" };
	static const char *const any[] = { "0.0.0.0/0" };

	(void)state;
	assert_chosen(NULL, 0, "10.89.0.0");
	assert_chosen(first, ARRAY_SIZE(first), "10.89.1.0");
	assert_chosen(small, ARRAY_SIZE(small), "10.89.2.0");
	assert_chosen(wide, ARRAY_SIZE(wide), "10.89.6.0");
	assert_chosen(vpn, ARRAY_SIZE(vpn), "172.16.0.0");
	assert_chosen(end, ARRAY_SIZE(end), "10.91.0.0");
	assert_chosen(all, ARRAY_SIZE(all), NULL);
	assert_chosen(any, ARRAY_SIZE(any), NULL);
}

/* The end of all addresses is the end of a pool, too. */
static void test_choose_at_the_end(void **state)
{
	const struct subnet pool = net("255.255.255.0/24"), all = net("0.0.0.0/0");
	const struct subnet taken[] = { net("255.255.255.0/25"), net("255.255.255.128/25") };
	struct subnet s;

	(void)state;
	assert_int_equal(subnet_choose(&pool, 1, 25, taken, 1, &s), 0);
	assert_addr(&s.base, "255.255.255.128");
	assert_int_equal(subnet_choose(&pool, 1, 25, taken, 2, &s), -ENOSPC);
	assert_int_equal(subnet_choose(&pool, 1, 23, NULL, 0, &s), -ENOSPC);
	assert_int_equal(subnet_choose(&all, 1, 0, NULL, 0, &s), 0);
	assert_int_equal(subnet_choose(&all, 1, 0, &pool, 1, &s), -ENOSPC);
}

static void test_mac(void **state)
{
	const uint8_t want[6] = { 0x02, 0x42, 10, 89, 0, 7 };
	struct net_addr a, b;
	uint8_t mac[6], other[6];

	(void)state;
	assert_int_equal(net_addr_parse("10.89.0.7", &a, NULL), 0);
	net_addr_mac(&a, mac);
	assert_memory_equal(mac, want, 6);
	assert_int_equal(net_addr_parse("fd00::7", &a, NULL), 0);
	assert_int_equal(net_addr_parse("fd00::8", &b, NULL), 0);
	net_addr_mac(&a, mac);
	net_addr_mac(&b, other);
	assert_memory_not_equal(mac, other, 6);
	assert_int_equal(mac[0] & 3, 2); /* locally administered, of one machine */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),         cmocka_unit_test(test_subnets),
		cmocka_unit_test(test_overlaps),          cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_not_in_there),      cmocka_unit_test(test_choose),
		cmocka_unit_test(test_choose_at_the_end), cmocka_unit_test(test_mac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

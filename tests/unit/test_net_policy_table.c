/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <netinet/in.h>

#include "base/str.h"
#include "net/policy_table.h"

static int subnets(void *data, const char *network, struct subnet *ret, struct err *err)
{
	if (!str_eq(network, "front"))
		return err_fail(err, ERR_NOT_FOUND, "no such network: %s", network);
	assert_int_equal(subnet_parse("10.89.0.0/24", &ret[0], err), 0);
	assert_int_equal(subnet_parse("fd00:89::/64", &ret[1], err), 0);
	return 2;
}

static int text(const struct net_policy *p, struct buf *ret, struct err *err)
{
	static const struct net_addr server = { AF_INET, { 192, 0, 2, 53 } };
	const struct net_policy_table t = {
		.policy = p, .servers = &server, .n_servers = 1, .subnets = subnets
	};

	return net_policy_text(&t, ret, err);
}

#define IN                                                                                         \
	"\tchain input {\n"                                                                        \
	"\t\ttype filter hook input priority filter; policy drop;\n"                               \
	"\t\tct state { established, related } accept\n"                                           \
	"\t\tiifname \"lo\" accept\n"                                                              \
	"\t\ticmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, "            \
	"mld-listener-query } accept\n"
#define OUT                                                                                        \
	"\tchain output {\n"                                                                       \
	"\t\ttype filter hook output priority filter; policy drop;\n"                              \
	"\t\tct state { established, related } accept\n"                                           \
	"\t\toifname \"lo\" accept\n"                                                              \
	"\t\ticmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, "           \
	"mld-listener-report, mld2-listener-report } accept\n"                                     \
	"\t\tip daddr 192.0.2.53 meta l4proto { tcp, udp } th dport 53 accept\n"
#define IN_END "\t\tcounter drop comment \"dropped\"\n\t}\n"
#define OUT_END                                                                                    \
	"\t\tmeta l4proto tcp counter reject with tcp reset comment \"dropped\"\n"                 \
	"\t\tcounter reject with icmpx admin-prohibited comment \"dropped\"\n\t}\n"

static void test_text(void **state)
{
	CLEANUP(net_policy_done) struct net_policy p = { 0 };
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	assert_ok(text(&p, &out, &err));
	assert_string_equal(buf_str(&out), "");
	buf_reset(&out);

	assert_ok(net_policy_firewall(&p, "in tcp 80,90-99 from 10.0.0.0/8", &err));
	assert_ok(net_policy_firewall(&p, "in icmp", &err));
	assert_ok(text(&p, &out, &err));
	assert_string_equal(buf_str(&out),
			    "table inet inro_policy {\n" IN
			    "\t\tip saddr 10.0.0.0/8 tcp dport { 80, 90-99 } "
			    "counter accept comment \"0\"\n"
			    "\t\tmeta l4proto { icmp, ipv6-icmp } counter accept comment "
			    "\"1\"\n" IN_END "}\n");
	buf_reset(&out);

	assert_ok(net_policy_egress(&p, "allow front:53/udp fd00::5", &err));
	assert_ok(text(&p, &out, &err));
	assert_non_null(strstr(buf_str(&out), OUT
			       "\t\tip daddr 10.89.0.0/24 udp dport { 53 } counter accept comment "
			       "\"2\"\n"
			       "\t\tip6 daddr fd00:89::/64 udp dport { 53 } counter accept comment "
			       "\"2\"\n"
			       "\t\tip6 daddr fd00::5/128 counter accept comment \"3\"\n" OUT_END));
}

static void test_network_that_is_gone(void **state)
{
	CLEANUP(net_policy_done) struct net_policy p = { 0 };
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	assert_ok(net_policy_firewall(&p, "out all to back", &err));
	assert_true(text(&p, &out, &err) < 0);
	assert_string_equal(err.msg, "no such network: back");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_network_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

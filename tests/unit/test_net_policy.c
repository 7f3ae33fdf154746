/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <netinet/in.h>

#include "base/buf.h"
#include "base/str.h"
#include "net/policy.h"

static void format_peer(const struct net_rule *r, struct buf *out)
{
	char addr[NET_ADDR_TEXT];

	if (r->network)
		buf_addf(out, " %s", r->network);
	else if (r->peer.base.family)
		buf_addf(out, " %s/%u", net_addr_format(&r->peer.base, addr), r->peer.prefix);
}

/* "out tcp 80-80 90-99 10.0.0.0/8" */
static char *format_rule(const struct net_rule *r)
{
	struct buf out = BUF_INIT;

	buf_addf(&out, "%s %s", r->out ? "out" : "in",
		 !r->proto                  ? "all"
		 : r->proto == IPPROTO_ICMP ? "icmp"
					    : port_proto_name(r->proto));
	for (unsigned int i = 0; i < r->n_ports; i++)
		buf_addf(&out, " %u-%u", r->ports[i].first, r->ports[i].last);
	format_peer(r, &out);
	return buf_take(&out);
}

static const struct {
	bool egress;
	const char *word, *want; /* rules, one a line */
} good[] = {
	{ false, "in tcp 80 from 10.0.0.0/8", "in tcp 80-80 10.0.0.0/8\n" },
	{ false, "  in\ttcp  80,90-99 ", "in tcp 80-80 90-99\n" },
	{ false, "in udp 53 from any", "in udp 53-53\n" },
	{ false, "in sctp", "in sctp\n" },
	{ false, "in all from front", "in all front\n" },
	{ false, "in icmp from fd00::/8", "in icmp fd00::/8\n" },
	{ false, "in TCP 22 from 192.0.2.7", "in tcp 22-22 192.0.2.7/32\n" },
	{ false, "in tcp from 2001:db8::7", "in tcp 2001:db8::7/128\n" },
	{ false, "out tcp 443 to back_2.x", "out tcp 443-443 back_2.x\n" },
	{ false, "out all", "out all\n" },
	{ true, "deny", "" },
	{ true, "allow 10.0.0.0/8", "out all 10.0.0.0/8\n" },
	{ true, "allow 10.0.0.0/8:443", "out tcp 443-443 10.0.0.0/8\n" },
	{ true, "allow 10.0.0.1:443,8000-8010/udp", "out udp 443-443 8000-8010 10.0.0.1/32\n" },
	{ true, "allow 10.0.0.1 front:80", "out all 10.0.0.1/32\nout tcp 80-80 front\n" },
	{ true, "allow front:53/udp", "out udp 53-53 front\n" },
	{ true, "allow fd00::/8", "out all fd00::/8\n" },
	{ true, "allow fd00::/8:443", "out tcp 443-443 fd00::/8\n" },
	{ true, "allow [fd00::/8]:53/udp", "out udp 53-53 fd00::/8\n" },
	{ true, "allow fd00::5", "out all fd00::5/128\n" },
	{ true, "allow [fd00::5]", "out all fd00::5/128\n" },
	{ true, "allow [fd00::5]:443", "out tcp 443-443 fd00::5/128\n" },
	{ true, "allow any:443", "out tcp 443-443\n" },
};

static int read_word(struct net_policy *p, bool egress, const char *word, struct err *err)
{
	return egress ? net_policy_egress(p, word, err) : net_policy_firewall(p, word, err);
}

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct err err = ERR_INIT;
		struct net_policy p = { 0 };
		cleanup_buf struct buf got = BUF_INIT;
		bool out = good[i].egress || str_starts(good[i].word, "out");

		if (read_word(&p, good[i].egress, good[i].word, &err) < 0)
			fail_msg("%s: %s", good[i].word, err.msg);
		for (size_t n = 0; n < p.n; n++) {
			cleanup_free char *rule = format_rule(&p.rules[n]);

			buf_addf(&got, "%s\n", rule);
		}
		assert_string_equal(buf_str(&got), good[i].want);
		assert_int_equal(p.out, out);
		assert_int_equal(p.in, !out);
		net_policy_done(&p);
	}
}

static const struct {
	bool egress;
	const char *word, *msg;
} bad[] = {
	{ false, "", "begins with \"in\" or \"out\"" },
	{ false, "tcp 80", "begins with \"in\" or \"out\"" },
	{ false, "IN tcp 80", "begins with \"in\" or \"out\"" },
	{ false, "in", "no protocol" },
	{ false, "in from 10.0.0.0/8", "no protocol" },
	{ false, "in 80", "invalid protocol \"80\"" },
	{ false, "in all 80", "unexpected \"80\": only tcp, udp and sctp have ports" },
	{ false, "in icmp 8", "unexpected \"8\"" },
	{ false, "in tcp 0", "invalid port \"0\"" },
	{ false, "in tcp 80,", "invalid port \"\"" },
	{ false, "in tcp 99-90", "invalid port \"99-90\"" },
	{ false, "in tcp 80, 90", "invalid port \"\"" },
	{ false, "in tcp 80 90", "unexpected \"90\": expected from PEER" },
	{ false, "in tcp 80 to 10.0.0.0/8", "from goes with \"in\", not with \"to\"" },
	{ false, "out tcp 80 from 10.0.0.0/8", "to goes with \"out\", not with \"from\"" },
	{ false, "in tcp 80 from", "nothing behind \"from\"" },
	{ false, "in tcp 80 from a b", "unexpected \"b\" behind a" },
	{ false, "in tcp 80 from 10.0.0.7/8", "10.0.0.0/8?" },
	{ false, "in tcp 80 from 10.0.0", "\"10.0.0\" is no address" },
	{ false, "in tcp 80 from 1.2.3.4.5", "is no address" },
	{ false, "in tcp 80 from a;b", "is no address" },
	{ false, "in tcp 80 from \"a\"", "is no address" },
	{ false, "in tcp 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "more than 16 ports" },
	{ true, "", "expected deny, or allow" },
	{ true, "allow", "expected deny, or allow" },
	{ true, "deny all", "expected deny, or allow" },
	{ true, "10.0.0.0/8", "expected deny, or allow" },
	{ true, "allow front: 80", "invalid port \"\"" },
	{ true, "allow front:80/icmp", "invalid protocol \"icmp\"" },
	{ true, "allow 10.0.0.0/33:80", "invalid subnet: 10.0.0.0/33" },
	{ true, "allow fd00::5:443/udp", "invalid subnet: fd00::5:443/udp" },
	{ true, "allow [fd00::5", "is no address" },
	{ true, "allow [fd00::5]x", "is no address" },
	{ true, "allow 10.0.0.1 back x;y", "\"x;y\" is no address" },
};

static void test_bad(void **state)
{
	struct net_policy p = { 0 };

	(void)state;
	assert_int_equal(net_policy_firewall(&p, "in tcp 22", NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = ERR_INIT;

		if (read_word(&p, bad[i].egress, bad[i].word, &err) != -EINVAL)
			fail_msg("%s: taken", bad[i].word);
		if (!strstr(err.msg, bad[i].msg) || !err.hint[0])
			fail_msg("%s: %s; %s", bad[i].word, err.msg, err.hint);
		assert_int_equal(err.kind, ERR_USAGE);
		/* What it had before, and no more. */
		assert_int_equal(p.n, 1);
		assert_false(p.out);
	}
	net_policy_done(&p);
}

static void test_limits(void **state)
{
	struct net_policy p = { 0 };

	(void)state;
	for (int i = 0; i < 256; i++)
		assert_int_equal(net_policy_firewall(&p, "out all to front", NULL), 0);
	assert_true(net_policy_firewall(&p, "in all from front", NULL) < 0);
	assert_true(net_policy_egress(&p, "allow front", NULL) < 0);
	assert_false(p.in);
	assert_int_equal(p.n, 256);
	net_policy_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
					    cmocka_unit_test(test_limits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

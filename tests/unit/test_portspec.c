/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <netinet/in.h>

#include "net/portspec.h"

/* docker 28.2 takes all of them; podman 4.3.1 not those marked. */
static const struct {
	const char *word, *host;
	uint16_t host_first, host_last, first, last;
	uint8_t proto;
} good[] = {
	{ "80", "", 0, 0, 80, 80, IPPROTO_TCP },
	{ ":80", "", 0, 0, 80, 80, IPPROTO_TCP },
	{ "::80", "", 0, 0, 80, 80, IPPROTO_TCP }, /* not podman */
	{ "0:80", "", 0, 0, 80, 80, IPPROTO_TCP }, /* not podman */
	{ "80/", "", 0, 0, 80, 80, IPPROTO_TCP },  /* not podman */
	{ "53/UDP", "", 0, 0, 53, 53, IPPROTO_UDP },
	{ "7/sctp", "", 0, 0, 7, 7, IPPROTO_SCTP },
	{ "80-80", "", 0, 0, 80, 80, IPPROTO_TCP }, /* not podman */
	{ "65535:65535", "", 65535, 65535, 65535, 65535, IPPROTO_TCP },
	{ "8080:80/udp", "", 8080, 8080, 80, 80, IPPROTO_UDP },
	{ ":8080:80", "", 8080, 8080, 80, 80, IPPROTO_TCP },     /* not podman */
	{ "8000-8005:80", "", 8000, 8005, 80, 80, IPPROTO_TCP }, /* not podman */
	{ "8000-8001:90-91", "", 8000, 8001, 90, 91, IPPROTO_TCP },
	{ "90-91", "", 0, 0, 90, 91, IPPROTO_TCP },
	{ "1.2.3.4::80", "1.2.3.4", 0, 0, 80, 80, IPPROTO_TCP },
	{ "1.2.3.4:81:80", "1.2.3.4", 81, 81, 80, 80, IPPROTO_TCP },
	{ "0.0.0.0:81:80", "0.0.0.0", 81, 81, 80, 80, IPPROTO_TCP },
	{ "[1.2.3.4]:81:80", "1.2.3.4", 81, 81, 80, 80, IPPROTO_TCP },
	{ "[::1]:81:80/udp", "::1", 81, 81, 80, 80, IPPROTO_UDP },
	{ "[::1]::80", "::1", 0, 0, 80, 80, IPPROTO_TCP },
	{ "[::]:81:80", "::", 81, 81, 80, 80, IPPROTO_TCP },
	{ "::1:81:80", "::1", 81, 81, 80, 80, IPPROTO_TCP },                  /* not podman */
	{ "::::80", "::", 0, 0, 80, 80, IPPROTO_TCP },                        /* not podman */
	{ "2001:db8::68::333", "2001:db8::68", 0, 0, 333, 333, IPPROTO_TCP }, /* not podman */
};

static void test_good(void **state)
{
	struct err err = ERR_INIT;
	char host[NET_ADDR_TEXT];
	struct port_publish p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		if (port_publish_parse(good[i].word, &p, &err) < 0)
			fail_msg("%s: %s", good[i].word, err.msg);
		assert_string_equal(net_addr_format(&p.host, host), good[i].host);
		assert_int_equal(p.host_ports.first, good[i].host_first);
		assert_int_equal(p.host_ports.last, good[i].host_last);
		assert_int_equal(p.ports.first, good[i].first);
		assert_int_equal(p.ports.last, good[i].last);
		assert_int_equal(p.proto, good[i].proto);
	}
}

static const struct {
	const char *word, *msg, *hint;
} bad[] = {
	{ "", "no port specified: <empty>", "" },
	{ ":", "no port specified: :<empty>", "" },
	{ "80:", "no port specified: 80:<empty>", "" },
	{ "/udp", "no port specified: /udp<empty>", "" },
	{ "80:80:", "no port specified: 80:80:<empty>", "" },
	{ "0", "invalid containerPort: 0", "from 1 to 65535" },
	{ "80:0", "invalid containerPort: 0", "from 1 to 65535" },
	{ "65536", "invalid containerPort: 65536", "from 1 to 65535" },
	{ "99999999999999999999", "invalid containerPort: 99999999999999999999", "" },
	{ "-1", "invalid containerPort: -1", "" },
	{ "+8", "invalid containerPort: +8", "" },
	{ "08", "invalid containerPort: 08", "" },
	{ " 80", "invalid containerPort:  80", "" },
	{ "80 ", "invalid containerPort: 80 ", "" },
	{ "9-8", "invalid containerPort: 9-8", "a range" },
	{ "80-", "invalid containerPort: 80-", "" },
	{ "1-2-3", "invalid containerPort: 1-2-3", "" },
	{ "http", "invalid containerPort: http", "" },
	{ "80/foo", "invalid proto: foo", "tcp, udp or sctp" },
	{ "80/udp/x", "invalid proto: udp/x", "" },
	{ "a:80", "invalid hostPort: a", "nothing for any" },
	{ "-80:80", "invalid hostPort: -80", "" },
	{ "80-:80", "invalid hostPort: 80-", "" },
	{ "0-5:80", "invalid hostPort: 0-5", "" },
	{ "1.2.3.4:80", "invalid hostPort: 1.2.3.4", "1.2.3.4:8080:80, or 1.2.3.4::80" },
	{ "[::1]:80", "invalid hostPort: [::1]", "[::1]:8080:80" },
	{ "::1:80", "invalid IP address: :", "in brackets" },
	{ "1:2:3:4", "invalid IP address: 1:2", "in brackets" },
	{ "[]:80:80", "invalid IP address: []", "" },
	{ "[::1%lo]:80:80", "invalid IP address: ::1%lo", "" },
	{ "[::1:80:80", "invalid IP address: [::1", "in brackets" },
	{ "::ffff:1.2.3.4:80:80", "write it as IPv4", "" },
	{ "localhost:80:80", "invalid IP address: localhost", "not on a name" },
	{ "1.2.3:1:1", "invalid IP address: 1.2.3", "" },
	{ "*:80:80", "invalid IP address: *", "" },
	{ "80:90-91", "invalid ranges specified for container and host Ports: 90-91 and 80",
	  "same" },
	{ "8000-8005:80-82", "container and host Ports: 80-82 and 8000-8005", "same" },
};

static void test_bad(void **state)
{
	static const char *const long_word =
	    "1111111111111111111111111111111111111111111111111111111111111111"
	    "1111111111111111111111111111111111111111111111111111111111111111";
	struct port_publish p = { .proto = 99 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = ERR_INIT;

		if (port_publish_parse(bad[i].word, &p, &err) != -EINVAL)
			fail_msg("%s: taken", bad[i].word);
		if (!strstr(err.msg, bad[i].msg) || !strstr(err.hint, bad[i].hint))
			fail_msg("%s: %s; %s", bad[i].word, err.msg, err.hint);
		assert_int_equal(err.kind, ERR_USAGE);
		assert_int_equal(p.proto, 99);
	}
	assert_true(port_publish_parse(long_word, &p, NULL) < 0);
	assert_true(port_expose_parse(long_word, &p, NULL) < 0);
}

static void test_expose(void **state)
{
	static const struct {
		const char *word, *msg;
	} wrong[] = {
		{ "", "invalid range format for --expose: : invalid containerPort: " },
		{ "a", "invalid range format for --expose: a: invalid containerPort: a" },
		{ "82-80", "invalid range format for --expose: 82-80" },
		{ "80/foo", "invalid proto: foo" },
		{ "80:80", "invalid port format for --expose: 80:80" },
	};
	struct err err = ERR_INIT;
	struct port_publish p;

	(void)state;
	assert_ok(port_expose_parse("8000-8010/UDP", &p, &err));
	assert_int_equal(p.ports.first, 8000);
	assert_int_equal(p.ports.last, 8010);
	assert_string_equal(port_proto_name(p.proto), "udp");
	assert_int_equal(p.host.family, 0);
	assert_int_equal(p.host_ports.first, 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		err = (struct err)ERR_INIT;
		assert_int_equal(port_expose_parse(wrong[i].word, &p, &err), -EINVAL);
		if (!strstr(err.msg, wrong[i].msg))
			fail_msg("%s: %s", wrong[i].word, err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
					    cmocka_unit_test(test_expose) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

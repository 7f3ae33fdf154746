/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <netinet/in.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "engine/publish.h"

static struct net_addr addr(const char *text)
{
	struct net_addr a = { .family = 0 };

	if (text)
		assert_int_equal(net_addr_parse(text, &a, NULL), 0);
	return a;
}

static const struct {
	const char *host, *to4, *to6;
	uint8_t proto;
	/* "HOST PORT TO PORT" of each; of all: "*" */
	const char *elements, *relays, *users;
} cases[] = {
	{ "0.0.0.0", "10.0.0.2", "fd00::2", IPPROTO_TCP, "* 80 10.0.0.2 8",
	  "127.0.0.1 80 10.0.0.2 8", "0.0.0.0 80 10.0.0.2 8 seen" },
	{ "::", "10.0.0.2", "fd00::2", IPPROTO_UDP, "* 80 fd00::2 8", "::1 80 fd00::2 8",
	  ":: 80 fd00::2 8 seen" },
	{ "127.0.0.1", "10.0.0.2", "fd00::2", IPPROTO_TCP, "", "127.0.0.1 80 10.0.0.2 8",
	  "127.0.0.1 80 10.0.0.2 8" },
	{ "127.0.0.9", "10.0.0.2", "", IPPROTO_TCP, "", "127.0.0.9 80 10.0.0.2 8",
	  "127.0.0.9 80 10.0.0.2 8" },
	{ "192.0.2.1", "10.0.0.2", "fd00::2", IPPROTO_TCP, "192.0.2.1 80 10.0.0.2 8", "",
	  "192.0.2.1 80 10.0.0.2 8 seen" },
	/* The container has none of that family: whoever comes is relayed to the other. */
	{ "::", "10.0.0.2", NULL, IPPROTO_TCP, "", ":: 80 10.0.0.2 8", ":: 80 10.0.0.2 8" },
	{ "::1", "10.0.0.2", NULL, IPPROTO_TCP, "", "::1 80 10.0.0.2 8", "::1 80 10.0.0.2 8" },
	{ "0.0.0.0", NULL, NULL, IPPROTO_TCP, "", "", "" },
	/* Which nobody relays. */
	{ "0.0.0.0", "10.0.0.2", NULL, IPPROTO_SCTP, "* 80 10.0.0.2 8", "", "" },
};

static void say(struct buf *out, const struct net_addr *from, uint16_t from_port,
		const struct net_addr *to, uint16_t to_port)
{
	char a[NET_ADDR_TEXT], b[NET_ADDR_TEXT];

	net_addr_format(from, a);
	buf_addf(out, "%s %u %s %u", from->family ? a : "*", from_port, net_addr_format(to, b),
		 to_port);
}

static char *elements(const struct engine *eng, const struct port_bindings *ports,
		      const struct net_addr *to4, const struct net_addr *to6)
{
	struct buf out = BUF_INIT;
	struct fw_ports list = { 0 };

	publish_elements(eng, ports, to4, to6, &list);
	for (size_t i = 0; i < list.n; i++) {
		const struct fw_port *p = &list.items[i];

		assert_int_equal(p->proto, ports->items[0].proto);
		say(&out, &p->host, p->host_port, &p->to, p->to_port);
	}
	free(list.items);
	return buf_take(&out);
}

static char *relays(const struct engine *eng, const struct port_bindings *ports,
		    const struct net_addr *to4, const struct net_addr *to6)
{
	struct buf out = BUF_INIT;
	struct publish_relays list = { 0 };

	publish_relays(eng, ports, to4, to6, &list);
	for (size_t i = 0; i < list.n; i++) {
		const struct net_relay *p = &list.items[i];

		assert_int_equal(p->proto, ports->items[0].proto);
		say(&out, &p->from, p->from_port, &p->to, p->to_port);
		buf_adds(&out, p->transparent ? " seen" : "");
	}
	free(list.items);
	return buf_take(&out);
}

static void test_where_ports_lead(void **state)
{
	const struct engine root = ENGINE_INIT;
	struct engine user = ENGINE_INIT;

	(void)state;
	user.rootless = true;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct port_binding b = { .proto = cases[i].proto,
					  .host = addr(cases[i].host),
					  .host_port = 80,
					  .port = 8 };
		const struct port_bindings ports = { &b, 1 };
		const struct net_addr to4 = addr(cases[i].to4);
		const struct net_addr to6 = addr(str_eq(cases[i].to6, "") ? NULL : cases[i].to6);
		cleanup_free char *e = elements(&root, &ports, &to4, &to6);
		cleanup_free char *r = relays(&root, &ports, &to4, &to6);
		cleanup_free char *none = elements(&user, &ports, &to4, &to6);
		cleanup_free char *u = relays(&user, &ports, &to4, &to6);

		assert_string_equal(e, cases[i].elements);
		assert_string_equal(r, cases[i].relays);
		assert_string_equal(none, "");
		assert_string_equal(u, cases[i].users);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_where_ports_lead) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

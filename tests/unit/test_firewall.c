/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "net/firewall_internal.h"

static struct subnet net(const char *text)
{
	struct err err = ERR_INIT;
	struct subnet s;

	assert_ok(subnet_parse(text, &s, &err));
	return s;
}

static struct net_addr addr(const char *text)
{
	struct err err = ERR_INIT;
	struct net_addr a = { .family = 0 };

	if (text)
		assert_ok(net_addr_parse(text, &a, &err));
	return a;
}

static struct fw_port port(uint8_t proto, const char *host, uint16_t from, const char *to,
			   uint16_t to_port)
{
	return (struct fw_port){ .proto = proto,
				 .host = addr(host),
				 .host_port = from,
				 .to = addr(to),
				 .to_port = to_port };
}

static void assert_element(const struct nft_elements *list, size_t i, const void *key,
			   size_t key_len, const void *data, size_t data_len)
{
	assert_true(i < list->n);
	assert_int_equal(list->items[i].key_len, key_len);
	assert_memory_equal(list->items[i].key, key, key_len);
	assert_int_equal(list->items[i].data_len, data_len);
	assert_memory_equal(list->items[i].data, data, data_len);
}

/* The bytes are what `nft --debug=netlink` shows for the same words. */
static void test_ports(void **state)
{
	const struct fw_port ports[] = {
		port(IPPROTO_TCP, NULL, 8080, "10.89.0.7", 80),
		port(IPPROTO_UDP, "0.0.0.0", 53, "10.89.0.7", 5353),
		port(IPPROTO_TCP, "192.0.2.1", 8080, "10.89.0.7", 80),
		port(IPPROTO_TCP, NULL, 8080, "fd00:89::7", 80),
		port(IPPROTO_TCP, "2001:db8::1", 8080, "fd00:89::7", 80),
		/* relayed, or of no use: */
		port(IPPROTO_TCP, "127.0.0.1", 1, "10.89.0.7", 80),
		port(IPPROTO_TCP, "::1", 2, "fd00:89::7", 80),
		port(IPPROTO_TCP, "::", 3, "10.89.0.7", 80),
		port(IPPROTO_TCP, "192.0.2.1", 4, "fd00:89::7", 80),
	};
	const struct fw_state s = { .ports = ports, .n_ports = ARRAY_SIZE(ports) };
	cleanup_fw_elements struct fw_elements e;

	(void)state;
	fw_pack(&s, &e);
	assert_int_equal(e.of[FW_PORTS4].n, 3);
	assert_element(&e.of[FW_PORTS4], 0, "\6\0\0\0\x1f\x90\0\0", 8, "\x0a\x59\0\7\0\x50\0\0", 8);
	assert_element(&e.of[FW_PORTS4], 1, "\x11\0\0\0\0\x35\0\0", 8, "\x0a\x59\0\7\x14\xe9\0\0",
		       8);
	assert_element(&e.of[FW_PORTS4], 2, "\6\0\0\0\0\3\0\0", 8, "\x0a\x59\0\7\0\x50\0\0", 8);
	assert_int_equal(e.of[FW_PORTS4_ON].n, 1);
	assert_element(&e.of[FW_PORTS4_ON], 0, "\xc0\0\2\1\6\0\0\0\x1f\x90\0\0", 12,
		       "\x0a\x59\0\7\0\x50\0\0", 8);
	assert_int_equal(e.of[FW_PORTS6].n, 1);
	assert_element(&e.of[FW_PORTS6], 0, "\6\0\0\0\x1f\x90\0\0", 8,
		       "\xfd\0\0\x89\0\0\0\0\0\0\0\0\0\0\0\7\0\x50\0\0", 20);
	assert_int_equal(e.of[FW_PORTS6_ON].n, 1);
	assert_int_equal(e.of[FW_PORTS6_ON].items[0].key_len, 24);
}

static void assert_interval(const char *subnet, const char *first, const char *behind)
{
	struct fw_network n = { .bridge = "inro0" };
	const struct fw_state s = { .networks = &n, .n_networks = 1 };
	cleanup_fw_elements struct fw_elements e;
	struct net_addr a = addr(first), b = addr(behind);
	bool six = a.family == AF_INET6;
	const struct nft_elements *list = &e.of[six ? FW_NETS6 : FW_NETS4];

	*(six ? &n.v6 : &n.v4) = net(subnet);
	fw_pack(&s, &e);
	assert_int_equal(list->n, behind ? 2 : 1);
	assert_element(list, 0, a.bytes, six ? 16 : 4, "", 0);
	assert_false(list->items[0].end);
	if (!behind)
		return;
	assert_element(list, 1, b.bytes, six ? 16 : 4, "", 0);
	assert_true(list->items[1].end);
}

static void test_intervals(void **state)
{
	(void)state;
	assert_interval("10.89.0.0/24", "10.89.0.0", "10.89.1.0");
	assert_interval("10.89.255.0/24", "10.89.255.0", "10.90.0.0");
	assert_interval("10.0.0.0/9", "10.0.0.0", "10.128.0.0");
	assert_interval("10.89.0.6/31", "10.89.0.6", "10.89.0.8");
	assert_interval("10.89.0.255/32", "10.89.0.255", "10.89.1.0");
	assert_interval("192.0.0.0/2", "192.0.0.0", NULL);
	assert_interval("0.0.0.0/0", "0.0.0.0", NULL);
	assert_interval("fd00:89::/64", "fd00:89::", "fd00:89:0:1::");
	assert_interval("ffff::/16", "ffff::", NULL);
}

static void test_networks(void **state)
{
	const struct fw_network all[] = {
		{ .bridge = "inro0", .v4 = net("10.89.0.0/24"), .masquerade = true, .icc = true },
		{ .bridge = "inro1",
		  .v4 = net("10.89.1.0/24"),
		  .masquerade = true,
		  .internal = true,
		  .open = true },
		{ .bridge = "inro2", .v6 = net("fd00:89::/64"), .routed = true },
	};
	const struct fw_state s = { .networks = all, .n_networks = ARRAY_SIZE(all) };
	cleanup_fw_elements struct fw_elements e;

	(void)state;
	fw_pack(&s, &e);
	assert_int_equal(e.of[FW_BRIDGES].n, 3);
	assert_element(&e.of[FW_BRIDGES], 1, "inro1\0\0\0\0\0\0\0\0\0\0", 16, "", 0);
	assert_int_equal(e.of[FW_ICC].n, 1);
	assert_element(&e.of[FW_ICC], 0, "inro0\0\0\0\0\0\0\0\0\0\0\0inro0\0\0\0\0\0\0\0\0\0\0", 32,
		       "", 0);
	assert_int_equal(e.of[FW_HAIRPIN].n, 6);
	assert_element(&e.of[FW_HAIRPIN], 1,
		       "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0inro0\0\0\0\0\0\0\0\0\0\0", 32, "", 0);
	assert_int_equal(e.of[FW_INTERNAL].n, 1);
	assert_int_equal(e.of[FW_OPEN].n, 1);
	assert_int_equal(e.of[FW_ROUTED].n, 1);
	assert_int_equal(e.of[FW_NETS4].n, 4);
	assert_int_equal(e.of[FW_MASQ4].n, 2);
	assert_int_equal(e.of[FW_NETS6].n, 2);
	assert_int_equal(e.of[FW_MASQ6].n, 0);
}

static void pack(struct nft_elements *ret, const struct fw_port *ports, size_t n)
{
	const struct fw_state s = { .ports = ports, .n_ports = n };
	struct fw_elements e;

	fw_pack(&s, &e);
	*ret = e.of[FW_PORTS4];
}

static void test_comparison(void **state)
{
	const struct fw_port have[] = { port(IPPROTO_TCP, NULL, 9, "10.89.0.7", 80),
					port(IPPROTO_TCP, NULL, 2, "10.89.0.7", 80),
					port(IPPROTO_TCP, NULL, 5, "10.89.0.7", 80) };
	const struct fw_port want[] = { port(IPPROTO_TCP, NULL, 1, "10.89.0.8", 80),
					port(IPPROTO_TCP, NULL, 5, "10.89.0.8", 80),
					port(IPPROTO_TCP, NULL, 9, "10.89.0.7", 80),
					port(IPPROTO_UDP, NULL, 9, "10.89.0.7", 80) };
	cleanup_nft_elements struct nft_elements h, w;
	cleanup_fw_difference struct fw_difference d, none;

	(void)state;
	pack(&h, have, ARRAY_SIZE(have));
	pack(&w, want, ARRAY_SIZE(want));
	fw_compare(&h, &w, &d);
	assert_int_equal(d.wrong, 1);
	assert_int_equal(d.add.n, 3);
	assert_int_equal(d.remove.n, 2);
	assert_element(&d.remove, 0, "\6\0\0\0\0\2\0\0", 8, "\x0a\x59\0\7\0\x50\0\0", 8);
	fw_compare(&w, &w, &none);
	assert_int_equal(none.add.n + none.remove.n + none.wrong, 0);
}

/* The same key as beginning and as end are two; what nft(8) puts before all is nothing. */
static void test_comparison_of_intervals(void **state)
{
	const struct fw_network two[] = { { .bridge = "a", .v4 = net("10.89.0.0/24") },
					  { .bridge = "b", .v4 = net("10.89.1.0/24") } };
	const struct fw_state both = { .networks = two, .n_networks = 2 },
			      one = { .networks = two + 1, .n_networks = 1 };
	const struct nft_element nothing = { .key_len = 4, .end = true };
	cleanup_fw_elements struct fw_elements have, want;
	cleanup_fw_difference struct fw_difference d, same;

	(void)state;
	fw_pack(&both, &have);
	fw_pack(&one, &want);
	fw_compare(&have.of[FW_NETS4], &want.of[FW_NETS4], &d);
	assert_int_equal(d.add.n, 0);
	assert_int_equal(d.remove.n, 2);
	assert_element(&d.remove, 0, "\x0a\x59\0\0", 4, "", 0);
	assert_element(&d.remove, 1, "\x0a\x59\1\0", 4, "", 0);
	assert_true(d.remove.items[1].end && !d.remove.items[0].end);
	have.of[FW_NETS4].items[0] = nothing;
	have.of[FW_NETS4].n = 1;
	want.of[FW_NETS4].n = 0;
	fw_compare(&have.of[FW_NETS4], &want.of[FW_NETS4], &same);
	assert_int_equal(same.remove.n, 0);
}

static void test_settling(void **state)
{
	const struct fw_port have[] = { port(IPPROTO_TCP, NULL, 1, "10.89.0.7", 80),
					port(IPPROTO_TCP, NULL, 2, "10.89.0.9", 80),
					port(IPPROTO_TCP, NULL, 3, "10.89.0.9", 80),
					port(IPPROTO_TCP, NULL, 4, "10.89.0.9", 80) };
	/* there; another's already; gone */
	const struct fw_port remove[] = { port(IPPROTO_TCP, NULL, 1, "10.89.0.7", 80),
					  port(IPPROTO_TCP, NULL, 2, "10.89.0.7", 80),
					  port(IPPROTO_TCP, NULL, 8, "10.89.0.7", 80) };
	/* comes again; led elsewhere; is there; is new */
	const struct fw_port add[] = { port(IPPROTO_TCP, NULL, 1, "10.89.0.8", 80),
				       port(IPPROTO_TCP, NULL, 3, "10.89.0.8", 80),
				       port(IPPROTO_TCP, NULL, 4, "10.89.0.9", 80),
				       port(IPPROTO_TCP, NULL, 5, "10.89.0.8", 80) };
	cleanup_nft_elements struct nft_elements h, a, r;

	(void)state;
	pack(&h, have, ARRAY_SIZE(have));
	pack(&a, add, ARRAY_SIZE(add));
	pack(&r, remove, ARRAY_SIZE(remove));
	fw_settle(&h, &a, &r);
	assert_int_equal(a.n, 4);
	assert_int_equal(r.n, 2);
	assert_element(&r, 0, "\6\0\0\0\0\1\0\0", 8, "\x0a\x59\0\7\0\x50\0\0", 8);
	assert_element(&r, 1, "\6\0\0\0\0\3\0\0", 8, "\x0a\x59\0\x9\0\x50\0\0", 8);
}

/* Of one that is led nowhere only the keys are known; a sticky one's are the second row. */
static void test_services(void **state)
{
	const struct fw_port ports[] = {
		{ .proto = 6, .host_port = 8080, .to_port = 80 },
		{ .proto = 6,
		  .host = { AF_INET, { 192, 0, 2, 1 } },
		  .host_port = 81,
		  .to_port = 80 },
		{ .proto = 6,
		  .host = { AF_INET, { 127, 0, 0, 1 } },
		  .host_port = 82,
		  .to_port = 80 },
	};
	struct net_addr slots[FW_SLOTS];
	struct fw_service service = { .vip = { AF_INET, { 10, 89, 0, 5 } },
				      .slots = slots,
				      .ports = ports,
				      .n_ports = ARRAY_SIZE(ports) };
	const struct fw_state s = { .services = &service, .n_services = 1 };
	cleanup_fw_elements struct fw_elements e;
	cleanup_fw_elements struct fw_elements gone;

	(void)state;
	for (size_t i = 0; i < FW_SLOTS; i++)
		slots[i] = (struct net_addr){ AF_INET, { 10, 89, 0, (uint8_t)(6 + i % 2) } };
	fw_pack(&s, &e);
	assert_int_equal(e.of[FW_VIPS4].n, 1);
	assert_int_equal(e.of[FW_VIP4].n, FW_SLOTS);
	assert_int_equal(e.of[FW_SLOTS4].n, FW_SLOTS);
	assert_int_equal(e.of[FW_SLOTS4_ON].n, FW_SLOTS);
	assert_element(&e.of[FW_VIP4], 3, "\x0a\x59\0\5\3\0\0\0", 8, "\x0a\x59\0\7", 4);
	assert_element(&e.of[FW_SLOTS4], 2, "\6\0\0\0\x1f\x90\0\0\2\0\0\0", 12,
		       "\x0a\x59\0\6\0\x50\0\0", 8);
	assert_element(&e.of[FW_SLOTS4_ON], 0, "\xc0\0\2\1\6\0\0\0\0\x51\0\0\0\0\0\0", 16,
		       "\x0a\x59\0\6\0\x50\0\0", 8);

	service.slots = NULL;
	service.sticky = true;
	fw_pack(&s, &gone);
	assert_element(&gone.of[FW_VIP4], 0, "\x0a\x59\0\5\0\1\0\0", 8, "", 0);
	service.sticky = false;
	fw_elements_done(&gone);
	fw_pack(&s, &gone);
	fw_settle(&e.of[FW_VIP4], &(struct nft_elements){ 0 }, &gone.of[FW_VIP4]);
	assert_int_equal(gone.of[FW_VIP4].n, FW_SLOTS);
}

static void test_text(void **state)
{
	cleanup_buf struct buf text = BUF_INIT;
	size_t rules = 0;

	(void)state;
	fw_text("inro/x", &text);
	for (const char *p = buf_str(&text); (p = strstr(p, "\n\t\t")); p++)
		rules += strncmp(p, "\n\t\ttype ", 8) != 0;
	assert_int_equal(rules, FW_RULES);
	assert_int_equal(strncmp(buf_str(&text), "table inet inro/x {\n", 20), 0);
	for (size_t i = 0; i < FW_SETS; i++)
		assert_non_null(strstr(buf_str(&text), fw_set_names[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),    cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_networks), cmocka_unit_test(test_comparison),
		cmocka_unit_test(test_settling), cmocka_unit_test(test_comparison_of_intervals),
		cmocka_unit_test(test_text),     cmocka_unit_test(test_services),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

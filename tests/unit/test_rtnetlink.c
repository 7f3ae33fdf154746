/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "sys/rtnetlink_link.h"

struct answer {
	char data[512];
	size_t len;
};

static void put(struct answer *a, const void *data, size_t len)
{
	memcpy(a->data + a->len, data, len);
	a->len += (len + 3) & ~(size_t)3;
}

static void put_attr(struct answer *a, uint16_t type, const void *data, size_t len)
{
	struct rtattr attr = { .rta_len = (uint16_t)(sizeof(attr) + len), .rta_type = type };

	put(a, &attr, sizeof(attr));
	put(a, data, len);
}

/* One address of interface 7. Returns where its header is. */
static size_t put_addr(struct answer *a, uint8_t family, const void *local, size_t len,
		       uint32_t flags)
{
	struct ifaddrmsg msg = { .ifa_family = family, .ifa_prefixlen = 24, .ifa_index = 7 };
	struct nlmsghdr hdr = { .nlmsg_type = RTM_NEWADDR };
	size_t start = a->len;

	put(a, &hdr, sizeof(hdr));
	put(a, &msg, sizeof(msg));
	put_attr(a, family == AF_INET ? IFA_LOCAL : IFA_ADDRESS, local, len);
	put_attr(a, IFA_LABEL, "eth0:1", 7); /* not wanted, and padded */
	put_attr(a, IFA_FLAGS, &flags, sizeof(flags));
	hdr.nlmsg_len = (uint32_t)(a->len - start);
	memcpy(a->data + start, &hdr, sizeof(hdr));
	return start;
}

static void put_done(struct answer *a, uint16_t flags)
{
	struct nlmsghdr hdr = { .nlmsg_len = sizeof(hdr),
				.nlmsg_type = NLMSG_DONE,
				.nlmsg_flags = flags };

	put(a, &hdr, sizeof(hdr));
}

static void test_addresses(void **state)
{
	const uint8_t v4[4] = { 192, 0, 2, 7 }, v6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 9 };
	struct rtnl_addrs addrs = { 0 };
	struct answer a = { .len = 0 };

	put_addr(&a, AF_INET, v4, 4, IFA_F_PERMANENT);
	put_addr(&a, AF_INET6, v6, 16, IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
	assert_int_equal(rtnl_addrs_parse(a.data, a.len, 7, &addrs), 0);
	assert_int_equal(addrs.n, 2);
	assert_int_equal(addrs.items[0].family, AF_INET);
	assert_int_equal(addrs.items[0].prefix_len, 24);
	assert_int_equal(addrs.items[0].flags, IFA_F_PERMANENT);
	assert_true(addrs.items[0].have_local && !addrs.items[0].have_address);
	assert_memory_equal(addrs.items[0].local, v4, 4);
	assert_int_equal(addrs.items[1].flags, IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
	assert_memory_equal(addrs.items[1].address, v6, 16);
	/* appended; another interface's do not count */
	put_done(&a, 0);
	assert_int_equal(rtnl_addrs_parse(a.data, a.len, 8, &addrs), 1);
	assert_int_equal(addrs.n, 2);
	rtnl_addrs_done(&addrs);
}

static void test_error_of_the_kernel(void **state)
{
	struct nlmsghdr hdr = { .nlmsg_len = sizeof(hdr) + 4, .nlmsg_type = NLMSG_ERROR };
	struct rtnl_addrs addrs = { 0 };
	struct answer a = { .len = 0 };
	int e = -EPERM;

	put(&a, &hdr, sizeof(hdr));
	put(&a, &e, sizeof(e));
	assert_int_equal(rtnl_addrs_parse(a.data, a.len, 7, &addrs), -EPERM);
	assert_int_equal(rtnl_addrs_parse(a.data, a.len - 4, 7, &addrs), -EPROTO);
}

static void test_wrong_lengths(void **state)
{
	const uint8_t v4[4] = { 192, 0, 2, 7 };
	struct rtnl_addrs addrs = { 0 };
	struct answer a = { .len = 0 };
	struct nlmsghdr hdr;
	struct rtattr attr;

	put_addr(&a, AF_INET, v4, 4, 0);
	for (size_t len = sizeof(hdr); len < a.len; len++)
		assert_int_equal(rtnl_addrs_parse(a.data, len, 7, &addrs), -EPROTO);
	memcpy(&hdr, a.data, sizeof(hdr));
	hdr.nlmsg_len = 3;
	memcpy(a.data, &hdr, sizeof(hdr));
	assert_int_equal(rtnl_addrs_parse(a.data, a.len, 7, &addrs), -EPROTO);

	a.len = 0;
	put_addr(&a, AF_INET, v4, 4, 0);
	memcpy(&attr, a.data + sizeof(hdr) + sizeof(struct ifaddrmsg), sizeof(attr));
	attr.rta_len = 0; /* would not move on */
	memcpy(a.data + sizeof(hdr) + sizeof(struct ifaddrmsg), &attr, sizeof(attr));
	assert_int_equal(rtnl_addrs_parse(a.data, a.len, 7, &addrs), -EPROTO);

	/* An address of the wrong size is none. */
	a.len = 0;
	put_addr(&a, AF_INET6, v4, 4, 0);
	assert_int_equal(rtnl_addrs_parse(a.data, a.len, 7, &addrs), -EPROTO);
	rtnl_addrs_done(&addrs);
}

static void test_links(void **state)
{
	static const uint8_t mac[6] = { 2, 0x42, 10, 89, 0, 1 };
	const struct ifinfomsg msg = { .ifi_index = 9, .ifi_flags = IFF_UP }, none = { 0 };
	cleanup_rtnl_links struct rtnl_links links = { 0 }, nameless = { 0 };
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT, wrong = NLBUF_INIT;
	size_t info;

	(void)state;
	nlbuf_begin(&q, RTM_NEWLINK, 0, &msg, sizeof(msg));
	nlbuf_attr_str(&q, IFLA_IFNAME, "iv1");
	nlbuf_attr(&q, IFLA_IFALIAS, "inro front", 10); /* the kernel sends no NUL */
	nlbuf_attr_u32(&q, IFLA_MASTER, 4);
	nlbuf_attr_u32(&q, IFLA_MTU, 1500);
	nlbuf_attr(&q, IFLA_ADDRESS, mac, sizeof(mac));
	info = nlbuf_nest(&q, IFLA_LINKINFO);
	nlbuf_attr_str(&q, IFLA_INFO_KIND, "veth");
	nlbuf_unnest(&q, info);
	nlbuf_begin(&q, RTM_NEWLINK, 0, &none, sizeof(none));
	nlbuf_attr_str(&q, IFLA_IFNAME, "tun0");
	nlbuf_attr(&q, IFLA_ADDRESS, mac, 4); /* some have no MAC address but another one */
	assert_int_equal(rtnl_links_parse(q.buf.data, q.buf.len, &links), 0);
	assert_int_equal(links.n, 2);
	assert_string_equal(links.items[0].name, "iv1");
	assert_string_equal(links.items[0].alias, "inro front");
	assert_string_equal(links.items[0].kind, "veth");
	assert_int_equal(links.items[0].index, 9);
	assert_int_equal(links.items[0].bridge, 4);
	assert_int_equal(links.items[0].mtu, 1500);
	assert_true(links.items[0].up && links.items[0].have_mac);
	assert_memory_equal(links.items[0].mac, mac, sizeof(mac));
	assert_false(links.items[1].up || links.items[1].have_mac);
	assert_string_equal(links.items[1].alias, "");

	nlbuf_begin(&wrong, RTM_NEWLINK, 0, &msg, sizeof(msg));
	assert_int_equal(rtnl_links_parse(wrong.buf.data, wrong.buf.len, &nameless), -EPROTO);
}

static void test_routes(void **state)
{
	static const uint8_t to[4] = { 192, 0, 2, 0 }, via[16] = { 0xfe, 0x80, [15] = 1 };
	struct rtmsg four = { .rtm_family = AF_INET,
			      .rtm_dst_len = 24,
			      .rtm_table = RT_TABLE_COMPAT,
			      .rtm_type = RTN_BLACKHOLE };
	const struct rtmsg six = { .rtm_family = AF_INET6,
				   .rtm_table = RT_TABLE_MAIN,
				   .rtm_type = RTN_UNICAST },
			   other = { .rtm_family = 28 };
	cleanup_rtnl_routes struct rtnl_routes routes = { 0 };
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT, wrong = NLBUF_INIT;

	(void)state;
	nlbuf_begin(&q, RTM_NEWROUTE, 0, &four, sizeof(four));
	nlbuf_attr_u32(&q, RTA_TABLE, 1000); /* above 255: here alone */
	nlbuf_attr(&q, RTA_DST, to, sizeof(to));
	nlbuf_attr_u32(&q, RTA_PRIORITY, 7);
	nlbuf_begin(&q, RTM_NEWROUTE, 0, &other, sizeof(other));
	nlbuf_begin(&q, RTM_NEWROUTE, 0, &six, sizeof(six));
	nlbuf_attr(&q, RTA_GATEWAY, via, sizeof(via));
	nlbuf_attr_u32(&q, RTA_OIF, 2);
	assert_int_equal(rtnl_routes_parse(q.buf.data, q.buf.len, &routes), 0);
	assert_int_equal(routes.n, 2);
	assert_int_equal(routes.items[0].prefix_len, 24);
	assert_memory_equal(routes.items[0].to, to, sizeof(to));
	assert_int_equal(routes.items[0].table, 1000);
	assert_int_equal(routes.items[0].metric, 7);
	assert_int_equal(routes.items[0].type, RTN_BLACKHOLE);
	assert_false(routes.items[0].have_gateway);
	assert_int_equal(routes.items[1].table, RT_TABLE_MAIN);
	assert_int_equal(routes.items[1].index, 2);
	assert_true(routes.items[1].have_gateway);
	assert_memory_equal(routes.items[1].gateway, via, sizeof(via));

	four.rtm_dst_len = 33;
	nlbuf_begin(&wrong, RTM_NEWROUTE, 0, &four, sizeof(four));
	assert_int_equal(rtnl_routes_parse(wrong.buf.data, wrong.buf.len, &routes), -EPROTO);
}

static void test_link_local(void **state)
{
	static const uint8_t mac[6] = { 2, 0x42, 10, 89, 0, 7 };
	static const uint8_t want[16] = { 0xfe, 0x80, 0,  0,    0,    0,  0, 0,
					  0,    0x42, 10, 0xff, 0xfe, 89, 0, 7 };
	struct rtnl_addr a = rtnl_addr_link_local(mac);

	(void)state;
	assert_memory_equal(a.local, want, sizeof(want));
	assert_int_equal(a.scope, RT_SCOPE_LINK);
}

static void test_interfaces(void **state)
{
	struct err err = ERR_INIT;
	int sock = rtnl_open(&err);

	assert_true(sock >= 0);
	assert_true(rtnl_link_index(sock, "lo", &err) > 0);
	assert_int_equal(rtnl_link_index(sock, "no-such-link", &err), -ENODEV);
	assert_string_equal(err.msg, "");
	close(sock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),     cmocka_unit_test(test_error_of_the_kernel),
		cmocka_unit_test(test_wrong_lengths), cmocka_unit_test(test_links),
		cmocka_unit_test(test_routes),        cmocka_unit_test(test_link_local),
		cmocka_unit_test(test_interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

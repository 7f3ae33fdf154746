/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "sys/rtnetlink.h"

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
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_error_of_the_kernel),
		cmocka_unit_test(test_wrong_lengths),
		cmocka_unit_test(test_interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#include "base/fd.h"
#include "base/io.h"
#include "net/names.h"
#include "net/service/helper.h"
#include "net/service_proto.h"

#define NETWORK   "00000000000000000000000000000000000000000000000000000000000000aa"
#define CONTAINER "11111111111111111111111111111111111111111111111111111111111111bb"

static const char *const names[] = { "web", "WEB", "web.front", "-x",        "a b",
				     "x_y", "",    "1.2.3.4\n", "trailing-", "111111111111" };

static struct net_names example(struct net_addr *addrs)
{
	assert_int_equal(net_addr_parse("10.89.0.5", &addrs[0], NULL), 0);
	assert_int_equal(net_addr_parse("fd00:89::5", &addrs[1], NULL), 0);
	return (struct net_names){ .network = NETWORK,
				   .container = CONTAINER,
				   .addresses = addrs,
				   .n_addresses = 2,
				   .names = names,
				   .n_names = ARRAY_SIZE(names) };
}

static void test_format(void **state)
{
	cleanup_buf struct buf b = BUF_INIT;
	struct net_addr addrs[2];
	struct net_names n = example(addrs);

	net_names_format(&n, &b);
	assert_string_equal(buf_str(&b), "10.89.0.5 web web.front x_y 111111111111\n"
					 "fd00:89::5 web web.front x_y 111111111111\n");
	buf_reset(&b);
	n.names = names + 3;
	n.n_names = 2;
	net_names_format(&n, &b);
	assert_string_equal(buf_str(&b), "");
}

static void test_valid(void **state)
{
	char longest[255];

	assert_true(net_names_valid("a"));
	assert_true(net_names_valid("_sip._tcp.Example"));
	assert_false(net_names_valid("."));
	assert_false(net_names_valid("a."));
	assert_false(net_names_valid(".a"));
	assert_false(net_names_valid("a..b"));
	assert_false(net_names_valid("a#b"));
	assert_false(net_names_valid("a/b"));
	assert_false(net_names_valid("a-.b"));
	memset(longest, 'a', sizeof(longest));
	longest[63] = '\0';
	assert_true(net_names_valid(longest));
	longest[63] = 'a';
	longest[64] = '\0';
	assert_false(net_names_valid(longest));
	longest[64] = 'a';
	for (size_t i = 60; i < sizeof(longest); i += 60)
		longest[i] = '.';
	longest[253] = '\0';
	assert_true(net_names_valid(longest));
	longest[253] = 'a';
	longest[254] = '\0';
	assert_false(net_names_valid(longest));
}

static void test_files(void **state)
{
	char dir[] = "/tmp/inro-names-XXXXXX";
	cleanup_buf struct buf b = BUF_INIT;
	struct net_addr addrs[2];
	struct net_names n = example(addrs);
	struct err err = ERR_INIT;

	assert_non_null(mkdtemp(dir));
	cleanup_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(net_names_write(fd, &n, &err), 0);
	assert_int_equal(io_read_file(fd, "names/" NETWORK "/" CONTAINER, &b, 4096, NULL), 0);
	assert_int_equal(strncmp(buf_str(&b), "10.89.0.5 web ", 14), 0);
	n.n_addresses = 1;
	assert_int_equal(net_names_write(fd, &n, &err), 0);
	assert_int_equal(net_names_remove(fd, NETWORK, CONTAINER, &err), 0);
	assert_int_equal(net_names_remove(fd, NETWORK, CONTAINER, &err), 0);
	assert_int_equal(net_names_forget(fd, NETWORK, &err), 0);
	assert_int_equal(net_names_forget(fd, NETWORK, &err), 0);
	assert_int_equal(unlinkat(fd, "names", AT_REMOVEDIR), 0);
	n.network = "../../etc";
	assert_true(net_names_write(fd, &n, &err) < 0);
	assert_int_equal(rmdir(dir), 0);
}

static void test_requests(void **state)
{
	struct {
		struct service_put put;
		struct service_relay relay;
	} m = { .put = { .head = { .type = SERVICE_PUT, .version = SERVICE_VERSION },
			 .n_networks = 1,
			 .n_relays = 1 },
		.relay = { .from = { .family = AF_INET },
			   .to = { .family = AF_INET },
			   .from_port = 80,
			   .to_port = 80,
			   .proto = IPPROTO_TCP } };
	struct service_head remove = { .type = SERVICE_REMOVE, .version = SERVICE_VERSION };

	assert_int_equal(service_request_check(&m, sizeof(m), 1), 0);
	assert_int_equal(service_request_check(&m, sizeof(m), 3), -EBADMSG);
	assert_int_equal(service_request_check(&m, sizeof(m) - 1, 1), -EBADMSG);
	assert_int_equal(service_request_check(&m, sizeof(remove), 1), -EBADMSG);
	m.relay.proto = IPPROTO_SCTP;
	assert_int_equal(service_request_check(&m, sizeof(m), 1), -EBADMSG);
	m.relay.proto = IPPROTO_UDP;
	m.put.n_relays = UINT32_MAX;
	assert_int_equal(service_request_check(&m, sizeof(m), 1), -EBADMSG);
	m.put.n_relays = 1;
	m.put.n_networks = SERVICE_NETWORKS + 1;
	assert_int_equal(service_request_check(&m, sizeof(m), 1), -EBADMSG);
	assert_int_equal(service_request_check(&remove, sizeof(remove), 0), 0);
	assert_int_equal(service_request_check(&remove, sizeof(remove), 1), -EBADMSG);
	remove.version++;
	assert_int_equal(service_request_check(&remove, sizeof(remove), 0), -EBADMSG);
}

static void test_resolv(void **state)
{
	union address a[SERVICE_SERVERS];

	assert_int_equal(resolv_parse("# nameserver 9.9.9.9\nsearch example\n"
				      "nameserver 127.0.0.53\n\tnameserver\t2001:db8::1 # x\n"
				      "nameserverx 1.2.3.4\nnameserver 1.2.3\nnameserver\n"
				      "nameserver fe80::1%7\r",
				      a),
			 3);
	assert_int_equal(a[0].in.sin_addr.s_addr, htonl(0x7f000035));
	assert_int_equal(a[0].in.sin_port, htons(53));
	assert_int_equal(a[1].in6.sin6_family, AF_INET6);
	assert_int_equal(a[2].in6.sin6_scope_id, 7);
	assert_int_equal(resolv_parse("", a), 0);
	assert_int_equal(
	    resolv_parse("nameserver 1.1.1.1\nnameserver 1.1.1.1\nnameserver 1.1.1.1\n"
			 "nameserver 1.1.1.1\nnameserver 1.1.1.1\nnameserver 1.1.1.1\n"
			 "nameserver 1.1.1.1\nnameserver 1.1.1.1\nnameserver 1.1.1.1\n",
			 a),
	    SERVICE_SERVERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format), cmocka_unit_test(test_valid),
		cmocka_unit_test(test_files),  cmocka_unit_test(test_requests),
		cmocka_unit_test(test_resolv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

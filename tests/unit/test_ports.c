/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <dirent.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/strv.h"
#include "net/ports.h"

/* ---- words ---- */

static const struct {
	const char *publish, *expose;
	size_t n;
	const char *msg;
} lists[] = {
	{ "80", "", 1, NULL },
	{ "80 80", "", 1, NULL }, /* the same twice */
	{ "8080:80 8080:80", "", 1, NULL },
	{ "8080:80 8081:80", "", 2, NULL },
	{ "8080:80/udp 8080:80", "", 2, NULL },
	{ "127.0.0.1:80:80 127.0.0.2:80:80", "", 2, NULL },
	{ "127.0.0.1:80:80 [::1]:80:80", "", 2, NULL },
	{ "8000-8010:80 8005:81", "", 2, NULL }, /* one of several that are free */
	{ "8080:80", "80 81 53/udp", 3, NULL },
	{ "79-81", "80 80/udp", 2, NULL },
	{ "", "80-83 80", 5 - 1, NULL },
	{ "8080:80 8080:81", "", 0, "conflicting port mappings for host port 8080 (protocol tcp)" },
	{ "8000-8005:1-6 8005:81", "", 0,
	  "conflicting port mappings for host port 8005 (protocol tcp)" },
	{ "8080:80 127.0.0.1:8080:80", "", 0,
	  "conflicting port mappings for host port 8080 (protocol tcp)" },
	{ "0.0.0.0:53:53/udp 10.0.0.1:53:53/udp", "", 0,
	  "conflicting port mappings for host port 53 (protocol udp)" },
	{ "", "x", 0, "invalid range format for --expose: x: invalid containerPort: x" },
};

static void test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		cleanup_strv char **publish =
		    lists[i].publish[0] ? strv_split(lists[i].publish, ' ') : NULL;
		cleanup_strv char **expose =
		    lists[i].expose[0] ? strv_split(lists[i].expose, ' ') : NULL;
		cleanup_port_list struct port_list list = { 0 };
		struct err err = ERR_INIT;
		int r = port_list_parse(publish, true, expose, &list, &err);

		if (lists[i].msg) {
			assert_int_equal(r, -EINVAL);
			assert_string_equal(err.msg, lists[i].msg);
		} else if (r < 0) {
			fail_msg("%s: %s", lists[i].publish, err.msg);
		}
		if (list.n != lists[i].n)
			fail_msg("%s, %s: %zu", lists[i].publish, lists[i].expose, list.n);
	}
}

static struct port_binding binding(const char *host, uint16_t host_port, uint16_t port,
				   uint8_t proto)
{
	struct port_binding b = { .proto = proto, .host_port = host_port, .port = port };

	assert_int_equal(net_addr_parse(host, &b.host, NULL), 0);
	return b;
}

static void test_text(void **state)
{
	struct port_binding items[] = {
		binding("::", 8080, 80, IPPROTO_TCP),
		binding("0.0.0.0", 8080, 80, IPPROTO_TCP),
		binding("0.0.0.0", 9001, 91, IPPROTO_TCP),
		binding("0.0.0.0", 9000, 90, IPPROTO_TCP),
		binding("0.0.0.0", 9002, 92, IPPROTO_TCP),
		binding("0.0.0.0", 9003, 92, IPPROTO_TCP),
		binding("127.0.0.1", 53, 53, IPPROTO_UDP),
		binding("0.0.0.0", 53, 53, IPPROTO_TCP),
	};
	struct port_bindings list = { items, ARRAY_SIZE(items) };
	char *exposed[] = { (char *)"80/tcp", (char *)"443/tcp", (char *)"53/udp", NULL };
	cleanup_free char *text = ports_text(&list, exposed);
	struct port_bindings none = { 0 };
	cleanup_free char *empty = ports_text(&none, NULL);

	(void)state;
	assert_string_equal(text, "443/tcp, 0.0.0.0:53->53/tcp, 0.0.0.0:8080->80/tcp, "
				  "0.0.0.0:9000-9002->90-92/tcp, 0.0.0.0:9003->92/tcp, "
				  "127.0.0.1:53->53/udp, [::]:8080->80/tcp");
	assert_string_equal(empty, "");
	ports_sort(&list);
	assert_int_equal(list.items[0].port, 53);
	assert_int_equal(list.items[0].proto, IPPROTO_TCP);
	assert_int_equal(list.items[2].host.family, AF_INET);
	assert_int_equal(list.items[3].host.family, AF_INET6);
}

/* ---- sockets, in a network namespace of our own ---- */

static int enter(void **state)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	cleanup_fd int fd = -EBADF;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return ioctl(fd, SIOCSIFFLAGS, &lo);
}

static int bind_words(const char *words, struct port_bindings *ret, int *keep, struct err *err)
{
	cleanup_strv char **publish = strv_split(words, ' ');
	cleanup_port_list struct port_list list = { 0 };
	const struct ports_how how = { 0 };
	struct port_binding taken;

	assert_int_equal(port_list_parse(publish, false, NULL, &list, err), 0);
	return ports_bind(&list, &how, ret, keep, &taken, err);
}

/* What another program does. option: SO_REUSEADDR, SO_REUSEPORT, 0. fd or -errno. */
static int other(int type, const char *host, uint16_t port, int option)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), one = 1;
	struct net_addr a;

	assert_int_equal(net_addr_parse(host, &a, NULL), 0);
	memcpy(&at.sin_addr, a.bytes, 4);
	if (option)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, option, &one, sizeof(one)), 0);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 4) < 0)) {
		int r = -errno;

		fd_close(fd);
		return r;
	}
	return fd;
}

static size_t open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void test_kept(void **state)
{
	cleanup_port_bindings struct port_bindings list = { 0 }, second = { 0 };
	struct err err = ERR_INIT;
	int keep = -EBADF, more = -EBADF, fd;

	(void)state;
	assert_int_equal(bind_words("8080:80 53:53/udp", &list, &keep, &err), 0);
	assert_int_equal(list.n, 4);
	assert_int_equal(list.items[0].host.family, AF_INET);
	assert_int_equal(list.items[1].host.family, AF_INET6);
	assert_int_equal(list.items[1].host_port, 8080);
	/* Nobody else gets it, */
	assert_int_equal(other(SOCK_STREAM, "0.0.0.0", 8080, 0), -EADDRINUSE);
	assert_int_equal(other(SOCK_STREAM, "127.0.0.1", 8080, SO_REUSEADDR), -EADDRINUSE);
	assert_int_equal(other(SOCK_DGRAM, "0.0.0.0", 53, SO_REUSEADDR), -EADDRINUSE);
	assert_int_equal(bind_words("127.0.0.1:8080:80", &second, &more, &err), -EBUSY);
	assert_string_equal(err.msg, "Bind for 127.0.0.1:8080 failed: port is already allocated");
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_int_equal(more, -EBADF);
	/* but for the relay; */
	fd = other(SOCK_STREAM, "127.0.0.1", 8080, SO_REUSEPORT);
	assert_true(fd >= 0);
	fd_close(fd);
	/* and when the one fd is closed, anybody. */
	fd_close(keep);
	fd = other(SOCK_STREAM, "0.0.0.0", 8080, 0);
	assert_true(fd >= 0);
	fd_close(fd);
}

static void test_refused(void **state)
{
	cleanup_port_bindings struct port_bindings list = { 0 };
	struct err err = ERR_INIT;
	int keep = -EBADF, fd = other(SOCK_STREAM, "0.0.0.0", 9000, 0);

	(void)state;
	assert_true(fd >= 0);
	/* All or none: 8999 is free again. */
	assert_int_equal(bind_words("8999-9000:80-81", &list, &keep, &err), -EBUSY);
	assert_string_equal(err.msg, "Bind for 0.0.0.0:9000 failed: port is already allocated");
	assert_int_equal(list.n, 0);
	assert_int_equal(bind_words("8999:80", &list, &keep, &err), 0);
	fd_close(keep);
	port_bindings_done(&list);
	/* The first that is free. */
	assert_int_equal(bind_words("9000-9003:80", &list, &keep, &err), 0);
	assert_int_equal(list.items[0].host_port, 9001);
	fd_close(keep);
	port_bindings_done(&list);
	assert_int_equal(bind_words("9000-9000:80-80 192.0.2.1:7:7", &list, &keep, &err), -EBUSY);
	fd_close(fd);
	assert_int_equal(bind_words("192.0.2.1:7:7", &list, &keep, &err), -EADDRNOTAVAIL);
	assert_string_equal(err.msg,
			    "Bind for 192.0.2.1:7 failed: Cannot assign requested address");
	assert_string_equal(err.hint, "no interface of this machine has the address 192.0.2.1");
}

static void test_chosen(void **state)
{
	cleanup_port_bindings struct port_bindings list = { 0 };
	struct err err = ERR_INIT;
	int keep = -EBADF;

	(void)state;
	assert_int_equal(bind_words("80 80/udp 127.0.0.1::81-82", &list, &keep, &err), 0);
	assert_int_equal(list.n, 6);
	assert_true(list.items[0].host_port >= 1024);
	assert_int_equal(list.items[0].host_port, list.items[1].host_port);
	assert_int_equal(list.items[2].host_port, list.items[3].host_port);
	assert_int_not_equal(list.items[4].host_port, list.items[5].host_port);
	assert_int_equal(other(SOCK_STREAM, "127.0.0.1", list.items[0].host_port, 0), -EADDRINUSE);
	fd_close(keep);
}

/* A thousand are one fd, and are kept for another life while that is there. */
static void test_many(void **state)
{
	cleanup_port_bindings struct port_bindings list = { 0 };
	const struct ports_how how = { 0 };
	struct err err = ERR_INIT;
	int keep = -EBADF, again = -EBADF, fd;
	size_t before = open_fds();

	(void)state;
	assert_int_equal(bind_words("10000-10999:1-1000", &list, &keep, &err), 0);
	assert_int_equal(list.n, 2000);
	assert_int_equal(open_fds(), before + 1);
	assert_int_equal(ports_bind_again(&list, &how, &again, &err), 0);
	fd_close(keep);
	assert_int_equal(other(SOCK_STREAM, "0.0.0.0", 10999, 0), -EADDRINUSE);
	fd_close(again);
	fd = other(SOCK_STREAM, "0.0.0.0", 10999, 0);
	assert_true(fd >= 0);
	fd_close(fd);
}

/* Connections of the relay that have ended are not in the way of the next container. */
static void test_after_connections(void **state)
{
	cleanup_port_bindings struct port_bindings list = { 0 };
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(8080) };
	int keep = -EBADF, server, client, peer, one = 1;
	struct err err = ERR_INIT;

	(void)state;
	server = other(SOCK_STREAM, "127.0.0.1", 8080, SO_REUSEADDR);
	setsockopt(server, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
	peer = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	assert_true(peer >= 0);
	fd_close(peer); /* it closes first: TIME_WAIT is at this end */
	fd_close(client);
	fd_close(server);
	assert_int_equal(bind_words("8080:80", &list, &keep, &err), 0);
	assert_int_equal(other(SOCK_STREAM, "127.0.0.1", 8080, SO_REUSEADDR), -EADDRINUSE);
	fd_close(keep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_chosen),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_after_connections),
	};

	return cmocka_run_group_tests(tests, enter, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Networks, endpoints and leases in a database of their own. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/db.h"
#include "engine/endpoints.h"
#include "engine/leases.h"
#include "engine/network_query.h"
#include "engine/networks_internal.h"

struct world {
	char dir[64];
	struct engine eng;
};

#define WORDS(...) ((char **)(const char *const[]){ __VA_ARGS__, NULL })

static struct err err;

static int set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	cleanup_free char *path = NULL;

	snprintf(w->dir, sizeof(w->dir), "/tmp/inro-networks.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	path = path_join(w->dir, "inro.db");
	w->eng = (struct engine)ENGINE_INIT;
	w->eng.runroot = xstrdup(w->dir);
	assert_ok(db_open(path, &w->eng.db, &err));
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "inro.db", "inro.db-wal", "inro.db-shm", "net/names",
					     "net" };
	struct world *w = *state;

	engine_done(&w->eng);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *path = path_join(w->dir, names[i]);

		remove(path);
	}
	assert_int_equal(rmdir(w->dir), 0);
	free(w);
	return 0;
}

static struct network make(struct world *w, const char *name, const char *subnet4,
			   const char *range, const char *subnet6)
{
	struct network_asked asked = {
		.name = (char *)name,
		.ipv4 = (char *)(subnet4 ? "true" : "false"),
		.ipv6 = (char *)(subnet6 ? "true" : "false"),
		.subnets = (char *[]){ (char *)(subnet4 ? subnet4 : subnet6),
				       (char *)(subnet4 ? subnet6 : NULL), NULL },
		.ranges = range ? (char *[]){ (char *)range, NULL } : NULL,
	};
	struct network net = { 0 };

	assert_ok(network_create(&w->eng, &asked, &net, &err));
	return net;
}

/* What who gets, "10.9.0.2 fd00::2"; "" after a failure, which err tells. */
static const char *take(struct world *w, const struct network *net, const char *who, const char *ip,
			char **holder)
{
	static char text[128];
	char a[NET_ADDR_TEXT] = "", b[NET_ADDR_TEXT] = "";
	struct lease_addrs asked = { 0 }, got = { 0 };
	struct net_addr addr;

	if (ip) {
		assert_ok(net_addr_parse(ip, &addr, &err));
		*(strchr(ip, ':') ? &asked.ip6 : &asked.ip4) = addr;
	}
	if (leases_take(&w->eng, net, who, &asked, &got, holder, &err) < 0)
		return "";
	if (got.ip4.family)
		net_addr_format(&got.ip4, a);
	if (got.ip6.family)
		net_addr_format(&got.ip6, b);
	snprintf(text, sizeof(text), "%s%s%s", a, a[0] && b[0] ? " " : "", b);
	return text;
}

static void release(struct world *w, const char *who)
{
	assert_ok(leases_release(&w->eng, who, NULL, &err));
}

static void sql(struct world *w, const char *text)
{
	assert_ok(db_exec(w->eng.db, &err, text, ""));
}

static void add_container(struct world *w, const char *id)
{
	cleanup_free char *text =
	    xasprintf("INSERT INTO containers (id, name, image, image_name, command, created_ns,"
		      " status, auto_remove, labels) VALUES ('%s', 'name-%s', '', '', '', 1,"
		      " 'created', 0, '')",
		      id, id);

	sql(w, text);
}

/* An address comes back when all others have been used, and to its own container at once. */
static void test_order(void **state)
{
	struct world *w = *state;
	cleanup_network struct network net = make(w, "small", "10.9.0.0/29", NULL, NULL);

	/* .1 is the gateway's */
	assert_string_equal(take(w, &net, "a", NULL, NULL), "10.9.0.2");
	assert_string_equal(take(w, &net, "b", NULL, NULL), "10.9.0.3");
	assert_string_equal(take(w, &net, "a", NULL, NULL), "10.9.0.2");
	release(w, "a");
	release(w, "b");
	assert_string_equal(take(w, &net, "b", NULL, NULL), "10.9.0.3");
	assert_string_equal(take(w, &net, "c", NULL, NULL), "10.9.0.4");
	assert_string_equal(take(w, &net, "d", NULL, NULL), "10.9.0.5");
	assert_string_equal(take(w, &net, "e", NULL, NULL), "10.9.0.6");
	release(w, "d");
	release(w, "c");
	/* a's was released first, then d's */
	assert_string_equal(take(w, &net, "f", NULL, NULL), "10.9.0.2");
	assert_string_equal(take(w, &net, "g", NULL, NULL), "10.9.0.5");
	/* somebody else has a's now */
	assert_string_equal(take(w, &net, "a", NULL, NULL), "10.9.0.4");
	assert_string_equal(take(w, &net, "h", NULL, NULL), "");
	assert_int_equal(err.kind, ERR_LIMIT);
	assert_non_null(strstr(err.msg, "network small has no free address: all from 10.9.0.1 to "
					"10.9.0.6 are in use"));
}

static void test_asked(void **state)
{
	struct world *w = *state;
	cleanup_network struct network net = make(w, "asked", "10.9.0.0/24", "10.9.0.128/25", NULL);
	cleanup_free char *holder = NULL;
	struct lease_addrs asked = { 0 };

	assert_string_equal(take(w, &net, "a", NULL, NULL), "10.9.0.128");
	add_container(w, "db");
	assert_string_equal(take(w, &net, "db", "10.9.0.5", NULL), "10.9.0.5");
	assert_string_equal(take(w, &net, "b", "10.9.0.5", &holder), "");
	assert_string_equal(holder, "db");
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "10.9.0.5 of network asked is already in use by container "
					"name-db"));
	/* released, it is for who asks */
	release(w, "db");
	assert_string_equal(take(w, &net, "b", "10.9.0.5", NULL), "10.9.0.5");
	/* another one than before: the old one is nobody's */
	assert_string_equal(take(w, &net, "b", "10.9.0.6", NULL), "10.9.0.6");
	assert_string_equal(take(w, &net, "c", "10.9.0.5", NULL), "10.9.0.5");

	assert_string_equal(take(w, &net, "d", "10.9.0.1", NULL), "");
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_string_equal(take(w, &net, "d", "10.9.0.255", NULL), "");
	assert_int_equal(err.kind, ERR_USAGE);
	assert_string_equal(take(w, &net, "d", "10.9.1.1", NULL), "");
	assert_int_equal(err.kind, ERR_USAGE);
	sql(w, "BEGIN");
	assert_string_equal(take(w, &net, "d", "fd00::1", NULL), "");
	sql(w, "ROLLBACK");
	assert_non_null(strstr(err.msg, "network asked has no IPv6"));

	/* what a container that does not run has asked for is not given away, but may be asked for
	 */
	assert_ok(net_addr_parse("10.9.0.129", &asked.ip4, &err));
	assert_ok(leases_reserve(&w->eng, &net, "r", &asked, &err));
	assert_string_equal(take(w, &net, "d", NULL, NULL), "10.9.0.130");
	assert_string_equal(take(w, &net, "e", "10.9.0.129", NULL), "10.9.0.129");
	assert_ok(net_addr_parse("10.9.0.1", &asked.ip4, &err));
	assert_int_equal(leases_reserve(&w->eng, &net, "r", &asked, &err), -EBUSY);
}

/* With the record its right to an address goes, and one that is outside of the range is given to
 * nobody who does not ask. */
static void test_record_goes(void **state)
{
	struct world *w = *state;
	cleanup_network struct network net = make(w, "gone", "10.9.0.0/24", "10.9.0.8/31", NULL);
	cleanup_lease_list struct lease_list list = { 0 };
	cleanup_endpoint_list struct endpoint_list eps = { 0 };
	cleanup_endpoint struct endpoint ep = { .owner = xstrdup("c1"),
						.network = xstrdup(net.id) };

	add_container(w, "c1");
	add_container(w, "c2");
	assert_ok(netspec_parse("gone:ip=10.9.0.77,mac=02:00:00:00:00:07,alias=x,alias=y,mtu=1400",
				&ep.asked, &err));
	assert_ok(endpoint_insert(&w->eng, &net, &ep, &err));
	assert_string_equal(take(w, &net, "c1", "10.9.0.77", NULL), "10.9.0.77");
	assert_string_equal(take(w, &net, "c2", NULL, NULL), "10.9.0.8");
	assert_ok(leases_list(&w->eng, net.id, NULL, &list, &err));
	assert_int_equal(list.n, 3); /* and the gateway's */
	lease_list_done(&list);

	sql(w, "DELETE FROM containers");
	assert_ok(leases_list(&w->eng, net.id, NULL, &list, &err));
	assert_int_equal(list.n, 1);
	assert_string_equal(list.items[0].owner, LEASE_NOBODY);
	assert_ok(endpoints_of(&w->eng, "c1", &eps, &err));
	assert_int_equal(eps.n, 0);
	assert_string_equal(take(w, &net, "c3", NULL, NULL), "10.9.0.9");
	assert_string_equal(take(w, &net, "c4", NULL, NULL), "10.9.0.8");
	assert_string_equal(take(w, &net, "c5", NULL, NULL), "");
	assert_string_equal(take(w, &net, "c5", "10.9.0.77", NULL), "10.9.0.77");
}

static void test_both_families(void **state)
{
	struct world *w = *state;
	cleanup_network struct network net = make(w, "both", "10.9.0.0/24", NULL, "fd00:1::/64");
	cleanup_network struct network v6 = make(w, "six", NULL, NULL, "fd00:2::/64");
	struct lease_addrs got = { 0 };
	char text[NET_ADDR_TEXT];

	assert_string_equal(take(w, &net, "a", NULL, NULL), "10.9.0.2 fd00:1::2");
	assert_string_equal(take(w, &net, "b", "10.9.0.99", NULL), "10.9.0.99 fd00:1::63");
	assert_string_equal(take(w, &net, "c", "fd00:1::3", NULL), "10.9.0.3 fd00:1::3");
	/* v6's is taken: the next one of its own */
	assert_string_equal(take(w, &net, "d", "fd00:1::4", NULL), "10.9.0.4 fd00:1::4");
	assert_string_equal(take(w, &net, "e", "fd00:1::6", NULL), "10.9.0.5 fd00:1::6");
	assert_string_equal(take(w, &net, "f", NULL, NULL), "10.9.0.6 fd00:1::5");
	assert_string_equal(take(w, &v6, "a", NULL, NULL), "fd00:2::2");
	assert_ok(leases_of(&w->eng, &net, "b", &got, &err));
	assert_string_equal(net_addr_format(&got.ip6, text), "fd00:1::63");
	/* of one network alone */
	assert_ok(leases_release(&w->eng, "a", v6.id, &err));
	assert_ok(leases_of(&w->eng, &v6, "a", &got, &err));
	assert_int_equal(got.ip6.family, 0);
	assert_ok(leases_of(&w->eng, &net, "a", &got, &err));
	assert_int_equal(got.ip4.family, AF_INET);
}

static int count_step(void *data)
{
	++*(uint64_t *)data;
	return 0;
}

/* Steps of SQLite's machine that one lease takes: time would tell of the machine instead. */
static uint64_t steps(struct world *w, const struct network *net, const char *who)
{
	uint64_t n = 0;

	sqlite3_progress_handler(w->eng.db->handle, 1, count_step, &n);
	assert_string_not_equal(take(w, net, who, NULL, NULL), "");
	sqlite3_progress_handler(w->eng.db->handle, 0, NULL, NULL);
	return n;
}

static void test_many(void **state)
{
	struct world *w = *state;
	cleanup_network struct network net = make(w, "many", "10.64.0.0/16", NULL, NULL);
	uint64_t first, next, again, oldest;
	cleanup_free char *fill = xasprintf(
	    "INSERT INTO leases (network, family, host, owner, released_ns)"
	    " WITH RECURSIVE h(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM h WHERE i < 65530)"
	    " SELECT '%s', 2, i, 'o' || i, 1000000 - i FROM h",
	    net.id);

	sql(w, "BEGIN");
	first = steps(w, &net, "first");
	sql(w, fill);
	sql(w, "UPDATE networks SET next4 = 65531");
	next = steps(w, &net, "next");
	again = steps(w, &net, "o7");
	sql(w, "UPDATE networks SET next4 = 65535");
	oldest = steps(w, &net, "oldest");
	sql(w, "COMMIT");
	assert_true(next <= first * 3 / 2);
	assert_true(again <= first * 3 / 2);
	assert_true(oldest <= first * 3 / 2);
}

static void test_endpoint(void **state)
{
	struct world *w = *state;
	cleanup_network struct network a = make(w, "a", "10.9.0.0/24", NULL, NULL);
	cleanup_network struct network b = make(w, "b", "10.9.1.0/24", NULL, NULL);
	cleanup_endpoint struct endpoint one = { .owner = xstrdup("c"),
						 .network = xstrdup(a.id),
						 .position = -1 };
	cleanup_endpoint struct endpoint two = { .owner = xstrdup("c"),
						 .network = xstrdup(b.id),
						 .position = -1 };
	cleanup_endpoint_list struct endpoint_list list = { 0 };
	cleanup_strv char **users = NULL;

	assert_ok(netspec_parse("b:ip=10.9.1.9,ip6=fd00::9,mac=02:00:00:00:00:07,alias=x,alias=y,"
				"mtu=1400,gw-priority=-3,link-local-ip=169.254.7.7",
				&two.asked, &err));
	assert_ok(netspec_parse("a", &one.asked, &err));
	assert_ok(endpoint_insert(&w->eng, &b, &two, &err));
	assert_ok(endpoint_insert(&w->eng, &a, &one, &err));
	assert_int_equal(endpoint_insert(&w->eng, &a, &one, &err), -EEXIST);
	assert_ok(endpoints_of(&w->eng, "c", &list, &err));
	assert_int_equal(list.n, 2);
	assert_string_equal(list.items[0].network, b.id);
	assert_string_equal(list.items[0].ifname, "eth0");
	assert_string_equal(list.items[1].ifname, "eth1");
	const struct netspec *s = &list.items[0].asked;
	struct lease_addrs has = { .ip4 = { .family = 0 } };
	struct netspec six = { .kind = NETSPEC_NETWORK };
	uint8_t mac[6], by4[6], by6[6];
	assert_ok(net_addr_parse("10.9.1.7", &has.ip4, &err));
	assert_ok(net_addr_parse("fd00::9", &has.ip6, &err));
	net_addr_mac(&has.ip4, by4);
	net_addr_mac(&has.ip6, by6);
	endpoint_mac(s, &has, mac);
	assert_memory_equal(mac, s->mac, 6);
	endpoint_mac(&six, &has, mac);
	assert_memory_equal(mac, by4, 6);
	six.ip6 = has.ip6;
	endpoint_mac(&six, &has, mac);
	assert_memory_equal(mac, by6, 6);
	six.ip = has.ip4;
	endpoint_mac(&six, &has, mac);
	assert_memory_equal(mac, by4, 6);
	assert_true(net_addr_equal(&s->ip, &two.asked.ip));
	assert_true(net_addr_equal(&s->ip6, &two.asked.ip6));
	assert_memory_equal(s->mac, two.asked.mac, 6);
	assert_true(s->has_mac);
	assert_int_equal(s->mtu, 1400);
	assert_int_equal(s->gw_priority, -3);
	assert_int_equal(s->n_link_local, 1);
	assert_string_equal(s->aliases[1], "y");
	assert_int_equal(s->kind, NETSPEC_NETWORK);
	assert_string_equal(s->target, "b");
	assert_ok(network_users(&w->eng, b.id, &users, &err));
	assert_int_equal(strv_len(users), 1);
	assert_int_equal(network_remove(&w->eng, &b, &err), -EBUSY);
	assert_ok(endpoint_delete(&w->eng, "c", b.id, &err));
	assert_int_equal(endpoint_delete(&w->eng, "c", b.id, &err), -ENOENT);
	assert_ok(network_remove(&w->eng, &b, &err));
	/* Who has found it before is told. */
	assert_int_equal(endpoint_insert(&w->eng, &b, &two, &err), -ENOENT);
	assert_string_equal(err.msg, "network b not found");
}

/* What was asked for comes back from its row; subnets do not overlap. */
static void test_create(void **state)
{
	struct world *w = *state;
	struct network_asked asked = {
		.name = (char *)"front",
		.subnets = WORDS("10.9.0.0/24", "fd00:9::/64"),
		.gateways = WORDS("10.9.0.254"),
		.ranges = WORDS("10.9.0.100-10.9.0.200"),
		.aux = WORDS("printer=10.9.0.101"),
		.dns = WORDS("192.0.2.53"),
		.labels = WORDS("a=b"),
		.opts = WORDS("mtu=1400", "com.docker.network.bridge.enable_icc=false"),
		.internal = true,
	};
	cleanup_network struct network made = { 0 }, net = { 0 }, other = { 0 };
	char text[NET_ADDR_TEXT];

	assert_ok(network_create(&w->eng, &asked, &made, &err));
	assert_ok(network_find(&w->eng, "front", &net, &err));
	assert_string_equal(net.id, made.id);
	assert_string_equal(net_addr_format(&net.ip4.gateway, text), "10.9.0.254");
	assert_string_equal(net_addr_format(&net.ip4.first, text), "10.9.0.100");
	assert_string_equal(net_addr_format(&net.ip4.last, text), "10.9.0.200");
	assert_string_equal(net_addr_format(&net.ip6.gateway, text), "fd00:9::1");
	assert_string_equal(net_addr_format(&net.ip6.last, text), "fd00:9::1:0");
	assert_true(net.options.internal && net.options.no_icc && !net.options.open);
	assert_int_equal(net.options.mtu, 1400);
	assert_string_equal(net.options.dns[0], "192.0.2.53");
	assert_string_equal(json_map_get(&net.labels, "a"), "b");
	assert_string_equal(json_map_get(&net.options.given, "mtu"), "1400");
	assert_string_equal(take(w, &net, "a", NULL, NULL), "10.9.0.100 fd00:9::64");
	assert_string_equal(take(w, &net, "b", NULL, NULL), "10.9.0.102 fd00:9::66");

	assert_int_equal(network_create(&w->eng, &asked, &other, &err), -EEXIST);
	asked.name = (char *)"back";
	assert_int_equal(network_create(&w->eng, &asked, &other, &err), -EBUSY);
	assert_non_null(strstr(err.msg, "already used by network front"));
	asked = (struct network_asked){ .name = (char *)"chosen" };
	assert_ok(network_create(&w->eng, &asked, &other, &err));
	assert_int_equal(other.ip4.subnet.prefix, 24);
	assert_string_not_equal(other.bridge, net.bridge);
	assert_ok(network_update(&w->eng, "front", WORDS("192.0.2.54"), WORDS("192.0.2.53"), &err));
	network_done(&net);
	assert_ok(network_find(&w->eng, "front", &net, &err));
	assert_int_equal(strv_len(net.options.dns), 1);
	assert_string_equal(net.options.dns[0], "192.0.2.54");
	network_done(&net);
	assert_ok(network_find(&w->eng, "bridge", &net, &err));
	assert_int_equal(net.ip4.subnet.prefix, 16);
	assert_int_equal(network_rm(&w->eng, "bridge", true, &err), -EPERM);
}

static void test_refused(void **state)
{
	const struct {
		struct network_asked asked;
		const char *says;
	} cases[] = {
		{ { .name = (char *)"-x" }, "names must match" },
		{ { .name = (char *)"host" }, "predefined host network" },
		{ { .driver = (char *)"overlay" }, "could not find network driver overlay" },
		{ { .driver = (char *)"macvlan" }, "needs a parent" },
		{ { .ipam_driver = (char *)"dhcp" }, "no DHCP" },
		{ { .subnets = WORDS("10.9.0.1/24") }, "10.9.0.0/24" },
		{ { .subnets = WORDS("10.9.0.0/24", "10.8.0.0/24") }, "10.8.0.0/24" },
		{ { .gateways = WORDS("10.9.0.1") }, "no matching subnet for gateway" },
		{ { .subnets = WORDS("10.9.0.0/24"), .gateways = WORDS("10.9.0.255") },
		  "no matching subnet for gateway" },
		{ { .subnets = WORDS("10.9.0.0/24"), .ranges = WORDS("10.8.0.0/25") },
		  "no matching subnet for range" },
		{ { .subnets = WORDS("10.9.0.0/24"), .ranges = WORDS("10.9.0.9-10.9.0.8") },
		  "has no address" },
		{ { .subnets = WORDS("10.9.0.0/24"), .aux = WORDS("x") }, "NAME=ADDRESS" },
		{ { .opts = WORDS("mtu=99999999999") }, "a number up to 65535" },
		{ { .opts = WORDS("mtu=5") }, "invalid MTU 5" },
		{ { .opts = WORDS("nonsense=1") }, "network option nonsense" },
		{ { .opts = WORDS("parent=eth0") }, "network option parent" },
		{ { .dns = WORDS("ns.example") }, "invalid name server" },
		{ { .ipv4 = (char *)"false", .ipv6 = (char *)"false" }, "must be enabled" },
		{ { .ipv4 = (char *)"maybe" }, "expected true or false" },
		{ { .interface = (char *)"a/b" }, "invalid --interface-name" },
	};
	struct world *w = *state;
	cleanup_network_list struct network_list list = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_network struct network net = { 0 };

		if (network_create(&w->eng, &cases[i].asked, &net, &err) >= 0)
			fail_msg("case %zu: no error, expected %s", i, cases[i].says);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("case %zu: %s, expected %s", i, err.msg, cases[i].says);
	}
	assert_ok(networks_list(&w->eng, &list, &err));
	assert_int_equal(list.n, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order),         TEST(test_asked),   TEST(test_record_goes),
		TEST(test_both_families), TEST(test_many),    TEST(test_endpoint),
		TEST(test_create),        TEST(test_refused),
	};

	return cmocka_run_group_tests_name("networks", tests, NULL, NULL);
}

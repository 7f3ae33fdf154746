/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces, addresses, routes, nftables and conntrack of the kernel that runs, in network
 * namespaces of its own: with CAP_NET_ADMIN and CAP_SYS_ADMIN, or in a user namespace. One stands
 * for the machine, one for a container.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "net/nft_load.h"
#include "net/place.h"
#include "sys/conntrack.h"
#include "sys/nft.h"
#include "sys/rtnetlink_link.h"

static const uint8_t names_addr[4] = { 127, 0, 0, 11 };
static const uint8_t bridge_mac[6] = { 2, 0x42, 1, 2, 3, 4 }, mac[6] = { 2, 0x42, 10, 89, 0, 7 };

/* The two namespaces, and a socket of rtnetlink's and one of netfilter's in each. */
static struct {
	int ns, rt, nf;
} machine, container;

static struct rtnl_addr address(const char *text, uint8_t prefix_len)
{
	struct rtnl_addr a = { .family = strchr(text, ':') ? AF_INET6 : AF_INET,
			       .prefix_len = prefix_len,
			       .have_local = true };

	a.len = a.family == AF_INET ? 4 : 16;
	a.flags = a.family == AF_INET ? 0 : IFA_F_NODAD;
	if (inet_pton(a.family, text, a.local) != 1)
		abort();
	return a;
}

static struct rtnl_route default_route(const char *gateway)
{
	struct rtnl_addr a = address(gateway, 0);
	struct rtnl_route r = { .family = a.family, .have_gateway = true };

	memcpy(r.gateway, a.local, a.len);
	return r;
}

static int bridge_add(const char *name, struct err *err)
{
	const struct rtnl_addr addrs[] = { address("10.89.0.1", 24), address("fd00:89::1", 64),
					   rtnl_addr_link_local(bridge_mac) };
	struct rtnl_bridge b = { .name = name,
				 .alias = "inro front",
				 .mtu = 1400,
				 .ipv6 = true,
				 .addrs = addrs,
				 .n_addrs = ARRAY_SIZE(addrs) };

	memcpy(b.mac, bridge_mac, sizeof(b.mac));
	return rtnl_bridge_add(machine.rt, &b, err);
}

static int veth_add(const char *name, uint32_t bridge, struct err *err)
{
	struct rtnl_veth v = { .outside = name,
			       .inside = "eth0",
			       .netns = container.ns,
			       .bridge = bridge,
			       .mtu = 1400,
			       .have_mac = true,
			       .hairpin = true,
			       .ipv6 = true };

	memcpy(v.mac, mac, sizeof(v.mac));
	return rtnl_veth_add(machine.rt, &v, err);
}

static int inside_add(struct err *err)
{
	const struct rtnl_addr addrs[] = { address("10.89.0.7", 24), address("fd00:89::7", 64),
					   rtnl_addr_link_local(mac) };
	const struct rtnl_route routes[] = { default_route("10.89.0.1"),
					     default_route("fd00:89::1") };
	const struct rtnl_inside in = { .name = "eth0",
					.ipv6 = true,
					.addrs = addrs,
					.n_addrs = ARRAY_SIZE(addrs),
					.routes = routes,
					.n_routes = ARRAY_SIZE(routes) };

	return rtnl_inside(container.rt, &in, err);
}

static bool is_there(const char *name)
{
	return rtnl_link_index(machine.rt, name, NULL) > 0;
}

static void test_bridge(void)
{
	struct rtnl_link link = { .index = 0 };
	struct err err = ERR_INIT;

	CHECK_OK(bridge_add("inro0", &err));
	CHECK_OK(rtnl_link_read(machine.rt, "inro0", &link, &err));
	CHECK(str_eq(link.name, "inro0") && str_eq(link.kind, "bridge"));
	CHECK(str_eq(link.alias, "inro front"));
	CHECK(link.up && link.mtu == 1400);
	CHECK(link.have_mac && memcmp(link.mac, bridge_mac, sizeof(bridge_mac)) == 0);
	CHECK(bridge_add("inro0", &err) == -EEXIST);
	CHECK(is_there("inro0"));
	CHECK(rtnl_link_read(machine.rt, "inro1", &link, &err) == -ENODEV);
}

/* What fails leaves nothing, and changes nothing of what has the name. */
static void test_refused_veth(void)
{
	struct rtnl_link link;
	struct err err = ERR_INIT;

	CHECK(veth_add("inro0", 0, &err) == -EEXIST);
	CHECK(strstr(err.msg, "making a veth") != NULL);
	CHECK_FAILS(veth_add("iv1", 12345, &err));
	CHECK(strstr(err.msg, "making the veth a port of the bridge") != NULL);
	CHECK(!is_there("iv1"));
	CHECK(rtnl_link_index(container.rt, "eth0", &err) == -ENODEV);
	CHECK_OK(rtnl_link_read(machine.rt, "inro0", &link, &err));
	CHECK(link.bridge == 0 && str_eq(link.kind, "bridge"));
}

static const struct rtnl_link *find_link(const struct rtnl_links *links, const char *name)
{
	for (size_t i = 0; i < links->n; i++)
		if (str_eq(links->items[i].name, name))
			return &links->items[i];
	return NULL;
}

static void test_veth(void)
{
	cleanup_rtnl_links struct rtnl_links links = { 0 };
	CLEANUP(rtnl_addrs_done) struct rtnl_addrs addrs = { 0 };
	const struct rtnl_link *outer, *bridge;
	struct err err = ERR_INIT;
	struct rtnl_link inner = { .index = 0 };

	CHECK_OK(veth_add("iv1", (uint32_t)rtnl_link_index(machine.rt, "inro0", &err), &err));
	CHECK_OK(rtnl_links_read(machine.rt, &links, &err));
	outer = find_link(&links, "iv1");
	bridge = find_link(&links, "inro0");
	if (CHECK(outer && bridge)) {
		CHECK(outer->bridge == bridge->index);
		CHECK(outer->up && str_eq(outer->kind, "veth") && outer->alias[0] == '\0');
	}
	CHECK_OK(rtnl_link_read(container.rt, "eth0", &inner, &err));
	CHECK(!inner.up && inner.mtu == 1400);
	CHECK(memcmp(inner.mac, mac, sizeof(mac)) == 0);
	/* no address that the kernel made of it */
	CHECK_OK(rtnl_addrs_read(machine.rt, outer ? (int)outer->index : 0, &addrs, &err));
	CHECK(addrs.n == 0);
}

/* A connection from the container to the machine, at once: no address is tentative. */
static void check_connection(const char *to)
{
	struct rtnl_addr a = address(to, 0);
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	struct sockaddr_in four = { .sin_family = AF_INET };
	struct sockaddr *sa = a.family == AF_INET ? (void *)&four : (void *)&six;
	socklen_t len = a.family == AF_INET ? sizeof(four) : sizeof(six);
	cleanup_fd int listener = socket(a.family, SOCK_STREAM | SOCK_CLOEXEC, 0), client = -EBADF;

	memcpy(&four.sin_addr, a.local, 4);
	memcpy(&six.sin6_addr, a.local, 16);
	CHECK(bind(listener, sa, len) == 0 && listen(listener, 1) == 0);
	CHECK(getsockname(listener, sa, &len) == 0);
	CHECK(setns(container.ns, CLONE_NEWNET) == 0);
	client = socket(a.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(setns(machine.ns, CLONE_NEWNET) == 0);
	if (connect(client, sa, len) < 0)
		check(false, to, strerror(errno));
}

static bool has_default(const struct rtnl_routes *routes, uint8_t family, int index)
{
	for (size_t i = 0; i < routes->n; i++) {
		const struct rtnl_route *r = &routes->items[i];

		if (r->family == family && r->prefix_len == 0 && r->have_gateway &&
		    r->index == (uint32_t)index && r->table == RT_TABLE_MAIN &&
		    r->type == RTN_UNICAST)
			return true;
	}
	return false;
}

static void test_inside(void)
{
	cleanup_rtnl_routes struct rtnl_routes routes = { 0 };
	CLEANUP(rtnl_addrs_done) struct rtnl_addrs addrs = { 0 };
	struct err err = ERR_INIT;
	int index;

	CHECK_OK(inside_add(&err));
	index = rtnl_link_index(container.rt, "eth0", &err);
	CHECK_OK(rtnl_addrs_read(container.rt, index, &addrs, &err));
	CHECK(addrs.n == 3);
	for (size_t i = 0; i < addrs.n; i++)
		CHECK(!(addrs.items[i].flags & IFA_F_TENTATIVE));
	CHECK_OK(rtnl_routes_read(container.rt, &routes, &err));
	CHECK(has_default(&routes, AF_INET, index) && has_default(&routes, AF_INET6, index));
	check_connection("10.89.0.1");
	check_connection("fd00:89::1");

	/* the first message that fails is named; a way by what is not a neighbour */
	CHECK(inside_add(&err) == -EEXIST);
	CHECK(strstr(err.msg, "adding an address to the interface") != NULL);
	const struct rtnl_route astray = default_route("203.0.113.1");
	const struct rtnl_inside in = { .name = "eth0", .routes = &astray, .n_routes = 1 };
	CHECK_FAILS(rtnl_inside(container.rt, &in, &err));
	CHECK(strstr(err.msg, "adding a route") != NULL);
}

/* A table with a map: eight bytes lead to eight. */
static int table_add(struct err *err)
{
	const struct nfgenmsg head = { .nfgen_family = NFPROTO_INET };
	cleanup_nft_batch struct nft_batch b;

	nft_batch_begin(&b, "t");
	nlbuf_begin(&b.q, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE, NLM_F_ACK | NLM_F_CREATE,
		    &head, sizeof(head));
	nlbuf_attr_str(&b.q, NFTA_TABLE_NAME, "t");
	nlbuf_begin(&b.q, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSET, NLM_F_ACK | NLM_F_CREATE,
		    &head, sizeof(head));
	nlbuf_attr_str(&b.q, NFTA_SET_TABLE, "t");
	nlbuf_attr_str(&b.q, NFTA_SET_NAME, "m");
	nlbuf_attr_be32(&b.q, NFTA_SET_FLAGS, NFT_SET_MAP);
	nlbuf_attr_be32(&b.q, NFTA_SET_KEY_TYPE, 1);
	nlbuf_attr_be32(&b.q, NFTA_SET_KEY_LEN, 8);
	nlbuf_attr_be32(&b.q, NFTA_SET_DATA_TYPE, 1);
	nlbuf_attr_be32(&b.q, NFTA_SET_DATA_LEN, 8);
	nlbuf_attr_be32(&b.q, NFTA_SET_ID, 1);
	return nft_batch_send(&b, machine.nf, err);
}

static int change(bool add, const struct nft_element *e, size_t n, struct err *err)
{
	cleanup_nft_batch struct nft_batch b;

	nft_batch_begin(&b, "t");
	if (add)
		nft_batch_add(&b, "m", e, n);
	else
		nft_batch_remove(&b, "m", e, n);
	return nft_batch_send(&b, machine.nf, err);
}

static void test_elements(void)
{
	cleanup_nft_elements struct nft_elements list = { 0 };
	struct nft_element e[3000] = { 0 };
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(e); i++)
		e[i] = (struct nft_element){ .key = { 6, [4] = (uint8_t)(i >> 8), (uint8_t)i },
					     .key_len = 8,
					     .data = { 10, 89, 0, 7, 0, 80 },
					     .data_len = 8 };
	CHECK(change(true, e, 1, &err) == -ENOENT); /* no table */
	CHECK(strstr(err.msg, "nftables table t") != NULL);
	CHECK_OK(table_add(&err));
	CHECK_OK(change(true, e, ARRAY_SIZE(e), &err));
	CHECK_OK(nft_elements_read(machine.nf, "t", "m", &list, &err));
	CHECK(list.n == ARRAY_SIZE(e));
	CHECK(list.n > 0 && list.items[0].key_len == 8 && list.items[0].data[5] == 80);
	nft_elements_done(&list);

	CHECK_OK(change(true, e, 1, &err)); /* there, with the same data */
	e[0].data[5] = 81;
	CHECK(change(true, e, 2, &err) == -EEXIST);
	CHECK_OK(change(false, e, 1, &err));
	CHECK(change(false, e, 2, &err) == -ENOENT); /* whole or not at all */
	CHECK_OK(nft_elements_read(machine.nf, "t", "m", &list, &err));
	CHECK(list.n == ARRAY_SIZE(e) - 1);
	nft_elements_done(&list);
	CHECK(nft_elements_read(machine.nf, "t", "none", &list, &err) == -ENOENT);
}

static int udp_socket(const uint8_t addr[4], uint16_t port, struct sockaddr_in *ret)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*ret = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	memcpy(&ret->sin_addr, addr, 4);
	return fd;
}

/* A question to port 53 of the redirected address comes to 4053, and the answer from port 53. Both
 * may be without a checksum. */
static void check_redirected(int no_checksum)
{
	struct sockaddr_in server_at, asked, from;
	socklen_t len = sizeof(from);
	cleanup_fd int server = udp_socket(names_addr, 4053, &server_at);
	cleanup_fd int client = udp_socket(names_addr, 53, &asked);
	char word[8] = "";

	CHECK(setsockopt(client, SOL_SOCKET, SO_NO_CHECK, &no_checksum, sizeof(int)) == 0);
	CHECK(setsockopt(server, SOL_SOCKET, SO_NO_CHECK, &no_checksum, sizeof(int)) == 0);
	CHECK(bind(server, (struct sockaddr *)&server_at, sizeof(server_at)) == 0);
	CHECK(sendto(client, "what", 4, 0, (struct sockaddr *)&asked, sizeof(asked)) == 4);
	CHECK(recvfrom(server, word, sizeof(word), 0, (struct sockaddr *)&from, &len) == 4);
	CHECK(sendto(server, "this", 4, 0, (struct sockaddr *)&from, sizeof(from)) == 4);
	len = sizeof(from);
	CHECK(recvfrom(client, word, sizeof(word), 0, (struct sockaddr *)&from, &len) == 4);
	CHECK(from.sin_port == htons(53) && memcmp(word, "this", 4) == 0);
}

static void test_redirect(void)
{
	struct err err = ERR_INIT;

	CHECK_OK(nft_redirect_add(container.nf, "inro", names_addr, 53, 4053, &err));
	CHECK(nft_redirect_add(container.nf, "inro", names_addr, 53, 4053, &err) == -EEXIST);
	CHECK(setns(container.ns, CLONE_NEWNET) == 0);
	check_redirected(0);
	check_redirected(1);
	CHECK(setns(machine.ns, CLONE_NEWNET) == 0);
}

static int say_to_group(const struct in6_addr *group)
{
	const struct sockaddr_in6 at = { .sin6_family = AF_INET6,
					 .sin6_port = htons(9),
					 .sin6_addr = *group,
					 .sin6_scope_id = if_nametoindex("eth0") };
	cleanup_fd int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return sendto(fd, "x", 1, 0, (const struct sockaddr *)&at, sizeof(at)) < 0 ? -errno : 0;
}

static void test_drop(void)
{
	static const struct in6_addr dropped = { .s6_addr = { 0xff, 0x02, [15] = 0x16 } },
				     other = { .s6_addr = { 0xff, 0x02, [15] = 0x17 } };
	struct err err = ERR_INIT;

	CHECK_OK(nft_drop_to(container.nf, "reports", "eth1", dropped.s6_addr, &err));
	CHECK(setns(container.ns, CLONE_NEWNET) == 0);
	CHECK(say_to_group(&dropped) == 0);
	CHECK_OK(nft_drop_to(container.nf, "reports", "eth0", dropped.s6_addr, &err));
	CHECK(nft_drop_to(container.nf, "reports", "eth0", dropped.s6_addr, &err) == -EEXIST);
	CHECK(say_to_group(&dropped) == -EPERM);
	CHECK(say_to_group(&other) == 0);
	CHECK(setns(machine.ns, CLONE_NEWNET) == 0);
}

static int flows(void)
{
	char text[32] = "";
	cleanup_fd int fd =
	    open("/proc/sys/net/netfilter/nf_conntrack_count", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 ? (int)strtol(text, NULL, 10) : -1;
}

static int forget(uint8_t family, uint8_t proto, uint16_t port, const uint8_t *to, struct err *err)
{
	const struct conntrack_port p = {
		.family = family, .proto = proto, .port = port, .to = to
	};

	return conntrack_delete_ports(container.nf, &(struct conntrack_ports){ &p, 1 }, err);
}

/* Whatever their port: by the one and by who has an address of IPv6, or 0. */
static int forget_answered(const uint8_t *by, const uint8_t *by6, struct err *err)
{
	const struct conntrack_port p[] = {
		{ .family = AF_INET, .proto = IPPROTO_UDP, .by = by },
		{ .family = AF_INET6, .proto = IPPROTO_UDP, .by = by6 },
	};

	return conntrack_delete_ports(container.nf, &(struct conntrack_ports){ p, by6 ? 2 : 1 },
				      err);
}

static void say_to(const uint8_t addr[4], uint16_t port)
{
	struct sockaddr_in to;
	cleanup_fd int fd = udp_socket(addr, port, &to);

	CHECK(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1);
}

/* In the container's namespace, once something there makes the kernel count connections. */
static void test_conntrack(void)
{
	static const uint8_t other[4] = { 127, 0, 0, 12 }, nobody[4] = { 127, 0, 0, 13 },
			     nobody6[16] = { 0xfd, [15] = 1 };
	static const char rules[] = "table ip count { chain out { type filter hook output "
				    "priority 0; ct state new counter; }; }";
	cleanup_buf struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	int before;

	CHECK(setns(container.ns, CLONE_NEWNET) == 0);
	CHECK(flows() <= 0); /* names don't */
	buf_adds(&text, rules);
	CHECK_OK(nft_load(&text, &err));
	/* which sees one connection where ports are changed behind it */
	check_redirected(0);
	before = flows();
	CHECK(before == 1);
	for (int i = 0; i < 10; i++)
		say_to(other, (uint16_t)(7000 + i / 5));
	CHECK(flows() == before + 10);
	CHECK_OK(forget(AF_INET, IPPROTO_UDP, 7000, NULL, &err));
	CHECK(flows() == before + 5);
	CHECK_OK(forget(AF_INET, IPPROTO_TCP, 7001, NULL, &err));
	CHECK_OK(forget(AF_INET6, IPPROTO_UDP, 7001, NULL, &err));
	CHECK_OK(forget(AF_INET, IPPROTO_UDP, 7001, names_addr, &err));
	CHECK(flows() == before + 5);
	CHECK_OK(forget_answered(nobody, NULL, &err));
	CHECK(flows() == before + 5);
	CHECK_OK(forget_answered(nobody, nobody6, &err));
	CHECK(flows() == before + 5);
	CHECK_OK(forget_answered(other, NULL, &err));
	CHECK(flows() == before);
	/* by a listing for both families */
	say_to(other, 7000);
	CHECK(flows() == before + 1);
	CHECK_OK(forget_answered(other, nobody6, &err));
	CHECK(flows() == before);
	CHECK(setns(machine.ns, CLONE_NEWNET) == 0);
}

/* Of this kind, by that parent: 0, or -EOPNOTSUPP where the kernel has none such. */
static int child_add(int kind, const char *parent, const char *name, struct err *err)
{
	struct rtnl_child c = { .kind = kind,
				.name = name,
				.netns = container.ns,
				.parent = (uint32_t)rtnl_link_index(machine.rt, parent, err),
				.mtu = 1300,
				.have_mac = kind != RTNL_IPVLAN };

	if (kind == RTNL_VLAN)
		c.vlan = 7;
	else if (kind == RTNL_MACVLAN)
		c.mode = MACVLAN_MODE_BRIDGE;
	memcpy(c.mac, mac, sizeof(c.mac));
	return rtnl_child_add(machine.rt, &c, err);
}

static void test_children(void)
{
	/* an ipvlan wants the parent for itself */
	static const char *const kinds[] = { [RTNL_MACVLAN] = "macvlan", [RTNL_VLAN] = "vlan" };
	static const int order[] = { RTNL_VLAN, RTNL_MACVLAN };
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		const char *kind = kinds[order[i]];
		struct rtnl_link link = { .index = 0 };
		int r = child_add(order[i], "inro0", kind, &err);

		if (r == -EOPNOTSUPP && order[i] != RTNL_MACVLAN)
			continue; /* the kernel says so, and is asked no more */
		CHECK_OK(r);
		CHECK_OK(rtnl_link_read(container.rt, kind, &link, &err));
		CHECK(str_eq(link.kind, kind) && link.mtu == 1300 && !link.up);
		CHECK(memcmp(link.mac, mac, sizeof(mac)) == 0);
		CHECK(child_add(order[i], "inro0", kind, &err) == -EEXIST);
		CHECK_OK(rtnl_link_delete(container.rt, kind, &err));
	}
	/* a bridge's port has its frames taken away already */
	CHECK(child_add(RTNL_MACVLAN, "iv1", "eth1", &err) == -EBUSY);
	CHECK(strstr(err.msg, "making a macvlan") != NULL);
	CHECK(rtnl_link_index(container.rt, "eth1", &err) == -ENODEV);
}

static void test_delete(void)
{
	struct err err = ERR_INIT;

	CHECK_OK(rtnl_link_delete(machine.rt, "iv1", &err));
	CHECK(!is_there("iv1"));
	CHECK(rtnl_link_index(container.rt, "eth0", &err) == -ENODEV);
	CHECK_OK(rtnl_link_delete(machine.rt, "iv1", &err));
	CHECK(rtnl_link_delete(machine.rt, "lo", &err) < 0);
	CHECK(strstr(err.msg, "removing the network interface") != NULL);
}

/* ---- who is there for a moment ---- */

/* Root of a container which sees this machine's processes; it writes what tracing one comes to. */
static void trace(int sock)
{
	pid_t pid = 0;
	int r;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 || write(sock, &pid, sizeof(pid)) < 0 ||
	    read(sock, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
	r = ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 ? -errno : 0;
	_exit(write(sock, &r, sizeof(r)) != sizeof(r));
}

static int be_traced(void *data, struct err *err)
{
	const int *sock = data;
	pid_t pid = (pid_t)syscall(SYS_getpid);
	int r = -EIO;

	(void)err;
	return write(*sock, &pid, sizeof(pid)) == sizeof(pid) &&
		       read(*sock, &r, sizeof(r)) == sizeof(r)
		   ? r
		   : -EIO;
}

static void drop_rights(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { .effective = 0 } };

	if (syscall(SYS_capset, &head, none) < 0)
		_exit(1);
}

/* CVE-2016-9962: a process that visits a container shares its caller's memory. Returns what tracing
 * it came to. */
static int visit_traced(bool rights)
{
	int pair[2], sock, status = -1;
	struct net_place place;
	char path[64];
	pid_t pid, tracer;

	pid = fork();
	if (pid > 0 && waitpid(pid, &status, 0) == pid)
		return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
	if (pid < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		_exit(EIO);
	sock = pair[0];
	tracer = fork();
	if (tracer == 0)
		trace(pair[1]);
	close(pair[1]);
	if (tracer < 0 || read(sock, &status, sizeof(status)) != sizeof(status))
		_exit(EIO);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)tracer);
	place.userns = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)tracer);
	place.netns = open(path, O_RDONLY | O_CLOEXEC);
	if (!rights)
		drop_rights();
	_exit(-net_place_run(&place, be_traced, &sock, NULL));
}

/* Of a user namespace in another one, as of a user's container: the outer one counts. */
static int which_userns(void)
{
	cleanup_fd int outer = -EBADF, netns = -EBADF, found = -EBADF;
	int pair[2], status = -1;
	struct stat a, b;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		int fds[2];

		unshare(CLONE_NEWUSER); /* in which it has to be somebody */
		io_write_file(AT_FDCWD, "/proc/self/setgroups", "deny", NULL);
		io_write_file(AT_FDCWD, "/proc/self/uid_map", "0 0 1", NULL);
		io_write_file(AT_FDCWD, "/proc/self/gid_map", "0 0 1", NULL);
		fds[0] = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
		unshare(CLONE_NEWUSER | CLONE_NEWNET);
		fds[1] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		_exit(fd_send(pair[1], "", 1, fds, 2) < 0);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0) {
		int fds[2] = { -EBADF, -EBADF };
		size_t n = 2;
		char byte;

		fd_recv(pair[0], &byte, 1, fds, &n);
		outer = fds[0];
		netns = fds[1];
	}
	close(pair[0]);
	close(pair[1]);
	found = net_place_userns(netns);
	if (found < 0 || fstat(outer, &a) < 0 || fstat(found, &b) < 0)
		return -EIO;
	return a.st_ino == b.st_ino;
}

static void test_visit(void)
{
	CHECK(which_userns() == 1);
	CHECK(net_place_userns(machine.ns) < 0); /* this process's own */
	CHECK(visit_traced(true) == -EPERM);
	CHECK(visit_traced(false) == -EPERM);
}

/* In this order: each goes on with what the one before has made. */
static const struct {
	const char *name;
	void (*fn)(void);
} tests[] = {
	{ "bridge", test_bridge },     { "refused veth", test_refused_veth },
	{ "veth", test_veth },         { "inside", test_inside },
	{ "elements", test_elements }, { "redirect", test_redirect },
	{ "drop", test_drop },         { "conntrack", test_conntrack },
	{ "children", test_children }, { "delete", test_delete },
	{ "visit", test_visit },
};

static int namespace_new(int *ret_ns, int *ret_rt, int *ret_nf, struct err *err)
{
	if (unshare(CLONE_NEWNET) < 0)
		return err_errno(err, errno, "making a network namespace");
	*ret_ns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	*ret_rt = rtnl_open(err);
	*ret_nf = nft_open(err);
	return *ret_ns < 0 || *ret_rt < 0 || *ret_nf < 0 ? -EBADF : 0;
}

int main(void)
{
	struct err err = ERR_INIT;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (namespace_new(&container.ns, &container.rt, &container.nf, &err) < 0 ||
	    namespace_new(&machine.ns, &machine.rt, &machine.nf, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		int failed = run.failed;

		run.name = tests[i].name;
		run.done++;
		tests[i].fn();
		if (run.failed == failed)
			printf("ok - %s\n", run.name);
	}
	printf("%d tests, %d checks failed\n", run.done, run.failed);
	return run.failed ? 1 : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "net/veth.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>

#include "base/fd.h"
#include "base/str.h"
#include "net/place.h"
#include "sys/nft.h"

#define NAME_TRIES   26
#define CHILD_TRIES  300       /* 3 s */
#define BRIDGES_LOCK "bridges" /* of who makes one */

#define REPORTS_TABLE "inro-reports" /* in the container */

static int call_make(void *data, struct err *err)
{
	int (**make)(struct err * err) = data;

	return (*make)(err);
}

int netns_socket(int netns, int (*make)(struct err *err), struct err *err)
{
	const struct net_place there = { .userns = -EBADF, .netns = netns };

	return net_place_run(&there, call_make, &make, err);
}

bool veth_has_ipv6(void)
{
	return access("/proc/sys/net/ipv6", F_OK) == 0;
}

/* A bridge of ours that was killed on its way has no alias yet, but the network's MAC. */
static bool is_this(const struct rtnl_link *l, const struct rtnl_bridge *b)
{
	if (!str_eq(l->kind, "bridge"))
		return false;
	if (l->alias[0])
		return b->alias && str_eq(l->alias, b->alias);
	return l->have_mac && memcmp(l->mac, b->mac, sizeof(b->mac)) == 0;
}

/* With the lock: nobody else is making it, so what is half made stays so. */
static int make_bridge(int sock, const struct rtnl_bridge *b, struct rtnl_link *ret,
		       struct err *err)
{
	int r = rtnl_link_read(sock, b->name, ret, err);

	if (r == 0 && !ret->alias[0] && is_this(ret, b)) {
		r = rtnl_link_delete(sock, b->name, err);
		if (r == 0)
			r = -ENODEV;
	}
	if (r != -ENODEV)
		return r;
	r = rtnl_bridge_add(sock, b, err);
	if (r < 0)
		return err_wrap(err, r, "making bridge %s", b->name);
	return rtnl_link_read(sock, b->name, ret, err);
}

int veth_bridge(int sock, int dir, const struct rtnl_bridge *b, uint32_t *ret_index,
		struct err *err)
{
	cleanup_fd int lock = -EBADF;
	struct rtnl_link link;
	int r = rtnl_link_read(sock, b->name, &link, err);

	if (r == -ENODEV || (r == 0 && !link.alias[0])) {
		lock = openat(dir, BRIDGES_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (lock < 0 || NO_EINTR(flock(lock, LOCK_EX)) < 0)
			return err_errno(err, errno, "locking the bridges");
		r = make_bridge(sock, b, &link, err);
	}
	if (r == -ENODEV)
		return err_errno(err, ENODEV, "looking for bridge %s", b->name);
	if (r < 0)
		return r;
	if (!is_this(&link, b))
		return err_hint(err,
				err_fail(err, ERR_EXISTS,
					 "there is an interface %s which is not this network's",
					 b->name),
				"ip link delete %s, if nobody else needs it", b->name);
	*ret_index = link.index;
	return 0;
}

static int add_veth(int sock, int dir, const struct veth_plug *p, int netns, bool ipv6,
		    struct err *err)
{
	char name[RTNL_NAME_MAX];
	struct rtnl_veth v = {
		.outside = name,
		.inside = p->inside,
		.netns = netns,
		.mtu = p->mtu,
		.have_mac = true,
		.hairpin = true,
		.isolated = p->isolated,
		.ipv6 = ipv6,
	};
	int r = veth_bridge(sock, dir, p->bridge, &v.bridge, err);

	if (r < 0)
		return r;
	memcpy(v.mac, p->mac, sizeof(v.mac));
	snprintf(name, sizeof(name), "%s", p->outside);
	r = rtnl_veth_add(sock, &v, err);
	for (int i = 0; r == -EEXIST && !p->own_name && i < NAME_TRIES; i++) {
		snprintf(name, sizeof(name), "%s%c", p->outside, 'a' + i);
		r = rtnl_veth_add(sock, &v, err);
	}
	return r == -EEXIST && p->own_name
		   ? err_fail(err, ERR_EXISTS, "this machine has an interface %s already",
			      p->outside)
		   : r;
}

/* Two of one parent can't have the same MAC address, and the last one of a container that starts
 * again goes some time after its namespace. */
static int child_up(int inside, const char *name, struct err *err)
{
	int index = rtnl_link_index(inside, name, err), r = index;

	for (int i = 0; index > 0 && i < CHILD_TRIES; i++) {
		const struct timespec pause = { .tv_nsec = 10000000 };

		r = rtnl_link_up(inside, index, err);
		if (r != -EADDRINUSE)
			break;
		nanosleep(&pause, NULL);
	}
	return r == -EADDRINUSE
		   ? err_hint(err, r, "another interface by the same parent has this MAC address")
		   : r;
}

static int add_child(int sock, int inside, const struct veth_plug *p, int netns, struct err *err)
{
	struct net_child c = *p->child;
	int r;

	c.name = p->inside;
	c.netns = netns;
	c.mtu = p->mtu;
	c.mac = p->no_mac ? NULL : p->mac;
	r = net_child_add(sock, &c, err);
	return r < 0 ? r : child_up(inside, p->inside, err);
}

static int add_link(int sock, int inside, int dir, const struct veth_plug *p, int netns, bool ipv6,
		    struct err *err)
{
	if (p->device)
		return net_device_move(sock, inside, netns, p->device, p->inside, err);
	return p->child ? add_child(sock, inside, p, netns, err)
			: add_veth(sock, dir, p, netns, ipv6, err);
}

/* Nobody on a bridge asks for reports of who is in which group (RFC 3810), but each would go to all
 * containers: several for every start, which so took the longer the more there were. */
static void send_no_reports(const char *ifname)
{
	static const uint8_t all_routers[16] = { 0xff, 0x02, [15] = 0x16 };
	cleanup_fd int nf = nft_open(NULL);

	if (nf >= 0)
		nft_drop_to(nf, REPORTS_TABLE, ifname, all_routers, NULL);
}

static int quieten(void *data, struct err *err)
{
	static char word[] = "net.ipv6.conf.IFNAME.accept_ra=0";
	char *const words[] = { word, NULL };
	int r = net_sysctls_set(words, data, err);

	if (r == 0)
		send_no_reports(data);
	return r;
}

/* Before it is up. Whoever is on the bridge could tell that it is the router (CVE-2020-13401). */
static int be_quiet_on_bridge(int netns, const struct veth_plug *p, struct err *err)
{
	const struct net_place there = { .userns = -EBADF, .netns = netns };

	return net_place_run(&there, quieten, (void *)(uintptr_t)p->inside, err);
}

static int set_inside(int sock, const struct veth_plug *p, bool ipv6, struct err *err)
{
	cleanup_free struct rtnl_addr *addrs = xcalloc(p->n_addrs + 1, sizeof(*addrs));
	struct rtnl_inside in = {
		.name = p->inside,
		.ipv6 = ipv6 && !p->child && !p->device,
		.addrs = addrs,
		.routes = p->routes,
		.n_routes = p->n_routes,
	};

	for (size_t i = 0; i < p->n_addrs; i++)
		if (ipv6 || p->addrs[i].family != AF_INET6)
			addrs[in.n_addrs++] = p->addrs[i];
	if (in.ipv6)
		addrs[in.n_addrs++] = rtnl_addr_link_local(p->mac);
	return rtnl_inside(sock, &in, err);
}

static bool has_ipv6(const struct veth_plug *p)
{
	return veth_has_ipv6() && (!p->mtu || p->mtu >= 1280);
}

int veth_plug(int netns, int dir, const struct veth_plug *plugs, size_t n, bool keep,
	      struct err *err)
{
	static const struct rtnl_inside loopback = { 0 };
	cleanup_fd int inside = netns_socket(netns, rtnl_open, err);
	cleanup_fd int sock = inside < 0 ? -EBADF : rtnl_open(err);
	size_t done = 0;
	int r = inside < 0 ? inside : sock;

	if (r >= 0 && !n)
		return rtnl_inside(inside, &loopback, err);
	for (; r >= 0 && done < n; done++) {
		const struct veth_plug *p = &plugs[done];
		bool ipv6 = has_ipv6(p);

		r = add_link(sock, inside, dir, p, netns, ipv6, err);
		if (r >= 0 && ipv6 && !p->child && !p->device)
			r = be_quiet_on_bridge(netns, p, err);
		if (r >= 0)
			r = set_inside(inside, p, ipv6, err);
		if (r < 0)
			err_wrap(err, r, "interface %s", p->inside);
	}
	for (; r < 0 && keep && done > 0; done--)
		if (!plugs[done - 1].device)
			rtnl_link_delete(inside, plugs[done - 1].inside, NULL);
	return r < 0 ? r : 0;
}

/* The outer end has one of several names. */
static bool is_port(int sock, const struct veth_plug *p)
{
	struct rtnl_link bridge, port;

	if (rtnl_link_read(sock, p->bridge->name, &bridge, NULL) < 0)
		return false;
	for (int i = -1; i < (p->own_name ? 0 : NAME_TRIES); i++) {
		char name[RTNL_NAME_MAX];

		snprintf(name, sizeof(name), "%s%c", p->outside, i < 0 ? '\0' : 'a' + i);
		if (rtnl_link_read(sock, name, &port, NULL) == 0 && port.bridge == bridge.index)
			return true;
	}
	return false;
}

/* Whoever was killed has made it, and perhaps no more. All of its addresses come at once, some time
 * after it is up where it is a child. */
static int is_whole(int inside, const struct veth_plug *p, struct err *err)
{
	const bool wanted = p->n_addrs && (p->addrs[0].family == AF_INET || has_ipv6(p));
	CLEANUP(rtnl_addrs_done) struct rtnl_addrs addrs = { 0 };
	struct rtnl_link link;
	int r = rtnl_link_read(inside, p->inside, &link, err);

	if (r < 0 || !link.up || !wanted)
		return r < 0 ? (r == -ENODEV ? 0 : r) : link.up;
	r = rtnl_addrs_read(inside, (int)link.index, &addrs, err);
	for (size_t i = 0; r >= 0 && i < addrs.n; i++)
		if (addrs.items[i].len == p->addrs[0].len &&
		    memcmp(addrs.items[i].local, p->addrs[0].local, p->addrs[0].len) == 0)
			return 1;
	return r < 0 ? r : 0;
}

int veth_is_plugged(int netns, const struct veth_plug *plugs, size_t n, struct err *err)
{
	cleanup_fd int inside = netns_socket(netns, rtnl_open, err);
	cleanup_fd int sock = inside < 0 ? -EBADF : rtnl_open(err);
	int r = inside < 0 ? inside : sock < 0 ? sock : 1;

	for (size_t i = 0; r == 1 && i < n; i++) {
		r = is_whole(inside, &plugs[i], err);
		if (r == 1 && !plugs[i].child && !plugs[i].device)
			r = is_port(sock, &plugs[i]);
	}
	return r;
}

int veth_unplug(int netns, const char *inside, struct err *err)
{
	cleanup_fd int sock = netns_socket(netns, rtnl_open, err);

	return sock < 0 ? sock : rtnl_link_delete(sock, inside, err);
}

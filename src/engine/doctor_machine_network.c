/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor's view of networks: what can be made is tried in a namespace of its own, which goes
 * with the process that has tried; what is there is read. */
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "engine/doctor.h"
#include "engine/firewall.h"
#include "net/nft_load.h"
#include "net/pasta.h"
#include "net/service_client.h"
#include "sys/nft.h"
#include "sys/ns.h"
#include "sys/procfs.h"
#include "sys/rtnetlink_link.h"

struct trial {
	struct doctor_net *net;
	bool rootless;
};

/* Tried as a whole: the kernel's parts are modules that come when they are asked for. */
static int try_links(struct err *err)
{
	static const struct rtnl_bridge bridge = { .name = "b0", .mac = { 2, 0, 0, 0, 0, 1 } };
	struct rtnl_veth veth = { .outside = "v0", .inside = "v1" };
	cleanup_fd int netns = ns_open("/proc/thread-self/ns/net", CLONE_NEWNET, err);
	cleanup_fd int sock = rtnl_open(err);
	int r = sock < 0 ? sock : rtnl_bridge_add(sock, &bridge, err);

	if (r < 0)
		return err_wrap(err, r, "making a bridge");
	veth.netns = netns;
	r = rtnl_veth_add(sock, &veth, err);
	return r < 0 ? err_wrap(err, r, "making a veth") : 0;
}

static int try_slots(struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	buf_adds(&text, "table inet inro_slots {\n	chain c {\n"
			"		meta mark set numgen random mod 2\n"
			"		meta mark set jhash ip saddr mod 2\n	}\n}\n");
	return nft_load(&text, err);
}

/* As its root, or else nft(8) would have no rights: those go when a program is executed. */
static int enter(bool rootless)
{
	cleanup_free char *uids = xasprintf("0 %u 1", getuid());
	cleanup_free char *gids = xasprintf("0 %u 1", getgid());
	cleanup_fd int proc = procfs_open(PROCFS_MOUNTED, NULL);

	if (proc < 0 || unshare((rootless ? CLONE_NEWUSER : 0) | CLONE_NEWNET) < 0)
		return -1;
	return rootless && (procfs_write(proc, "self/setgroups", "deny", NULL) < 0 ||
			    procfs_write(proc, "self/uid_map", uids, NULL) < 0 ||
			    procfs_write(proc, "self/gid_map", gids, NULL) < 0)
		   ? -1
		   : 0;
}

static int try_all(void *data)
{
	const struct trial *t = data;
	const struct fw_state none = { .n_networks = 0 };
	const struct firewall fw = { .table = "inro", .dir = -EBADF };
	struct fw_report report;
	struct err err = ERR_INIT;

	if (enter(t->rootless) < 0)
		return 0; /* another check tells */
	if (try_links(&err) < 0)
		t->net->links_problem = xstrdup(err.msg);
	if (firewall_reconcile(&fw, &none, false, &report, &err) < 0)
		t->net->nft_problem = xstrdup(err.msg);
	else if (try_slots(&err) < 0)
		t->net->slots_problem = xstrdup(err.msg);
	return 0;
}

/* Of the same length or longer than the subnet, and by somebody else's interface. */
static bool is_in_the_way(const struct rtnl_route *route, const struct subnet *s, uint32_t bridge)
{
	struct subnet to = { .base.family = route->family, .prefix = route->prefix_len };

	if (!s->base.family || route->index == bridge || route->prefix_len < s->prefix)
		return false;
	memcpy(to.base.bytes, route->to, route->family == AF_INET6 ? 16 : 4);
	return subnet_overlaps(&to, s);
}

static char *find_overlap(const struct network_list *list, int sock,
			  const struct rtnl_routes *routes)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct network *net = &list->items[i];
		struct rtnl_link link = { .index = 0 };

		if (net->driver != NETWORK_BRIDGE || !net->bridge)
			continue;
		if (rtnl_link_read(sock, net->bridge, &link, NULL) < 0)
			link.index = UINT32_MAX;
		for (size_t k = 0; k < routes->n; k++) {
			const struct rtnl_route *route = &routes->items[k];
			bool six = route->family == AF_INET6;
			const struct network_ip *ip = six ? &net->ip6 : &net->ip4;

			if (!is_in_the_way(route, &ip->subnet, link.index))
				continue;
			cleanup_free char *text = network_subnet_text(ip);
			return xasprintf("network %s (%s) overlaps a route of this machine to an "
					 "address in it, by another interface (ip route)",
					 net->name, text);
		}
	}
	return NULL;
}

static char *look_for_overlap(struct engine *eng)
{
	cleanup_network_list struct network_list list = { 0 };
	cleanup_rtnl_routes struct rtnl_routes routes = { 0 };
	cleanup_fd int sock = rtnl_open(NULL);

	if (sock < 0 || networks_list(eng, &list, NULL) < 0 ||
	    rtnl_routes_read(sock, &routes, NULL) < 0)
		return NULL;
	return find_overlap(&list, sock, &routes);
}

static void look_at_rules(struct engine *eng, struct doctor_net *net)
{
	struct fw_report report = { .missing = 0 };
	struct err err = ERR_INIT;
	int r = engine_firewall_look(eng, &report, &err);

	if (r < 0)
		net->rules_problem = xstrdup(err.msg);
	net->in_use = r > 0;
	net->no_table = report.no_table;
	net->missing = report.missing;
	net->excess = report.excess;
	net->wrong = report.wrong;
	net->names_killed = engine_net(eng, NULL) == 0 && net_service_was_killed(eng->net_fd);
}

void doctor_net_look(struct engine *eng, struct doctor_net *net)
{
	struct trial trial = { .net = net, .rootless = eng->rootless };

	proc_call(try_all, &trial);
	net->pasta = eng->rootless ? pasta_version() : NULL;
	if (!eng->rootless) {
		cleanup_fd int sock = nft_open(NULL);

		net->chains = xcalloc(1, sizeof(*net->chains));
		if (sock < 0 || nft_chains_read(sock, net->chains, NULL) < 0)
			free(take_ptr(net->chains));
	}
	if (!eng->db)
		return;
	look_at_rules(eng, net);
	if (!eng->rootless)
		net->overlap = look_for_overlap(eng);
}

void doctor_net_done(struct doctor_net *net)
{
	free(net->links_problem);
	free(net->nft_problem);
	free(net->slots_problem);
	free(net->rules_problem);
	free(net->overlap);
	free(net->pasta);
	if (net->chains)
		nft_chains_done(net->chains);
	free(net->chains);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_gone.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/firewall.h"
#include "engine/network_place.h"
#include "net/names.h"
#include "sys/rtnetlink_link.h"

struct gone {
	const struct network *net;
	bool was_there;
};

/* Only a bridge that says it is this network's. */
static int delete_bridge(void *data, struct err *err)
{
	struct gone *g = data;
	cleanup_fd int sock = rtnl_open(err);
	struct rtnl_link link;
	int r = sock < 0 ? sock : rtnl_link_read(sock, g->net->bridge, &link, err);

	if (r < 0)
		return r == -ENODEV ? 0 : r;
	if (!str_eq(link.kind, "bridge") || !str_ends(link.alias, g->net->id))
		return 0;
	g->was_there = true;
	return rtnl_link_delete(sock, g->net->bridge, err);
}

/* Containers' names, of which there are none any more. */
static void forget_names(struct engine *eng, const struct network *net)
{
	struct err err = ERR_INIT;
	int r = engine_net(eng, &err);

	if (r == 0)
		r = net_names_forget(eng->net_fd, net->id, &err);
	if (r < 0)
		log_warn("removing names of network %s: %s", net->name, err.msg);
}

/* They may be there without a bridge: with the table come the rules of all networks. */
static bool has_rules(struct engine *eng)
{
	struct fw_report report = { .excess = 0 };

	return engine_net_is_own(eng) && engine_firewall_look(eng, &report, NULL) >= 0 &&
	       report.excess;
}

void network_gone(struct engine *eng, const struct network *net)
{
	struct net_place place = NET_PLACE_HERE;
	struct gone g = { .net = net };
	struct err err = ERR_INIT;
	int r;

	forget_names(eng, net);
	if (net->driver != NETWORK_BRIDGE || !net->bridge)
		return;
	r = network_place(eng, false, &place, &err);
	if (r == -ESRCH) /* a user's: no container is on a network */
		return;
	if (r == 0)
		r = net_place_run(&place, delete_bridge, &g, &err);
	if (r == 0 && (g.was_there || has_rules(eng)))
		r = engine_firewall_repair(eng, &err);
	if (r < 0)
		log_warn("removing what network %s has left: %s", net->name, err.msg);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/firewall.h"

#include <ctype.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/db.h"
#include "engine/endpoints.h"
#include "engine/network_place.h"
#include "engine/services.h"
#include "net/rootless.h"

#define TABLE        "inro"
#define RUNROOT      "/run/inro"
#define PATH_IN_NAME 200

/* Each store of root's has a table, or else one would take away what another has made. nft's names
 * take slashes. A user's networks are in a namespace of their store's own. */
static char *table_name(const struct engine *eng)
{
	size_t len = strlen(eng->runroot);
	char *name;

	if (eng->rootless || str_eq(eng->runroot, RUNROOT))
		return xstrdup(TABLE);
	name = xasprintf(TABLE "%s", eng->runroot + (len > PATH_IN_NAME ? len - PATH_IN_NAME : 0));
	for (char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("/._-", *p))
			*p = '_';
	return name;
}

/* One call of net/firewall.h, with what it takes and gives. */
struct call {
	struct firewall fw;
	const struct fw_change *change;
	const struct fw_state *want;
	bool dry;
	struct fw_report report;
};

static int do_change(void *data, struct err *err)
{
	struct call *c = data;

	return firewall_change(&c->fw, c->change, err);
}

static int do_reconcile(void *data, struct err *err)
{
	struct call *c = data;

	return firewall_reconcile(&c->fw, c->want, c->dry, &c->report, err);
}

static int do_remove(void *data, struct err *err)
{
	struct call *c = data;
	int r = firewall_remove(&c->fw, err);

	if (r == 0)
		r = firewall_docker_off(&c->fw, err);
	return r < 0 ? r : firewall_forward_off(&c->fw, err);
}

static int do_forward(void *data, struct err *err)
{
	struct call *c = data;

	return firewall_forward_on(&c->fw, err);
}

static int do_docker(void *data, struct err *err)
{
	struct call *c = data;

	return firewall_docker_on(&c->fw, c->want, err);
}

static int run(struct engine *eng, struct call *c, int (*fn)(void *data, struct err *err),
	       struct err *err)
{
	cleanup_free char *table = table_name(eng);
	struct net_place place;
	int r = engine_net(eng, err);

	if (r == 0)
		r = network_place(eng, false, &place, err);
	if (r < 0)
		return r == -ESRCH ? 0 : r; /* nothing is there, nor has to be */
	c->fw = (struct firewall){ .table = table, .dir = eng->net_fd };
	return net_place_run(&place, fn, c, err);
}

int engine_firewall_lock(struct engine *eng, bool alone, struct err *err)
{
	int r = engine_net(eng, err);

	return r < 0 ? r : firewall_lock(&(struct firewall){ .dir = eng->net_fd }, alone, err);
}

/* ---- what should be there ---- */

bool engine_firewall_network(const struct network *net, struct fw_network *ret)
{
	if (net->driver != NETWORK_BRIDGE || !net->bridge)
		return false;
	*ret = (struct fw_network){ .v4 = net->ip4.subnet,
				    .v6 = net->ip6.subnet,
				    .internal = net->options.internal,
				    .masquerade = !net->options.no_masquerade,
				    .routed = net->options.routed,
				    .open = net->options.open,
				    .icc = !net->options.no_icc };
	snprintf(ret->bridge, sizeof(ret->bridge), "%s", net->bridge);
	return true;
}

static int by_priority(const void *a, const void *b)
{
	const struct endpoint *x = a, *y = b;

	if (x->asked.gw_priority != y->asked.gw_priority)
		return x->asked.gw_priority > y->asked.gw_priority ? -1 : 1;
	return (x->position > y->position) - (x->position < y->position);
}

int engine_firewall_target(struct engine *eng, const char *owner, struct lease_addrs *ret,
			   struct err *err)
{
	cleanup_endpoint_list struct endpoint_list list = { 0 };
	int r = endpoints_of(eng, owner, &list, err);

	*ret = (struct lease_addrs){ .ip4 = { .family = 0 } };
	if (r == 0 && list.n)
		qsort(list.items, list.n, sizeof(*list.items), by_priority);
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		cleanup_network struct network net = { 0 };
		struct lease_addrs has = { .ip4 = { .family = 0 } };

		r = network_get(eng, list.items[i].network, &net, err);
		if (r == -ENOENT) /* no bridge of ours */
			r = 0;
		else if (r == 0 && net.driver == NETWORK_BRIDGE && !net.options.internal)
			r = leases_of(eng, &net, owner, &has, err);
		if (!ret->ip4.family)
			ret->ip4 = has.ip4;
		if (!ret->ip6.family)
			ret->ip6 = has.ip6;
	}
	return r;
}

int engine_firewall_ports(struct engine *eng, const char *owner, struct fw_ports *ret,
			  struct err *err)
{
	cleanup_port_bindings struct port_bindings ports = { 0 };
	struct lease_addrs to;
	int r = publish_load(eng, owner, &ports, err);

	if (r < 0 || !ports.n)
		return r;
	r = engine_firewall_target(eng, owner, &to, err);
	if (r == 0)
		publish_elements(eng, &ports, &to.ip4, &to.ip6, ret);
	return r;
}

struct wanted {
	struct fw_network *networks;
	size_t n_networks;
	struct fw_ports ports;
	struct service_elements services;
};

static int want_ports(struct engine *eng, struct wanted *w, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err,
			 "SELECT DISTINCT owner FROM ports WHERE owner NOT IN"
			 " (SELECT id FROM services)",
			 "");

	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0) {
		cleanup_free char *owner = db_column_str(stmt, 0);

		r = engine_firewall_ports(eng, owner, &w->ports, err);
	}
	return r;
}

/* 1: a container runs on it. */
static int is_used(struct engine *eng, const struct network *net, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err,
			 "SELECT 1 FROM leases WHERE network = ? AND released_ns = 0 AND owner IN ("
			 "SELECT id FROM containers WHERE status = 'running' UNION ALL "
			 "SELECT pod FROM containers WHERE status = 'running')",
			 "s", net->id);

	return r < 0 ? r : db_step(eng->db, stmt, err);
}

static int want_all(struct engine *eng, bool used, struct wanted *w, struct err *err)
{
	cleanup_network_list struct network_list list = { 0 };
	int r = networks_list(eng, &list, err);

	w->networks = xcalloc(list.n + 1, sizeof(*w->networks));
	for (size_t i = 0; r >= 0 && i < list.n; i++) {
		r = used ? is_used(eng, &list.items[i], err) : 1;
		if (r > 0)
			w->n_networks +=
			    engine_firewall_network(&list.items[i], &w->networks[w->n_networks]);
	}
	if (r >= 0)
		r = want_ports(eng, w, err);
	return r < 0 ? r : services_want(eng, &w->services, err);
}

static struct fw_state state_of(const struct wanted *w)
{
	return (struct fw_state){ w->networks, w->n_networks,     w->ports.items,
				  w->ports.n,  w->services.items, w->services.n };
}

static void wanted_done(struct wanted *w)
{
	free(w->networks);
	free(w->ports.items);
	service_elements_done(&w->services);
}
#define cleanup_wanted CLEANUP(wanted_done)

/* ---- verbs ---- */

/* Without it containers reach each other and this machine, which may be all they are to. A user's
 * namespace has it from the beginning. */
static void forward(struct engine *eng, struct call *c)
{
	struct err err = ERR_INIT;

	if (run(eng, c, do_forward, &err) < 0)
		log_warn("containers have no way out of this machine: %s (sysctl -w "
			 "net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1)",
			 err.msg);
	if (run(eng, c, do_docker, &err) < 0)
		log_warn("docker's firewall lets nothing through to and from containers: %s",
			 err.msg);
}

int engine_firewall_repair(struct engine *eng, struct err *err)
{
	cleanup_fd int lock = engine_firewall_lock(eng, true, err);
	cleanup_wanted struct wanted w = { .n_networks = 0 };
	struct fw_state want = { 0 };
	struct call c = { .want = &want };
	int r = lock < 0 ? lock : engine_db(eng, err);

	if (r == 0)
		r = want_all(eng, false, &w, err);
	want = state_of(&w);
	if (r == 0)
		r = run(eng, &c, want.n_networks ? do_reconcile : do_remove, err);
	if (r == 0 && want.n_networks && eng->networks)
		r = net_rootless_divert(&eng->networks->place, err);
	else if (r == 0 && want.n_networks)
		forward(eng, &c);
	return r;
}

static int look(struct engine *eng, bool used, struct fw_report *ret, struct err *err)
{
	cleanup_wanted struct wanted w = { .n_networks = 0 };
	struct fw_state want;
	struct call c = { .want = &want, .dry = true };
	int r = want_all(eng, used, &w, err);

	want = state_of(&w);
	if (r == 0)
		r = run(eng, &c, do_reconcile, err);
	*ret = c.report;
	return r < 0 ? r : want.n_networks > 0;
}

int engine_firewall_look(struct engine *eng, struct fw_report *ret, struct err *err)
{
	cleanup_fd int lock = engine_firewall_lock(eng, true, err);
	struct fw_report all = { .no_table = false }, used = { .no_table = false };
	int r = lock < 0 ? lock : engine_db(eng, err);

	if (r == 0)
		r = look(eng, false, &all, err);
	if (r >= 0)
		r = look(eng, true, &used, err);
	if (r < 0)
		return r;
	*ret = (struct fw_report){ .excess = all.excess, .wrong = all.wrong };
	if (r > 0)
		ret->no_table = used.no_table, ret->missing = used.missing;
	return r;
}

int engine_firewall_change(struct engine *eng, const struct fw_change *change, struct err *err)
{
	struct call c = { .change = change };
	int r = run(eng, &c, do_change, err);

	if (r != -EAGAIN)
		return r;
	/* Who only removes may have the lock shared, and would wait for itself; what is not there
	 * need not go. */
	if (!change->add.n_networks && !change->add.n_ports && !change->add.n_services)
		return 0;
	r = engine_firewall_repair(eng, err);
	if (r < 0)
		return r;
	/* Rows of what has ended may still have been there. */
	r = run(eng, &c, do_change, err);
	return r == -EAGAIN
		   ? err_fail(err, ERR_SYSTEM,
			      "somebody takes the firewall of networks away again and again")
		   : r;
}

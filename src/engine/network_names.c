/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_names.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/db.h"
#include "engine/firewall.h"
#include "engine/join.h"
#include "engine/network_files.h"
#include "engine/network_heal.h"
#include "engine/network_place.h"
#include "engine/pods.h"
#include "engine/publish.h"
#include "engine/services.h"
#include "net/names.h"
#include "net/service_client.h"
#include "runtime/container.h"
#include "sys/pidfd.h"

#define PROGRAM  "inro-net"
#define SHORT_ID 12

bool net_names_served(const struct engine *eng)
{
	cleanup_free char *program = NULL;

	return engine_program(eng, PROGRAM, &program, NULL) == 0;
}

/* docker's: its name, aliases, short id, host name; and NAME.NETWORK, as podman has it. */
static int write_link(struct engine *eng, const struct record *rec, const struct net_start *ns,
		      const struct net_link *l, char *const *members, const char *hostname,
		      struct err *err)
{
	cleanup_free char *whole = xasprintf("%s.%s", rec->name, l->net.name);
	cleanup_free char *id = xasprintf("%.*s", SHORT_ID, rec->id);
	cleanup_strv char **names = NULL;
	struct net_addr addrs[2];
	struct net_names n = { .network = l->net.id, .container = ns->owner, .addresses = addrs };

	if (l->addrs.ip4.family)
		addrs[n.n_addresses++] = l->addrs.ip4;
	if (l->addrs.ip6.family)
		addrs[n.n_addresses++] = l->addrs.ip6;
	strv_extend(&names, members);
	strv_add(&names, rec->name);
	strv_add(&names, whole);
	/* A replica's are its service's. */
	if (!rec->options.service)
		strv_extend(&names, l->asked.asked.aliases);
	strv_add(&names, id);
	strv_add(&names, hostname);
	n.names = (const char *const *)names;
	n.n_names = strv_len(names);
	return l->net.options.no_dns ? 0 : net_names_write(eng->net_fd, &n, err);
}

/* The pod's, and of those members that run, but of the one that ends. */
static int pod_names(struct engine *eng, const char *id, const char *ends, char ***ret,
		     struct err *err)
{
	cleanup_record_list struct record_list list = { 0 };
	cleanup_pod struct pod pod = { 0 };
	int r = pod_find(eng, id, &pod, err);

	if (r == 0)
		r = record_list_pod(eng, id, &list, err);
	if (r == 0)
		strv_add(ret, pod.name);
	for (size_t i = 0; r == 0 && i < list.n; i++)
		if (list.items[i].running && !list.items[i].options.infra &&
		    !str_eq(list.items[i].id, ends))
			strv_add(ret, list.items[i].name);
	return r;
}

/* What the service is called has its own address. */
static int write_service(struct engine *eng, const char *service, const struct net_link *l,
			 struct err *err)
{
	cleanup_service struct service s = { 0 };
	cleanup_strv char **names = NULL;
	struct net_addr addrs[2];
	struct net_names n = { .network = l->net.id, .container = service, .addresses = addrs };
	struct lease_addrs vip;
	int r = service_get(eng, service, &s, err);

	if (r == 0)
		r = leases_of(eng, &l->net, service, &vip, err);
	if (r < 0 || l->net.options.no_dns)
		return r == -ENOENT ? 0 : r;
	if (vip.ip4.family)
		addrs[n.n_addresses++] = vip.ip4;
	if (vip.ip6.family)
		addrs[n.n_addresses++] = vip.ip6;
	strv_add(&names, s.name);
	strv_addf(&names, "%s.%s", s.name, l->net.name);
	strv_extend(&names, l->asked.asked.aliases);
	n.names = (const char *const *)names;
	n.n_names = strv_len(names);
	return net_names_write(eng->net_fd, &n, err);
}

static int write_files(struct engine *eng, const struct record *rec, const struct net_start *ns,
		       const char *ends, struct err *err)
{
	cleanup_free char *hostname = net_hostname(rec);
	cleanup_strv char **members = NULL;
	int r = 0;

	if (!str_eq(ns->owner, rec->id))
		r = pod_names(eng, rec->pod, ends, &members, err);
	for (size_t i = 0; r == 0 && i < ns->n; i++) {
		r = write_link(eng, rec, ns, &ns->links[i], members, hostname, err);
		if (r == 0 && rec->options.service)
			r = write_service(eng, rec->options.service, &ns->links[i], err);
	}
	return r;
}

static bool is_there(struct engine *eng, const char *id, const char *network)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;

	return db_query(eng->db, &stmt, NULL,
			"SELECT 1 FROM containers, endpoints WHERE id = ?1 AND owner = ?1"
			" AND network = ?2 AND status IN ('running', 'restarting')",
			"ss", id, network) == 0 &&
	       db_step(eng->db, stmt, NULL) != 0;
}

/* Whoever takes it off a network does so once more when that is recorded; what has been recorded
 * before is over. */
static int write_present(struct engine *eng, const struct record *rec, const struct net_start *ns,
			 const char *ends, struct err *err)
{
	int r = write_files(eng, rec, ns, ends, err);

	for (size_t i = 0; r == 0 && str_eq(ns->owner, rec->id) && i < ns->n; i++)
		if (!is_there(eng, rec->id, ns->links[i].net.id))
			r = net_names_remove(eng->net_fd, ns->links[i].net.id, rec->id, err);
	return r;
}

void net_names_drop(struct engine *eng, const char *network, const char *owner)
{
	cleanup_endpoint_list struct endpoint_list list = { 0 };
	struct err err = ERR_INIT;
	int r = endpoints_of(eng, owner, &list, &err);

	if (r == 0 && list.n)
		r = engine_net(eng, &err);
	for (size_t i = 0; r == 0 && i < list.n; i++)
		if (!network || str_eq(network, list.items[i].network))
			r = net_names_remove(eng->net_fd, list.items[i].network, owner, &err);
	if (r < 0)
		log_warn("taking names of container %.12s away: %s", owner, err.msg);
}

/* ---- inro-net ---- */

struct sockets {
	int udp, tcp;
};

static int make_sockets(void *data, struct err *err)
{
	struct sockets *s = data;

	return net_names_sockets(&s->udp, &s->tcp, err);
}

/* Servers for the names of the world: the container's own choice, or its networks'. */
static size_t servers_of(const struct record *rec, const struct net_start *ns,
			 struct net_addr ret[NET_SERVICE_SERVERS])
{
	char *const *own = rec->options.dns;
	size_t n = 0;

	for (size_t i = 0; i <= ns->n; i++) {
		char *const *w = i == 0 ? own : ns->links[i - 1].net.options.dns;

		if (i > 0 && strv_len(own))
			break;
		for (; w && *w && n < NET_SERVICE_SERVERS; w++)
			n += net_addr_parse(*w, &ret[n], NULL) == 0;
	}
	return n;
}

static int tell_service(const struct net_service_place *where, const struct net_member *m,
			bool *ret_started, struct err *err)
{
	cleanup_net_service struct net_service service = NET_SERVICE_INIT;
	int r = net_service_open(where, &service, err);

	if (r == 0)
		r = net_service_put(&service, m, err);
	if (r == 0)
		r = net_service_done(&service, err);
	*ret_started |= service.started;
	return r;
}

static int put_member(struct engine *eng, const struct record *rec, const struct net_start *ns,
		      const struct sockets *s, int pidfd, bool *ret_started, struct err *err)
{
	cleanup_free const char **networks = xcalloc(ns->n + 1, sizeof(*networks));
	struct net_place place = NET_PLACE_HERE;
	struct net_addr servers[NET_SERVICE_SERVERS];
	struct publish_relays relays = { 0 };
	struct lease_addrs to = { .ip4 = { .family = 0 } };
	cleanup_free char *program = NULL;
	const char *const repair[] = { eng->self_path, "--root",   eng->root, "--runroot",
				       eng->runroot,   "__repair", NULL };
	struct net_service_place where = { .run_dir = eng->net_fd,
					   .place = &place,
					   .repair = repair };
	struct net_member m = { .id = ns->owner,
				.process = rec->id,
				.pidfd = pidfd,
				.dns_udp = s->udp,
				.dns_tcp = s->tcp,
				.networks = networks,
				.servers = servers,
				.internal = true };
	int r = engine_program(eng, PROGRAM, &program, err);

	if (r == 0)
		r = network_place(eng, true, &place, err);
	for (size_t i = 0; i < ns->n; i++) {
		m.internal &= ns->links[i].net.options.internal;
		if (!ns->links[i].net.options.no_dns) /* endpoint_insert() counts them */
			networks[m.n_networks++] = ns->links[i].net.id;
	}
	m.n_servers = servers_of(rec, ns, servers);
	if (r == 0 && ns->ports.n)
		r = engine_firewall_target(
		    eng, rec->options.service ? rec->options.service : ns->owner, &to, err);
	if (r == 0)
		publish_relays(eng, &ns->ports, &to.ip4, &to.ip6, &relays);
	/* What answers from behind a virtual address is not found by the client's own. */
	for (size_t i = 0; rec->options.service && i < relays.n; i++)
		relays.items[i].transparent = false;
	m.relays = relays.items;
	m.n_relays = relays.n;
	m.ip4 = to.ip4;
	m.ip6 = to.ip6;
	where.program = program;
	if (r == 0)
		r = tell_service(&where, &m, ret_started, err);
	/* killed while it listened */
	if (r == -ECONNRESET)
		r = tell_service(&where, &m, ret_started, err);
	free(relays.items);
	return r;
}

/* 0: it does not run. */
static pid_t pid_of(struct engine *eng, const struct record *rec)
{
	struct container_state st = { 0 };
	pid_t pid;

	if (container_state_read(&eng->runtime, rec->id, &st, NULL) < 0)
		return 0;
	pid = st.pid;
	container_state_free(&st);
	return pid;
}

/* One that inro-net does not know: with sockets in its network namespace. */
static int put_new(struct engine *eng, const struct record *rec, const struct net_start *ns,
		   int netns, int pidfd, bool *ret_started, struct err *err)
{
	struct net_place inside = NET_PLACE_HERE;
	struct sockets s = { -EBADF, -EBADF };
	int r = network_place(eng, true, &inside, err);

	inside.netns = netns;
	if (r == 0)
		r = net_place_run(&inside, make_sockets, &s, err);
	if (r == 0)
		r = put_member(eng, rec, ns, &s, pidfd, ret_started, err);
	fd_close(s.udp);
	fd_close(s.tcp);
	return r;
}

/* -ESRCH: it does not run. */
static int put_found(struct engine *eng, const struct record *rec, const struct net_start *ns,
		     bool *ret_started, struct err *err)
{
	cleanup_fd int netns = joins_open_one(eng, rec, "network", err);
	cleanup_fd int pidfd = netns < 0 ? netns : joins_open_process(eng, rec, err);

	if (netns < 0 || pidfd < 0)
		return netns < 0 ? netns : pidfd;
	return put_new(eng, rec, ns, netns, pidfd, ret_started, err);
}

/* Of what runs: it keeps its sockets. */
static int put_again(struct engine *eng, const struct record *rec, const struct net_start *ns,
		     bool *ret_started, struct err *err)
{
	const struct sockets none = { -EBADF, -EBADF };
	cleanup_fd int pidfd = -ESRCH;
	pid_t pid = pid_of(eng, rec);
	int r;

	if (pid > 0)
		pidfd = pidfd_of(pid);
	/* It may just have ended. */
	if (pidfd < 0 || pid_of(eng, rec) != pid)
		return 0;
	r = put_member(eng, rec, ns, &none, pidfd, ret_started, err);
	if (r == -ESRCH)
		r = put_found(eng, rec, ns, ret_started, err);
	return r == -ESRCH ? 0 : r;
}

static int put(struct engine *eng, const struct record *rec, const struct net_start *ns, int netns,
	       int pidfd, bool *ret_started, struct err *err)
{
	int r = engine_net(eng, err);

	if (r == 0)
		r = write_present(eng, rec, ns, NULL, err);
	if (r < 0 || !net_names_served(eng))
		return r;
	return netns >= 0 && pidfd >= 0 ? put_new(eng, rec, ns, netns, pidfd, ret_started, err)
					: put_again(eng, rec, ns, ret_started, err);
}

/* ---- of what runs ---- */

static int read_all(struct engine *eng, const struct record *rec, struct net_start *ns,
		    struct err *err)
{
	int r = net_start_read(eng, rec, ns, err);

	if (r == 0 && ns->n)
		r = publish_load(eng, publish_ports_owner(rec), &ns->ports, err);
	return r == 0 && ns->n ? engine_net(eng, err) : r;
}

/* One that is being started, or has ended, is left to who does that. */
static int put_whole(struct engine *eng, const struct record *rec, struct err *err)
{
	struct net_start ns = NET_START_INIT;
	bool started;
	int r = read_all(eng, rec, &ns, err);

	if (r == 0 && ns.n)
		r = write_present(eng, rec, &ns, NULL, err);
	if (r == 0 && ns.n && net_names_served(eng))
		r = put_found(eng, rec, &ns, &started, err);
	net_start_done(&ns);
	return r == -ESRCH ? 0 : r;
}

/* All that run; of one that is just being started its starter tells. What one of them has in its
 * own network (its address for names is taken, say) is no other's business. */
static int put_all(struct engine *eng, const char *but, struct err *err)
{
	cleanup_record_list struct record_list list = { 0 };
	struct err own = ERR_INIT;
	int r = record_list(eng, NULL, &list, err), one;

	for (size_t i = 0; r >= 0 && i < list.n; i++) {
		const struct record *rec = &list.items[i];

		if (rec->status != RECORD_RUNNING || str_eq(publish_owner(rec), but))
			continue;
		one = put_whole(eng, rec, &own);
		if (one < 0)
			log_warn("giving names to container %s: %s", rec->name, own.msg);
	}
	return r < 0 ? r : 0;
}

/* With what its pod has, if it is a member of one. ends: another one. */
static int put_pod(struct engine *eng, const struct record *rec, const char *ends, struct err *err)
{
	struct net_start ns = NET_START_INIT;
	bool started = false;
	int r = read_all(eng, rec, &ns, err);

	if (r == 0 && ns.n)
		r = write_present(eng, rec, &ns, ends, err);
	if (r == 0 && ns.n && net_names_served(eng))
		r = put_again(eng, rec, &ns, &started, err);
	net_start_done(&ns);
	return r == 0 && started ? put_all(eng, NULL, err) : r;
}

void net_names_renamed(struct engine *eng, const char *id)
{
	cleanup_record struct record rec = { 0 };
	struct net_start ns = NET_START_INIT;
	struct err err = ERR_INIT;
	int r = record_get(eng, id, &rec, &err);

	if (r < 0 || rec.status != RECORD_RUNNING)
		return;
	r = read_all(eng, &rec, &ns, &err);
	if (r == 0 && ns.n)
		r = net_hosts_write(eng, &rec, &ns, &err);
	if (r == 0 && ns.n)
		r = net_names_put(eng, &rec, &ns, -EBADF, -EBADF, &err);
	if (r < 0)
		log_warn("names of container %s: %s", rec.name, err.msg);
	net_start_done(&ns);
}

void net_names_join(struct engine *eng, const struct record *rec)
{
	struct err err = ERR_INIT;

	if (publish_owner(rec) != rec->id && put_pod(eng, rec, NULL, &err) < 0)
		log_warn("names of container %s: %s", rec->name, err.msg);
}

void net_names_leave(struct engine *eng, const char *id)
{
	cleanup_record_list struct record_list list = { 0 };
	cleanup_record struct record rec = { 0 };
	struct err err = ERR_INIT;
	int r = record_get(eng, id, &rec, NULL);

	if (r < 0 || publish_owner(&rec) == rec.id)
		return;
	r = record_list_pod(eng, rec.pod, &list, &err);
	for (size_t i = 0; r >= 0 && i < list.n; i++) {
		if (str_eq(list.items[i].id, id) || pid_of(eng, &list.items[i]) <= 0)
			continue;
		r = put_pod(eng, &list.items[i], id, &err);
		break;
	}
	if (r < 0)
		log_warn("names of container %s: %s", rec.name, err.msg);
}

/* ---- an inro-net that knows nobody ---- */

int net_names_put(struct engine *eng, const struct record *rec, const struct net_start *ns,
		  int netns, int pidfd, struct err *err)
{
	struct err others = ERR_INIT;
	bool started = false;
	int r = put(eng, rec, ns, netns, pidfd, &started, err);

	if (r == 0 && started && !net_names_program())
		log_warn("containers do not find each other by name: there is no program dnsmasq "
			 "(Debian: apt-get install dnsmasq-base)");
	if (r == 0 && started && put_all(eng, netns >= 0 ? ns->owner : NULL, &others) < 0)
		log_warn("%s", others.msg);
	return r;
}

int net_names_ensure(struct engine *eng, struct err *err)
{
	cleanup_net_service struct net_service service = NET_SERVICE_INIT;
	int r = engine_net(eng, err);

	if (r == 0) {
		const struct net_service_place where = { .run_dir = eng->net_fd };

		r = net_service_find(&where, &service, err);
	}
	return r == -ESRCH ? net_names_repair(eng, err) : r;
}

int net_names_repair(struct engine *eng, struct err *err)
{
	int r = network_heal(eng, NULL, err); /* a user's networks may have been killed as well */

	return r < 0 ? r : put_all(eng, NULL, err);
}

void net_names_look(struct engine *eng)
{
	struct err err = ERR_INIT;
	int r = engine_net(eng, &err);

	if (r == 0 && net_service_was_killed(eng->net_fd)) {
		cleanup_free char *other = engine_net_other(eng);

		if (other) /* whose it is */
			return;
		r = net_names_repair(eng, &err);
		if (r == 0)
			net_service_forget(eng->net_fd);
	}
	if (r < 0)
		log_warn("giving names to containers that run: %s", err.msg);
}

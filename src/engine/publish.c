/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/publish.h"

#include <netinet/in.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/db.h"
#include "engine/life.h"
#include "net/linger.h"
#include "engine/services.h"
#include "sys/conntrack.h"
#include "sys/nft.h"

/* ---- who has a port ---- */

static bool hosts_meet(const struct net_addr *a, const struct net_addr *b)
{
	return a->family == b->family &&
	       (net_addr_is_any(a) || net_addr_is_any(b) || net_addr_equal(a, b));
}

static int read_row(sqlite3_stmt *stmt, struct port_binding *ret)
{
	cleanup_free char *host = db_column_str(stmt, 1);

	*ret = (struct port_binding){ .proto = (uint8_t)db_column_i64(stmt, 0),
				      .host_port = (uint16_t)db_column_i64(stmt, 2),
				      .port = (uint16_t)db_column_i64(stmt, 3) };
	return net_addr_parse(host ? host : "", &ret->host, NULL);
}

/* Ids of others whose rows name one of these ports of the host. Not what lies between the first and
 * the last of them: of random ports that is half of all that there are. */
static int find_owners(struct engine *eng, const char *owner, const struct port_bindings *ports,
		       char ***ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_buf struct buf list = BUF_INIT;
	int r;

	for (size_t i = 0; i < ports->n; i++)
		buf_addf(&list, "%c%u", i ? ',' : '[', ports->items[i].host_port);
	buf_addc(&list, ']');
	r = db_query(eng->db, &stmt, err,
		     "SELECT proto, host, host_port, port, owner FROM ports"
		     " WHERE host_port IN (SELECT value FROM json_each(?)) AND owner != ?",
		     "ss", buf_str(&list), owner);
	while (r == 0 && (r = db_step(eng->db, stmt, err)) > 0) {
		cleanup_free char *id = db_column_str(stmt, 4);
		struct port_binding row;

		r = 0;
		if (read_row(stmt, &row) < 0)
			continue;
		for (size_t i = 0; i < ports->n; i++) {
			const struct port_binding *p = &ports->items[i];

			if (p->proto == row.proto && p->host_port == row.host_port &&
			    hosts_meet(&p->host, &row.host) && !strv_has(*ret, id))
				strv_add(ret, id);
		}
	}
	return r;
}

/* 1: it runs; what does not, and should, is cleared away. */
static int lives(struct engine *eng, const char *id, char **ret_name)
{
	cleanup_record struct record rec = { 0 };

	if (record_get(eng, id, &rec, NULL) < 0)
		return -ENOENT;
	if (life_repair(eng, &rec, NULL) != 0 || !rec.running)
		return 0;
	*ret_name = take_ptr(rec.name);
	return 1;
}

/* Of the container, pod or service that it belongs to, who lives: its name, or NULL. */
static char *name_of_living(struct engine *eng, const char *id)
{
	cleanup_record_list struct record_list members = { 0 };
	cleanup_replicas struct replicas replicas = { 0 };
	char *name = NULL;

	if (lives(eng, id, &name) >= 0)
		return name;
	if (service_replicas(eng, id, &replicas, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < replicas.n; i++)
		if (lives(eng, replicas.items[i].id, &name) > 0)
			return name;
	if (record_list_pod(eng, id, &members, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < members.n; i++)
		if (lives(eng, members.items[i].id, &name) > 0)
			return name;
	return NULL;
}

/* Says which of them is the other one's. */
static int refuse(struct engine *eng, const char *owner, const struct port_bindings *ports,
		  const char *id, const char *name, struct err *err)
{
	const struct port_binding *taken = ports->items;

	for (size_t i = 0; i < ports->n; i++) {
		const struct port_bindings one = { &ports->items[i], 1 };
		cleanup_strv char **owners = NULL;

		if (find_owners(eng, owner, &one, &owners, NULL) == 0 && strv_has(owners, id))
			taken = one.items;
	}
	cleanup_free char *at = ports_host_text(&taken->host, taken->host_port);
	return err_hint(
	    err, err_fail(err, ERR_CONFLICT, "Bind for %s failed: port is already allocated", at),
	    "container %s has it", name);
}

/* Where the kernel has the socket, that is who has it; else (SCTP) the rows say so. */
static int look_at_owners(struct engine *eng, const char *owner, const struct port_bindings *ports,
			  struct err *err)
{
	cleanup_strv char **owners = NULL;
	int r = find_owners(eng, owner, ports, &owners, err);

	for (char **id = owners; r == 0 && id && *id; id++) {
		cleanup_free char *name = name_of_living(eng, *id);

		r = name ? refuse(eng, owner, ports, *id, name, err)
			 : publish_release(eng, *id, err);
	}
	return r;
}

static void say_who(struct engine *eng, const char *owner, struct port_binding *taken, int r,
		    struct err *err)
{
	const struct port_bindings one = { taken, 1 };
	cleanup_strv char **owners = NULL;
	cleanup_free char *name = NULL;

	if (taken->host.family && err->kind == ERR_CONFLICT &&
	    find_owners(eng, owner, &one, &owners, NULL) == 0 && owners)
		name = name_of_living(eng, owners[0]);
	if (name)
		err_hint(err, r, "container %s has it", name);
	else if (taken->host.family && err->kind == ERR_CONFLICT)
		err_hint(err, r, "another program has it: ss -%snp 'sport = :%u' shows which",
			 taken->proto == IPPROTO_UDP ? "ul" : "tl", taken->host_port);
}

/* ---- sockets and rows ---- */

const char *publish_owner(const struct record *rec)
{
	return rec->pod && strv_has(rec->options.pod_share, "network") ? rec->pod : rec->id;
}

const char *publish_ports_owner(const struct record *rec)
{
	return rec->options.service ? rec->options.service : publish_owner(rec);
}

int publish_bind(struct engine *eng, const char *owner, const struct publish_words *words,
		 const struct net_addr *host, struct port_bindings *ret, int *ret_keep,
		 struct err *err)
{
	const struct ports_how how = { .host = *host, .relayed = eng->rootless };
	cleanup_port_bindings struct port_bindings ports = { 0 };
	cleanup_port_list struct port_list wanted = { 0 };
	struct port_binding taken = { 0 };
	cleanup_fd int keep = -EBADF;
	int r = port_list_parse(words->publish, words->all, words->expose, &wanted, err);

	if (r < 0 || wanted.n == 0)
		return r;
	r = engine_db(eng, err);
	if (r == 0)
		r = ports_bind(&wanted, &how, &ports, &keep, &taken, err);
	if (r < 0) {
		if (err)
			say_who(eng, owner, &taken, r, err);
		return r;
	}
	r = look_at_owners(eng, owner, &ports, err);
	if (r < 0)
		return r;
	*ret = ports;
	ports = (struct port_bindings){ 0 };
	*ret_keep = take_fd(keep);
	return 0;
}

int publish_bind_shared(struct engine *eng, const char *service, const struct publish_words *words,
			const struct net_addr *host, struct port_bindings *ret, int *ret_keep,
			struct err *err)
{
	const struct ports_how how = { .host = *host, .relayed = eng->rootless };
	cleanup_port_bindings struct port_bindings ports = { 0 };
	int r = publish_load(eng, service, &ports, err);

	if (r < 0)
		return r;
	if (!ports.n)
		return publish_bind(eng, service, words, host, ret, ret_keep, err);
	r = ports_bind_again(&ports, &how, ret_keep, err);
	if (r < 0)
		return r;
	*ret = ports;
	ports = (struct port_bindings){ 0 };
	return 0;
}

int publish_release(struct engine *eng, const char *owner, struct err *err)
{
	int r = db_exec(eng->db, err, "DELETE FROM ports WHERE owner = ?", "s", owner);

	return r < 0 ? r : 0;
}

int publish_store(struct engine *eng, const char *owner, const struct port_bindings *ports,
		  struct err *err)
{
	int r = publish_release(eng, owner, err);

	for (size_t i = 0; r >= 0 && i < ports->n; i++) {
		const struct port_binding *p = &ports->items[i];
		char host[NET_ADDR_TEXT];

		r = db_exec(eng->db, err,
			    "INSERT OR REPLACE INTO ports (proto, host, host_port, owner, port)"
			    " VALUES (?, ?, ?, ?, ?)",
			    "isisi", (int)p->proto, net_addr_format(&p->host, host),
			    (int)p->host_port, owner, (int)p->port);
	}
	return r < 0 ? r : 0;
}

int publish_load(struct engine *eng, const char *owner, struct port_bindings *ret, struct err *err)
{
	cleanup_port_bindings struct port_bindings list = { 0 };
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	size_t room = 0;
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_query(eng->db, &stmt, err,
			     "SELECT proto, host, host_port, port FROM ports WHERE owner = ?", "s",
			     owner);
	while (r == 0 && (r = db_step(eng->db, stmt, err)) > 0) {
		if (list.n == room) {
			room = room ? 2 * room : 4;
			list.items = xrealloc(list.items, room * sizeof(*list.items));
		}
		r = read_row(stmt, &list.items[list.n]);
		if (r < 0)
			return err_fail(err, ERR_CORRUPT, "database %s: ports of %.12s",
					eng->db->path, owner);
		list.n++;
	}
	if (r < 0)
		return r;
	*ret = list;
	list = (struct port_bindings){ 0 };
	return 0;
}

/* ---- what leads to the container ---- */

static const struct net_addr *of_family(const struct net_addr *host, const struct net_addr *to4,
					const struct net_addr *to6)
{
	return host->family == AF_INET ? to4 : to6;
}

void publish_elements(const struct engine *eng, const struct port_bindings *ports,
		      const struct net_addr *to4, const struct net_addr *to6, struct fw_ports *list)
{
	if (eng->rootless)
		return;
	list->items = xrealloc(list->items, (list->n + ports->n + 1) * sizeof(*list->items));
	for (size_t i = 0; i < ports->n; i++) {
		const struct port_binding *p = &ports->items[i];
		const struct net_addr *to = of_family(&p->host, to4, to6);
		struct fw_port *e = &list->items[list->n];

		if (!to->family || net_addr_is_loopback(&p->host))
			continue;
		*e = (struct fw_port){
			.proto = p->proto, .host_port = p->host_port, .to = *to, .to_port = p->port
		};
		if (!net_addr_is_any(&p->host))
			e->host = p->host;
		list->n++;
	}
}

static void relay_add(const struct engine *eng, const struct port_binding *p,
		      const struct net_addr *from, const struct net_addr *to,
		      struct publish_relays *list)
{
	bool outside = !net_addr_is_loopback(from);

	list->items = xrealloc(list->items, (list->n + 1) * sizeof(*list->items));
	list->items[list->n++] = (struct net_relay){ .proto = p->proto,
						     .from = *from,
						     .from_port = p->host_port,
						     .to = *to,
						     .to_port = p->port,
						     .transparent = eng->rootless && outside &&
								    from->family == to->family };
}

void publish_relays(const struct engine *eng, const struct port_bindings *ports,
		    const struct net_addr *to4, const struct net_addr *to6,
		    struct publish_relays *list)
{
	static const struct net_addr local4 = { AF_INET, { 127, 0, 0, 1 } };
	static const struct net_addr local6 = { AF_INET6, { [15] = 1 } };

	for (size_t i = 0; i < ports->n; i++) {
		const struct port_binding *p = &ports->items[i];
		const struct net_addr *to = of_family(&p->host, to4, to6), *from = &p->host;
		/* The other family's, where the container has none of this. */
		bool crossed = !to->family;

		if (crossed)
			to = of_family(&p->host, to6, to4);
		if (!to->family || p->proto == IPPROTO_SCTP)
			continue;
		/* From elsewhere the firewall leads, but for a user's. */
		if (!eng->rootless && !crossed && net_addr_is_any(from))
			from = of_family(from, &local4, &local6);
		else if (!eng->rootless && !crossed && !net_addr_is_loopback(from))
			continue;
		relay_add(eng, p, from, to, list);
	}
}

int publish_forget_flows(int net_dir, const struct port_bindings *ports, struct err *err)
{
	cleanup_free struct conntrack_port *flows = xcalloc(ports->n + 1, sizeof(*flows));
	struct conntrack_ports list = { .items = flows };
	int r, sock;

	for (size_t i = 0; i < ports->n; i++) {
		const struct port_binding *p = &ports->items[i];

		if (p->proto != IPPROTO_UDP || net_addr_is_loopback(&p->host))
			continue;
		flows[list.n++] = (struct conntrack_port){
			.family = p->host.family,
			.proto = p->proto,
			.port = p->host_port,
			.to = net_addr_is_any(&p->host) ? NULL : p->host.bytes,
		};
	}
	if (!list.n)
		return 0;
	sock = nft_open(err);
	r = sock < 0 ? sock : conntrack_delete_ports(sock, &list, err);
	net_linger(net_dir, sock);
	return r;
}

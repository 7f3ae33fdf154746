/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/endpoints.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/strv.h"
#include "engine/db.h"
#include "net/service_client.h"

#define COLUMNS        "owner, network, position, ifname, options"
#define DEFAULT_PREFIX "eth"

/* What was asked, as text: column "options". */
struct asked_doc {
	int kind;
	char *target;
	uint32_t vlan;
	char *ip, *ip6, *gateway, *gateway6;
	uint32_t prefix, prefix6;
	char **link_local, *mac, **aliases, *interface, *host_interface;
	uint32_t mtu;
	int32_t gw_priority;
	char **sysctls;
};
static const char *const kind_names[] = { "network",   "private", "none",        "host",
					  "container", "path",    "pasta",       "cni",
					  "macvlan",   "vlan",    "host-device", NULL };

#define ASKED(member, k, ...) JSON_FIELD(struct asked_doc, member, #member, k, ##__VA_ARGS__)
static const struct json_field asked_fields[] = {
	ASKED(kind, JSON_ENUM, .names = kind_names, .flags = JSON_REQUIRED),
	ASKED(target, JSON_STR),
	ASKED(vlan, JSON_U32),
	ASKED(ip, JSON_STR),
	ASKED(ip6, JSON_STR),
	ASKED(prefix, JSON_U32),
	ASKED(prefix6, JSON_U32),
	ASKED(gateway, JSON_STR),
	ASKED(gateway6, JSON_STR),
	ASKED(link_local, JSON_STRV),
	ASKED(mac, JSON_STR),
	ASKED(aliases, JSON_STRV),
	ASKED(interface, JSON_STR),
	ASKED(host_interface, JSON_STR),
	ASKED(mtu, JSON_U32),
	ASKED(gw_priority, JSON_I32),
	ASKED(sysctls, JSON_STRV),
};
static const struct json_desc asked_desc = JSON_DESC(struct asked_doc, asked_fields);

void endpoint_done(struct endpoint *ep)
{
	free(ep->owner);
	free(ep->network);
	free(ep->ifname);
	netspec_done(&ep->asked);
	*ep = (struct endpoint){ 0 };
}

void endpoint_list_done(struct endpoint_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		endpoint_done(&list->items[i]);
	free(take_ptr(list->items));
	list->n = 0;
}

/* ---- text ---- */

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static void asked_write(const struct netspec *s, struct buf *out)
{
	struct asked_doc doc = {
		.kind = (int)s->kind,
		.target = copy(s->target),
		.vlan = s->vlan,
		.ip = net_addr_text(&s->ip),
		.ip6 = net_addr_text(&s->ip6),
		.prefix = s->prefix,
		.prefix6 = s->prefix6,
		.gateway = net_addr_text(&s->gateway),
		.gateway6 = net_addr_text(&s->gateway6),
		.aliases = strv_copy(s->aliases),
		.interface = copy(s->interface),
		.host_interface = copy(s->host_interface),
		.mtu = s->mtu,
		.gw_priority = s->gw_priority,
		.sysctls = strv_copy(s->sysctls),
	};

	for (size_t i = 0; i < s->n_link_local; i++)
		strv_take(&doc.link_local, net_addr_text(&s->link_local[i]));
	if (s->has_mac)
		doc.mac = net_mac_text(s->mac);
	json_write(&asked_desc, &doc, 0, out);
	json_free(&asked_desc, &doc);
}

static int addrs_read(const struct asked_doc *doc, struct netspec *s)
{
	size_t n = strv_len(doc->link_local);
	const struct {
		const char *text;
		struct net_addr *to;
	} addrs[] = {
		{ doc->ip, &s->ip },
		{ doc->ip6, &s->ip6 },
		{ doc->gateway, &s->gateway },
		{ doc->gateway6, &s->gateway6 },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(addrs); i++)
		if (addrs[i].text)
			r = net_addr_parse(addrs[i].text, addrs[i].to, NULL);
	if (r == 0 && doc->mac) {
		r = net_mac_parse(doc->mac, s->mac, NULL);
		s->has_mac = true;
	}
	s->link_local = n ? xcalloc(n, sizeof(*s->link_local)) : NULL;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = net_addr_parse(doc->link_local[i], &s->link_local[s->n_link_local++], NULL);
	return r;
}

static int asked_read(const char *text, struct netspec *s, struct err *err)
{
	struct asked_doc doc = { 0 };
	int r = json_parse(&asked_desc, &doc, text, strlen(text), "endpoint", err);

	if (r < 0)
		return r;
	*s = (struct netspec){
		.kind = (enum netspec_kind)doc.kind,
		.target = doc.target,
		.vlan = (uint16_t)doc.vlan,
		.prefix = (uint8_t)doc.prefix,
		.prefix6 = (uint8_t)doc.prefix6,
		.aliases = doc.aliases,
		.interface = doc.interface,
		.host_interface = doc.host_interface,
		.mtu = doc.mtu,
		.gw_priority = doc.gw_priority,
		.sysctls = doc.sysctls,
	};
	doc.target = doc.interface = doc.host_interface = NULL;
	doc.aliases = doc.sysctls = NULL;
	r = addrs_read(&doc, s);
	json_free(&asked_desc, &doc);
	return r < 0 ? err_fail(err, ERR_CORRUPT, "an endpoint has an address that is none") : 0;
}

/* ---- rows ---- */

static int from_row(sqlite3_stmt *stmt, struct endpoint *ret, struct err *err)
{
	cleanup_endpoint struct endpoint ep = {
		.owner = db_column_str(stmt, 0),
		.network = db_column_str(stmt, 1),
		.position = sqlite3_column_int(stmt, 2),
		.ifname = db_column_str(stmt, 3),
	};
	cleanup_free char *options = db_column_str(stmt, 4);
	int r = asked_read(options ? options : "", &ep.asked, err);

	if (r < 0)
		return err_wrap(err, r, "reading how %s is connected", ep.owner);
	*ret = ep;
	ep = (struct endpoint){ 0 };
	return 0;
}

static int list(struct engine *eng, const char *where, const char *value, struct endpoint_list *ret,
		struct err *err)
{
	cleanup_free char *sql = xasprintf("SELECT " COLUMNS " FROM endpoints WHERE %s", where);
	cleanup_endpoint_list struct endpoint_list all = { 0 };
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_query(eng->db, &stmt, err, sql, "s", value);
	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0) {
		all.items = xrealloc(all.items, (all.n + 1) * sizeof(*all.items));
		r = from_row(stmt, &all.items[all.n], err);
		if (r == 0)
			all.n++;
	}
	if (r < 0)
		return r;
	*ret = all;
	all = (struct endpoint_list){ 0 };
	return 0;
}

int endpoints_of(struct engine *eng, const char *owner, struct endpoint_list *ret, struct err *err)
{
	return list(eng, "owner = ? ORDER BY position", owner, ret, err);
}

int endpoints_in(struct engine *eng, const char *network, struct endpoint_list *ret,
		 struct err *err)
{
	return list(eng, "network = ? ORDER BY owner", network, ret, err);
}

int endpoint_get(struct engine *eng, const char *owner, const char *network, struct endpoint *ret,
		 struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_query(eng->db, &stmt, err,
			     "SELECT " COLUMNS " FROM endpoints WHERE owner = ? AND network = ?",
			     "ss", owner, network);
	if (r == 0)
		r = db_step(eng->db, stmt, err);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	return from_row(stmt, ret, err);
}

/* ---- without a network ---- */

static void ip_of_adhoc(const struct net_addr *ip, uint8_t prefix, const struct net_addr *gateway,
			struct network_ip *ret)
{
	if (!ip->family)
		return;
	ret->subnet = (struct subnet){ .base = net_addr_base(ip, prefix), .prefix = prefix };
	ret->gateway = *gateway;
}

void network_of_adhoc(const struct netspec *s, struct network *ret)
{
	static const int drivers[] = { [NETSPEC_MACVLAN] = NETWORK_MACVLAN,
				       [NETSPEC_VLAN] = NETWORK_VLAN,
				       [NETSPEC_HOST_DEVICE] = NETWORK_HOST_DEVICE };
	const int driver = drivers[s->kind];

	*ret = (struct network){ .driver = driver,
				 .options = { .parent = xstrdup(s->target),
					      .vlan = s->vlan,
					      .no_dns = true,
					      .no_ipam = true } };
	ret->id = s->vlan ? xasprintf("vlan:%s.%u", s->target, s->vlan)
			  : xasprintf("%s:%s", network_driver_names[driver], s->target);
	ret->name = xstrdup(ret->id);
	ip_of_adhoc(&s->ip, s->prefix, &s->gateway, &ret->ip4);
	ip_of_adhoc(&s->ip6, s->prefix6, &s->gateway6, &ret->ip6);
}

int endpoint_network(struct engine *eng, const struct endpoint *ep, struct network *ret,
		     struct err *err)
{
	if (!netspec_is_adhoc(&ep->asked))
		return network_get(eng, ep->network, ret, err);
	network_of_adhoc(&ep->asked, ret);
	return 0;
}

int endpoint_addrs(struct engine *eng, const struct network *net, const struct endpoint *ep,
		   struct lease_addrs *ret, struct err *err)
{
	if (!netspec_is_adhoc(&ep->asked))
		return leases_of(eng, net, ep->owner, ret, err);
	*ret = (struct lease_addrs){ ep->asked.ip, ep->asked.ip6 };
	return 0;
}

char **endpoint_networks(struct engine *eng, const char *owner, char ***ids)
{
	cleanup_endpoint_list struct endpoint_list list = { 0 };
	char **names = NULL;

	if (endpoints_of(eng, owner, &list, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < list.n; i++) {
		cleanup_network struct network net = { 0 };
		bool ours = network_get(eng, list.items[i].network, &net, NULL) == 0;

		strv_add(&names, ours ? net.name : list.items[i].network);
		if (ids)
			strv_add(ids, list.items[i].network);
	}
	return names;
}

char *endpoint_id(const struct endpoint *ep, const struct network *net)
{
	/* Several may be on none of ours. */
	if (netspec_is_adhoc(&ep->asked))
		return xasprintf("%.56s%08x", ep->owner, (unsigned int)ep->position);
	return xasprintf("%.32s%.32s", ep->owner, net->id);
}

void endpoint_mac(const struct netspec *asked, const struct lease_addrs *addrs, uint8_t ret[6])
{
	const bool by6 = addrs->ip6.family && asked->ip6.family && !asked->ip.family;

	if (asked->has_mac)
		memcpy(ret, asked->mac, 6);
	else
		net_addr_mac(addrs->ip4.family && !by6 ? &addrs->ip4 : &addrs->ip6, ret);
}

/* ---- coming and going ---- */

static bool ifname_is_taken(const struct endpoint_list *all, const char *name)
{
	for (size_t i = 0; i < all->n; i++)
		if (str_eq(all->items[i].ifname, name))
			return true;
	return false;
}

static int ifname_choose(const struct network *net, const struct endpoint_list *all,
			 struct endpoint *ep, struct err *err)
{
	const char *prefix =
	    net && net->options.iface_prefix ? net->options.iface_prefix : DEFAULT_PREFIX;

	if (ep->asked.interface && !ep->ifname)
		ep->ifname = xstrdup(ep->asked.interface);
	if (ep->ifname && ifname_is_taken(all, ep->ifname))
		return err_fail(err, ERR_CONFLICT,
				"the container has an interface %s in another network already",
				ep->ifname);
	for (unsigned int i = 0; !ep->ifname; i++) {
		cleanup_free char *name = xasprintf("%s%u", prefix, i);

		if (!ifname_is_taken(all, name))
			ep->ifname = take_ptr(name);
	}
	return 0;
}

int endpoint_insert(struct engine *eng, const struct network *net, struct endpoint *ep,
		    struct err *err)
{
	cleanup_endpoint_list struct endpoint_list all = { 0 };
	cleanup_buf struct buf options = BUF_INIT;
	int r = endpoints_of(eng, ep->owner, &all, err);

	for (size_t i = 0; r == 0 && i < all.n; i++)
		if (str_eq(all.items[i].network, ep->network))
			return err_fail(err, ERR_EXISTS,
					"the container is already connected to network %s",
					net ? net->name : ep->network);
	if (r == 0 && all.n >= NET_SERVICE_NETWORKS)
		return err_fail(err, ERR_LIMIT, "a container can be on at most %d networks",
				NET_SERVICE_NETWORKS);
	if (r == 0)
		r = ifname_choose(net, &all, ep, err);
	if (r < 0)
		return r;
	if (ep->position < 0)
		ep->position = all.n ? all.items[all.n - 1].position + 1 : 0;
	asked_write(&ep->asked, &options);
	/* It may have been removed since somebody looked for it. */
	r = db_exec(eng->db, err,
		    "INSERT INTO endpoints (owner, network, position, ifname, options)"
		    " SELECT ?1, ?2, ?3, ?4, ?5 WHERE ?6 OR"
		    " EXISTS (SELECT 1 FROM networks WHERE id = ?2)",
		    "ssissi", ep->owner, ep->network, ep->position, ep->ifname, buf_str(&options),
		    !net || netspec_is_adhoc(&ep->asked));
	if (r == 0)
		return err_fail(err, ERR_NOT_FOUND, "network %s not found",
				net ? net->name : ep->network);
	return r < 0 ? r : 0;
}

int endpoint_delete(struct engine *eng, const char *owner, const char *network, struct err *err)
{
	int r = db_exec(eng->db, err, "DELETE FROM endpoints WHERE owner = ? AND network = ?", "ss",
			owner, network);

	if (r == 0)
		return err_fail(err, ERR_NOT_FOUND, "the container is not connected to network %s",
				network);
	return r < 0 ? r : 0;
}

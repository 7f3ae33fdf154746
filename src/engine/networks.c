/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/networks.h"

#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/events.h"
#include "engine/find.h"
#include "engine/leases.h"
#include "engine/network_gone.h"
#include "engine/networks_internal.h"
#include "net/netspec.h"

#define COLUMNS                                                                                    \
	"id, name, driver, created_ns, bridge, ip4, ip6, labels, options,"                         \
	" (SELECT count(*) FROM endpoints WHERE network = id)"

const char *const network_driver_names[] = { "bridge", "macvlan",     "ipvlan",
					     "vlan",   "host-device", NULL };

void network_done(struct network *net)
{
	free(net->id);
	free(net->name);
	free(net->bridge);
	json_map_done(&net->labels);
	json_free(&network_options_desc, &net->options);
	*net = (struct network){ 0 };
}

void network_list_done(struct network_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		network_done(&list->items[i]);
	free(take_ptr(list->items));
	list->n = 0;
}

/* ---- columns ---- */

struct map_doc {
	struct json_map map;
};
static const struct json_field map_fields[] = {
	JSON_FIELD(struct map_doc, map, "labels", JSON_MAP),
};
static const struct json_desc map_desc = JSON_DESC(struct map_doc, map_fields);

#define OPTION(member, kind) JSON_FIELD(struct network_options, member, #member, kind)
static const struct json_field option_fields[] = {
	OPTION(internal, JSON_BOOL),
	OPTION(no_dns, JSON_BOOL),
	OPTION(dns, JSON_STRV),
	OPTION(no_icc, JSON_BOOL),
	OPTION(open, JSON_BOOL),
	OPTION(routed, JSON_BOOL),
	OPTION(no_masquerade, JSON_BOOL),
	OPTION(no_default_route, JSON_BOOL),
	OPTION(no_ipam, JSON_BOOL),
	OPTION(mtu, JSON_U32),
	OPTION(metric, JSON_U32),
	OPTION(parent, JSON_STR),
	OPTION(mode, JSON_STR),
	OPTION(vlan, JSON_U32),
	OPTION(iface_prefix, JSON_STR),
	OPTION(host_binding, JSON_STR),
	OPTION(aux, JSON_MAP),
	OPTION(given, JSON_MAP),
};
const struct json_desc network_options_desc = JSON_DESC(struct network_options, option_fields);

/* A network_ip as text. */
struct ip_doc {
	char *subnet, *gateway, *first, *last;
	bool ranged;
};
static const struct json_field ip_fields[] = {
	JSON_FIELD(struct ip_doc, subnet, "subnet", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct ip_doc, gateway, "gateway", JSON_STR),
	JSON_FIELD(struct ip_doc, first, "first", JSON_STR),
	JSON_FIELD(struct ip_doc, last, "last", JSON_STR),
	JSON_FIELD(struct ip_doc, ranged, "ranged", JSON_BOOL),
};
static const struct json_desc ip_desc = JSON_DESC(struct ip_doc, ip_fields);

char *network_subnet_text(const struct network_ip *ip)
{
	char text[NET_ADDR_TEXT];

	return ip->subnet.base.family
		   ? xasprintf("%s/%u", net_addr_format(&ip->subnet.base, text), ip->subnet.prefix)
		   : NULL;
}

void network_ip_write(const struct network_ip *ip, struct buf *out)
{
	struct ip_doc doc = {
		.subnet = network_subnet_text(ip),
		.gateway = net_addr_text(&ip->gateway),
		.first = net_addr_text(&ip->first),
		.last = net_addr_text(&ip->last),
		.ranged = ip->ranged,
	};

	if (doc.subnet)
		json_write(&ip_desc, &doc, 0, out);
	json_free(&ip_desc, &doc);
}

void network_ip_read(sqlite3_stmt *stmt, int column, struct network_ip *ret)
{
	cleanup_free char *text = db_column_str(stmt, column);
	struct network_ip ip = { 0 };
	struct ip_doc doc = { 0 };

	*ret = ip;
	if (!text || !text[0] ||
	    json_parse(&ip_desc, &doc, text, strlen(text), "addresses", NULL) < 0)
		return;
	ip.ranged = doc.ranged;
	if (subnet_parse(doc.subnet, &ip.subnet, NULL) == 0 &&
	    (!doc.gateway || net_addr_parse(doc.gateway, &ip.gateway, NULL) == 0) &&
	    (!doc.first || net_addr_parse(doc.first, &ip.first, NULL) == 0) &&
	    (!doc.last || net_addr_parse(doc.last, &ip.last, NULL) == 0))
		*ret = ip;
	json_free(&ip_desc, &doc);
}

static int driver_of(const char *word)
{
	for (int i = 0; network_driver_names[i]; i++)
		if (str_eq(network_driver_names[i], word))
			return i;
	return NETWORK_BRIDGE;
}

static void from_row(sqlite3_stmt *stmt, void *data)
{
	cleanup_free char *labels = db_column_str(stmt, 7);
	cleanup_free char *options = db_column_str(stmt, 8);
	struct network *ret = data;
	struct map_doc doc = { 0 };

	*ret = (struct network){
		.id = db_column_str(stmt, 0),
		.name = db_column_str(stmt, 1),
		.driver = driver_of((const char *)sqlite3_column_text(stmt, 2)),
		.created_ns = db_column_i64(stmt, 3),
		.bridge = db_column_str(stmt, 4),
		.uses = (uint64_t)db_column_i64(stmt, 9),
	};
	network_ip_read(stmt, 5, &ret->ip4);
	network_ip_read(stmt, 6, &ret->ip6);
	if (labels && labels[0] &&
	    json_parse(&map_desc, &doc, labels, strlen(labels), "labels", NULL) == 0)
		ret->labels = doc.map;
	if (options && options[0])
		json_parse(&network_options_desc, &ret->options, options, strlen(options),
			   "options", NULL);
}

/* ---- finding ---- */

static const struct find finder = { "SELECT " COLUMNS " FROM networks WHERE ", from_row };

int network_get(struct engine *eng, const char *id, struct network *ret, struct err *err)
{
	int r = engine_db(eng, err);

	if (r == 0)
		r = find_id(eng->db, &finder, id, ret, err);
	return r < 0 ? r : r == 0 ? -ENOENT : 0;
}

static int no_such(const char *word, struct err *err)
{
	int r = err_fail(err, ERR_NOT_FOUND, "network %s not found", word);

	if (str_starts(word, "slirp4netns"))
		return err_hint(err, r,
				"there is no slirp4netns: leave --network out, or use pasta");
	return str_eq(word, "host") || str_eq(word, "none")
		   ? err_hint(err, r, "%s is a word of --network, and no network", word)
		   : r;
}

int network_find(struct engine *eng, const char *word, struct network *ret, struct err *err)
{
	cleanup_network struct network net = { 0 };
	int r = engine_db(eng, err);

	if (netspec_is_default(word))
		word = NETWORK_DEFAULT;
	if (r == 0)
		r = find_word(eng->db, &finder, word, &net, err);
	if (r == 0 && str_eq(word, NETWORK_DEFAULT)) {
		r = network_default_make(eng, err);
		if (r == 0)
			r = find_word(eng->db, &finder, word, &net, err);
	}
	if (r < 0)
		return r;
	if (r == 0)
		return no_such(word, err);
	if (r > 1)
		return err_fail(err, ERR_INVALID, "more than one network's id begins with %s",
				word);
	*ret = net;
	net = (struct network){ 0 };
	return 0;
}

int networks_list(struct engine *eng, struct network_list *ret, struct err *err)
{
	cleanup_network_list struct network_list list = { 0 };
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_query(eng->db, &stmt, err, "SELECT " COLUMNS " FROM networks ORDER BY name",
			     "");
	if (r == 0)
		r = db_rows(eng->db, stmt, from_row, sizeof(*list.items), &list.items, &list.n,
			    err);
	if (r < 0)
		return r;
	*ret = list;
	list = (struct network_list){ 0 };
	return 0;
}

int network_users(struct engine *eng, const char *id, char ***ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_query(eng->db, &stmt, err,
			     "SELECT owner FROM endpoints WHERE network = ? ORDER BY owner", "s",
			     id);
	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0)
		strv_take(ret, db_column_str(stmt, 0));
	return r;
}

/* ---- coming and going ---- */

static int tell(struct engine *eng, const struct network *net, const char *action, struct err *err)
{
	const char *const words[] = { "name", net->name, "type", network_driver_names[net->driver],
				      NULL };

	return event_add(eng, "network", action, net->id, words, err);
}

static void options_write(const struct network *net, struct buf *labels, struct buf *options)
{
	struct map_doc doc = { .map = net->labels };

	if (net->labels.n)
		json_write(&map_desc, &doc, 0, labels);
	json_write(&network_options_desc, &net->options, 0, options);
}

int network_insert(struct engine *eng, const struct network *net, struct err *err)
{
	cleanup_buf struct buf ip4 = BUF_INIT, ip6 = BUF_INIT, labels = BUF_INIT,
			       options = BUF_INIT;
	int r;

	network_ip_write(&net->ip4, &ip4);
	network_ip_write(&net->ip6, &ip6);
	options_write(net, &labels, &options);
	r = db_exec(eng->db, err,
		    "INSERT INTO networks (id, name, driver, created_ns, bridge, ip4, ip6, labels,"
		    " options) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		    "sssIsssss", net->id, net->name, network_driver_names[net->driver],
		    net->created_ns, net->bridge, buf_str(&ip4), buf_str(&ip6), buf_str(&labels),
		    buf_str(&options));
	return r < 0 ? r : tell(eng, net, "create", err);
}

bool network_is_default(const struct network *net)
{
	return str_eq(net->name, NETWORK_DEFAULT);
}

static char *user_names(struct engine *eng, char *const *users)
{
	cleanup_strv char **names = NULL;

	for (; *users; users++)
		strv_take(&names, lease_owner_name(eng, *users));
	return strv_join(names, ", ");
}

static int remove_locked(struct engine *eng, const struct network *net, struct err *err)
{
	cleanup_strv char **users = NULL;
	int r = network_users(eng, net->id, &users, err);

	if (r == 0 && users) {
		cleanup_free char *names = user_names(eng, users);

		r = err_fail(err, ERR_CONFLICT, "network %s is in use: it has endpoints of [%s]",
			     net->name, names);
		return err_hint(
		    err, r,
		    "remove these containers first, or inro network disconnect them, or "
		    "inro network rm --force");
	}
	if (r == 0)
		r = db_exec(eng->db, err, "DELETE FROM networks WHERE id = ?", "s", net->id);
	if (r == 0)
		return no_such(net->name, err);
	return r < 0 ? r : tell(eng, net, "destroy", err);
}

int network_remove(struct engine *eng, const struct network *net, struct err *err)
{
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_begin(eng->db, err);
	if (r == 0)
		r = db_end(eng->db, remove_locked(eng, net, err), err);
	if (r == 0)
		network_gone(eng, net);
	return r < 0 ? r : db_sync(eng->db, err);
}

/* ---- changing ---- */

static int servers_change(struct network *net, char *const *add, char *const *drop, struct err *err)
{
	char **kept = NULL;
	size_t n = 0;

	for (size_t i = 0; drop && drop[i]; i++)
		if (!strv_has(net->options.dns, drop[i]))
			return err_fail(err, ERR_NOT_FOUND, "network %s has no name server %s",
					net->name, drop[i]);
	for (size_t i = 0; net->options.dns && net->options.dns[i]; i++)
		if (!strv_has(drop, net->options.dns[i]))
			strv_add(&kept, net->options.dns[i]);
	for (size_t i = 0; add && add[i]; i++)
		if (!strv_has(kept, add[i]))
			strv_add(&kept, add[i]);
	n = strv_len(kept);
	strv_free(net->options.dns);
	net->options.dns = kept;
	return n > NETWORK_DNS_MAX
		   ? err_fail(err, ERR_LIMIT, "network %s: %zu name servers: at most %d", net->name,
			      n, NETWORK_DNS_MAX)
		   : 0;
}

int network_update(struct engine *eng, const char *word, char *const *dns_add,
		   char *const *dns_drop, struct err *err)
{
	cleanup_network struct network net = { 0 };
	cleanup_buf struct buf options = BUF_INIT;
	int r = network_servers_check(dns_add, err);

	/* The default one is made in a transaction of its own. */
	if (r == 0)
		r = network_find(eng, word, &net, err);
	if (r < 0)
		return r;
	network_done(&net);
	r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	r = network_find(eng, word, &net, err);
	if (r == 0)
		r = servers_change(&net, dns_add, dns_drop, err);
	if (r == 0) {
		json_write(&network_options_desc, &net.options, 0, &options);
		r = db_exec(eng->db, err, "UPDATE networks SET options = ? WHERE id = ?", "ss",
			    buf_str(&options), net.id);
	}
	if (r >= 0)
		r = tell(eng, &net, "update", err);
	return db_end(eng->db, r < 0 ? r : 0, err);
}

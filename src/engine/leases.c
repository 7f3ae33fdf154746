/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/leases.h"

#include <sys/socket.h>

#include "base/str.h"
#include "base/timeutil.h"
#include "engine/networks_internal.h"

/* Column "fixed". The owner's record takes the first bit along when it goes (a trigger). */
#define ASKED   1 /* somebody has asked for it, and may again */
#define OUTSIDE 2 /* it is none of those that are given to who asks for none */

struct take {
	struct engine *eng;
	const struct network *net;
	const struct network_ip *ip;
	const char *owner;
	int family;
	uint64_t first, last; /* of those that are given to who asks for none */
};

static const struct network_ip *ip_of(const struct network *net, int family)
{
	return family == AF_INET6 ? &net->ip6 : &net->ip4;
}

static struct take take_of(struct engine *eng, const struct network *net, const char *owner,
			   int family)
{
	struct take t = {
		.eng = eng, .net = net, .ip = ip_of(net, family), .owner = owner, .family = family
	};

	/* They were checked when the network was made. */
	if (subnet_host(&t.ip->subnet, &t.ip->first, &t.first) < 0 ||
	    subnet_host(&t.ip->subnet, &t.ip->last, &t.last) < 0)
		t.first = 1, t.last = 0;
	return t;
}

static int own(const struct take *t, uint64_t host, int fixed, struct err *err)
{
	int r = db_exec(t->eng->db, err,
			"INSERT INTO leases (network, family, host, owner, fixed)"
			" VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET owner = excluded.owner,"
			" fixed = excluded.fixed, released_ns = 0",
			"siIsi", t->net->id, t->family, (int64_t)host, t->owner, fixed);

	return r < 0 ? r : 0;
}

static int one_host(struct db *db, sqlite3_stmt *stmt, int r, uint64_t *ret, struct err *err)
{
	if (r == 0)
		r = db_step(db, stmt, err);
	if (r > 0)
		*ret = (uint64_t)db_column_i64(stmt, 0);
	return r;
}

/* ---- asked for ---- */

char *lease_owner_name(struct engine *eng, const char *id)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, NULL,
			 "SELECT name FROM containers WHERE id = ?1"
			 " UNION ALL SELECT name FROM pods WHERE id = ?1"
			 " UNION ALL SELECT name FROM services WHERE id = ?1",
			 "s", id);

	if (r == 0)
		r = db_step(eng->db, stmt, NULL);
	return r > 0 ? db_column_str(stmt, 0) : xstrdup(id);
}

static int in_use(const struct take *t, const struct net_addr *addr, const char *holder,
		  struct err *err)
{
	char text[NET_ADDR_TEXT];

	net_addr_format(addr, text);
	if (str_eq(holder, LEASE_NOBODY))
		return err_fail(err, ERR_CONFLICT,
				"address %s is the gateway of network %s, or kept from use", text,
				t->net->name);
	cleanup_free char *name = lease_owner_name(t->eng, holder);
	return err_fail(err, ERR_CONFLICT,
			"address %s of network %s is already in use by container %s", text,
			t->net->name, name);
}

static int asked_host(const struct take *t, const struct net_addr *addr, uint64_t *ret,
		      struct err *err)
{
	char text[NET_ADDR_TEXT];
	uint64_t first, last;

	net_addr_format(addr, text);
	if (!t->ip->subnet.base.family)
		return err_fail(err, ERR_USAGE, "network %s has no %s: address %s can't be in it",
				t->net->name, t->family == AF_INET6 ? "IPv6" : "IPv4", text);
	subnet_hosts(&t->ip->subnet, &first, &last);
	if (subnet_host(&t->ip->subnet, addr, ret) < 0 || *ret < first || *ret > last) {
		char base[NET_ADDR_TEXT];

		net_addr_format(&t->ip->subnet.base, base);
		return err_fail(err, ERR_USAGE,
				"address %s is not one for containers in subnet %s/%u of network "
				"%s",
				text, base, t->ip->subnet.prefix, t->net->name);
	}
	return 0;
}

/* Whose it is. 1: there is a row, 0: none. */
static int holder_of(const struct take *t, uint64_t host, char **ret, int64_t *ret_released,
		     int *ret_fixed, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(t->eng->db, &stmt, err,
			 "SELECT owner, released_ns, fixed FROM leases"
			 " WHERE network = ? AND family = ? AND host = ?",
			 "siI", t->net->id, t->family, (int64_t)host);

	if (r == 0)
		r = db_step(t->eng->db, stmt, err);
	if (r <= 0)
		return r;
	*ret = db_column_str(stmt, 0);
	*ret_released = db_column_i64(stmt, 1);
	*ret_fixed = sqlite3_column_int(stmt, 2);
	return 1;
}

static int fixed_bits(const struct take *t, uint64_t host)
{
	return ASKED | (host < t->first || host > t->last ? OUTSIDE : 0);
}

static int take_asked(const struct take *t, const struct net_addr *addr, uint64_t *ret,
		      char **ret_holder, struct err *err)
{
	cleanup_free char *holder = NULL;
	int64_t released = 0;
	int fixed = 0, r = asked_host(t, addr, ret, err);

	if (r == 0)
		r = holder_of(t, *ret, &holder, &released, &fixed, err);
	if (r < 0)
		return r;
	if (r > 0 && !released && !str_eq(holder, t->owner)) {
		r = in_use(t, addr, holder, err);
		if (ret_holder && !str_eq(holder, LEASE_NOBODY)) {
			free(*ret_holder);
			*ret_holder = take_ptr(holder);
		}
		return r;
	}
	return own(t, *ret, fixed_bits(t, *ret), err);
}

static int reserve(const struct take *t, const struct net_addr *addr, struct err *err)
{
	cleanup_free char *holder = NULL;
	int64_t released = 0;
	uint64_t host = 0;
	int fixed = 0, r = asked_host(t, addr, &host, err);

	if (r == 0)
		r = holder_of(t, host, &holder, &released, &fixed, err);
	if (r > 0 && str_eq(holder, LEASE_NOBODY))
		return in_use(t, addr, holder, err);
	if (r < 0 || (r > 0 && (!released || (fixed & ASKED))))
		return r < 0 ? r : 0;
	r = own(t, host, fixed_bits(t, host), err);
	if (r == 0)
		r = db_exec(t->eng->db, err,
			    "UPDATE leases SET released_ns = ? WHERE network = ? AND family = ? AND"
			    " host = ?",
			    "IsiI", time_now_ns(), t->net->id, t->family, (int64_t)host);
	return r < 0 ? r : 0;
}

/* ---- given ---- */

/* What it has, or had. */
static int find_again(const struct take *t, uint64_t *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(t->eng->db, &stmt, err,
			 "SELECT host FROM leases WHERE owner = ? AND network = ? AND family = ?"
			 " ORDER BY released_ns > 0, released_ns DESC LIMIT 1",
			 "ssi", t->owner, t->net->id, t->family);

	return one_host(t->eng->db, stmt, r, ret, err);
}

/* Nobody has had it, or nobody is to come back for it. */
static int find_same(const struct take *t, uint64_t same, uint64_t *ret, struct err *err)
{
	cleanup_free char *holder = NULL;
	int64_t released = 0;
	int fixed = 0, r;

	if (!same || same < t->first || same > t->last)
		return 0;
	r = holder_of(t, same, &holder, &released, &fixed, err);
	if (r < 0 || (r > 0 && (!released || fixed)))
		return r < 0 ? r : 0;
	*ret = same;
	return 1;
}

/* The first behind the last one that was given, that has no row. */
static int find_next(const struct take *t, uint64_t *ret, struct err *err)
{
	const char *column = t->family == AF_INET6 ? "next6" : "next4";
	cleanup_free char *select = xasprintf("SELECT %s FROM networks WHERE id = ?", column);
	cleanup_free char *update = xasprintf("UPDATE networks SET %s = ? WHERE id = ?", column);
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	uint64_t host = 0;
	int r = db_query(t->eng->db, &stmt, err, select, "s", t->net->id);

	r = one_host(t->eng->db, stmt, r, &host, err);
	if (r <= 0)
		return r < 0 ? r : err_fail(err, ERR_NOT_FOUND, "network %s not found", t->net->id);
	if (host < t->first)
		host = t->first;
	for (r = 1; r > 0 && host <= t->last; host++) {
		cleanup_free char *holder = NULL;
		int64_t released;
		int fixed;

		r = holder_of(t, host, &holder, &released, &fixed, err);
		if (r == 0)
			break;
	}
	if (r < 0 || host > t->last)
		return r < 0 ? r : 0;
	*ret = host;
	r = db_exec(t->eng->db, err, update, "Is", (int64_t)host + 1, t->net->id);
	return r < 0 ? r : 1;
}

static int find_oldest(const struct take *t, uint64_t *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(t->eng->db, &stmt, err,
			 "SELECT host FROM leases WHERE network = ? AND family = ? AND"
			 " released_ns > 0 AND NOT fixed ORDER BY released_ns LIMIT 1",
			 "si", t->net->id, t->family);

	return one_host(t->eng->db, stmt, r, ret, err);
}

static int none_left(const struct take *t, struct err *err)
{
	char first[NET_ADDR_TEXT], last[NET_ADDR_TEXT];
	int r;

	net_addr_format(&t->ip->first, first);
	net_addr_format(&t->ip->last, last);
	r = err_fail(err, ERR_LIMIT, "network %s has no free address: all from %s to %s are in use",
		     t->net->name, first, last);
	return err_hint(err, r,
			"make a larger one with inro network create --subnet, and --ip-range");
}

static int take_any(const struct take *t, uint64_t same, uint64_t *ret, struct err *err)
{
	int r = find_again(t, ret, err);

	if (r == 0)
		r = find_same(t, same, ret, err);
	if (r == 0)
		r = find_next(t, ret, err);
	if (r == 0)
		r = find_oldest(t, ret, err);
	if (r <= 0)
		return r < 0 ? r : none_left(t, err);
	return own(t, *ret, *ret < t->first || *ret > t->last ? OUTSIDE : 0, err);
}

static int release_others(const struct take *t, uint64_t host, struct err *err)
{
	int r = db_exec(t->eng->db, err,
			"UPDATE leases SET released_ns = ? WHERE owner = ? AND network = ? AND"
			" family = ? AND host <> ? AND released_ns = 0",
			"IssiI", time_now_ns(), t->owner, t->net->id, t->family, (int64_t)host);

	return r < 0 ? r : 0;
}

static int take_one(const struct take *t, const struct net_addr *asked, uint64_t same,
		    struct net_addr *ret, uint64_t *ret_host, char **ret_holder, struct err *err)
{
	int r;

	if (!t->ip->subnet.base.family && !asked->family)
		return 0;
	r = asked->family ? take_asked(t, asked, ret_host, ret_holder, err)
			  : take_any(t, same, ret_host, err);
	if (r == 0)
		r = release_others(t, *ret_host, err);
	return r < 0 ? r : subnet_address(&t->ip->subnet, *ret_host, ret);
}

int leases_take(struct engine *eng, const struct network *net, const char *owner,
		const struct lease_addrs *asked, struct lease_addrs *ret, char **ret_holder,
		struct err *err)
{
	const struct take t4 = take_of(eng, net, owner, AF_INET);
	const struct take t6 = take_of(eng, net, owner, AF_INET6);
	struct lease_addrs got = { 0 };
	uint64_t host4 = 0, host6 = 0;
	int r = take_one(&t4, &asked->ip4, 0, &got.ip4, &host4, ret_holder, err);

	/* The same number in both, where that can be: easier to remember. */
	if (r == 0)
		r = take_one(&t6, &asked->ip6, host4, &got.ip6, &host6, ret_holder, err);
	if (r == 0)
		*ret = got;
	return r;
}

int leases_reserve(struct engine *eng, const struct network *net, const char *owner,
		   const struct lease_addrs *asked, struct err *err)
{
	const struct take t4 = take_of(eng, net, owner, AF_INET);
	const struct take t6 = take_of(eng, net, owner, AF_INET6);
	int r = asked->ip4.family ? reserve(&t4, &asked->ip4, err) : 0;

	if (r == 0 && asked->ip6.family)
		r = reserve(&t6, &asked->ip6, err);
	return r;
}

int leases_release(struct engine *eng, const char *owner, const char *network, struct err *err)
{
	int r =
	    db_exec(eng->db, err,
		    "UPDATE leases SET released_ns = ?1 WHERE owner = ?2 AND released_ns = 0 AND"
		    " (?3 IS NULL OR network = ?3)",
		    "Iss", time_now_ns(), owner, network);

	return r < 0 ? r : 0;
}

int lease_keep(struct engine *eng, const struct network *net, const struct net_addr *addr,
	       struct err *err)
{
	const struct take t = take_of(eng, net, LEASE_NOBODY, addr->family);
	uint64_t host = 0;
	int r = asked_host(&t, addr, &host, err);

	return r < 0 ? r : own(&t, host, ASKED | OUTSIDE, err);
}

/* ---- lists ---- */

void lease_list_done(struct lease_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->items[i].network);
		free(list->items[i].owner);
	}
	free(take_ptr(list->items));
	list->n = 0;
}

static void from_row(sqlite3_stmt *stmt, const struct lease_list *list, struct network_ip *ip,
		     struct lease *ret)
{
	const struct lease *before = list->n ? &list->items[list->n - 1] : NULL;

	*ret = (struct lease){
		.network = db_column_str(stmt, 0),
		.owner = db_column_str(stmt, 3),
		.fixed = sqlite3_column_int(stmt, 4) & ASKED,
		.released_ns = db_column_i64(stmt, 5),
	};
	/* Parsed once for each network and family, which they come in the order of. */
	if (!before || before->addr.family != sqlite3_column_int(stmt, 1) ||
	    !str_eq(before->network, ret->network))
		network_ip_read(stmt, 6, ip);
	if (subnet_address(&ip->subnet, (uint64_t)db_column_i64(stmt, 2), &ret->addr) < 0)
		ret->addr = (struct net_addr){ 0 };
}

int leases_list(struct engine *eng, const char *network, const char *owner, struct lease_list *ret,
		struct err *err)
{
	cleanup_lease_list struct lease_list list = { 0 };
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct network_ip ip = { 0 };
	size_t cap = 0;
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_query(eng->db, &stmt, err,
			     "SELECT network, family, host, owner, fixed, released_ns,"
			     " CASE family WHEN 2 THEN ip4 ELSE ip6 END"
			     " FROM leases JOIN networks ON networks.id = network"
			     " WHERE released_ns = 0 AND (?1 IS NULL OR network = ?1) AND"
			     " (?2 IS NULL OR owner = ?2) ORDER BY network, family, host",
			     "ss", network, owner);
	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0) {
		if (list.n == cap) {
			cap = cap ? cap * 2 : 16;
			list.items = xrealloc(list.items, cap * sizeof(*list.items));
		}
		from_row(stmt, &list, &ip, &list.items[list.n]);
		list.n++;
	}
	if (r < 0)
		return r;
	*ret = list;
	list = (struct lease_list){ 0 };
	return 0;
}

int leases_of(struct engine *eng, const struct network *net, const char *owner,
	      struct lease_addrs *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct lease_addrs got = { 0 };
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_query(eng->db, &stmt, err,
			     "SELECT family, host FROM leases WHERE owner = ? AND network = ? AND"
			     " released_ns = 0",
			     "ss", owner, net->id);
	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0) {
		int family = sqlite3_column_int(stmt, 0);

		subnet_address(&ip_of(net, family)->subnet, (uint64_t)db_column_i64(stmt, 1),
			       family == AF_INET6 ? &got.ip6 : &got.ip4);
	}
	if (r == 0)
		*ret = got;
	return r;
}

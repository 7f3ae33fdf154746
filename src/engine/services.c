/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of services and their replicas. */
#include "engine/services.h"

#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/db.h"
#include "engine/endpoints.h"
#include "engine/networks.h"

void service_done(struct service *s)
{
	free(take_ptr(s->id));
	free(take_ptr(s->name));
}

void replicas_done(struct replicas *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->items[i].id);
		free(list->items[i].name);
	}
	free(take_ptr(list->items));
	list->n = 0;
}

int service_get(struct engine *eng, const char *word, struct service *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_query(eng->db, &stmt, err,
			     "SELECT id, name, sticky FROM services WHERE name = ?1 OR id = ?1",
			     "s", word);
	if (r == 0)
		r = db_step(eng->db, stmt, err);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret = (struct service){ .id = db_column_str(stmt, 0),
				 .name = db_column_str(stmt, 1),
				 .sticky = sqlite3_column_int(stmt, 2) };
	return 0;
}

char *service_name(struct engine *eng, const struct record *rec)
{
	cleanup_service struct service s = { 0 };

	if (rec->options.service && service_get(eng, rec->options.service, &s, NULL) == 0)
		return take_ptr(s.name);
	return xstrdup("");
}

int service_name_check(struct engine *eng, const char *name, struct err *err)
{
	cleanup_service struct service s = { 0 };
	int r = service_get(eng, name, &s, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return err_hint(err,
			err_fail(err, ERR_EXISTS,
				 "the container name \"%s\" is already in use by a service", name),
			"`inro rm -f %s` removes it with all its replicas", name);
}

int service_replicas(struct engine *eng, const char *id, struct replicas *ret, struct err *err)
{
	cleanup_replicas struct replicas list = { 0 };
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err,
			 "SELECT c.id, c.name, r.number, r.leaving FROM replicas AS r"
			 " JOIN containers AS c ON c.id = r.container WHERE r.service = ?"
			 " ORDER BY r.number, c.created_ns",
			 "s", id);

	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0) {
		int leaving = sqlite3_column_int(stmt, 3);

		list.items = xrealloc(list.items, (list.n + 1) * sizeof(*list.items));
		list.items[list.n++] = (struct replica){ .id = db_column_str(stmt, 0),
							 .name = db_column_str(stmt, 1),
							 .number = sqlite3_column_int(stmt, 2),
							 .leaving = leaving,
							 .forgotten = leaving == SERVICE_LEFT };
	}
	if (r < 0)
		return r;
	*ret = list;
	list = (struct replicas){ 0 };
	return 0;
}

int services_expand(struct engine *eng, char ***words, struct err *err)
{
	cleanup_strv char **given = take_ptr(*words);
	int r = 0;

	for (char **w = given; r == 0 && w && *w; w++) {
		cleanup_service struct service s = { 0 };
		cleanup_replicas struct replicas list = { 0 };

		r = service_get(eng, **w == '/' ? *w + 1 : *w, &s, err);
		if (r == 0)
			r = service_replicas(eng, s.id, &list, err);
		else if (r == -ENOENT)
			r = 0;
		for (size_t i = 0; i < list.n; i++)
			strv_add(words, list.items[i].name);
		if (!list.n)
			strv_add(words, *w);
	}
	return r;
}

/* What an endpoint of one container can't be for several has been refused. */
static int join_network(struct engine *eng, const char *service, const struct network *net,
			const struct netspec *asked, int position, struct err *err)
{
	struct endpoint there = { 0 };
	struct endpoint ep = { .owner = (char *)(uintptr_t)service,
			       .network = net->id,
			       .position = position,
			       .asked = *asked };
	int r = endpoint_get(eng, service, net->id, &there, err);

	if (r == 0) {
		endpoint_done(&there);
		return 0;
	}
	if (r == -ENOENT) {
		r = endpoint_insert(eng, net, &ep, err);
		free(ep.ifname);
	}
	return r;
}

/* Others may have taken the name since it was looked for. */
static int check_part(struct engine *eng, const struct service_part *part, struct err *err)
{
	cleanup_service struct service s = { 0 };
	int r = service_get(eng, part->name, &s, err);

	if (r == -ENOENT)
		return record_name_check(eng, part->name, err);
	return r == 0 && !str_eq(s.id, part->id) ? service_name_check(eng, part->name, err) : r;
}

int service_join(struct engine *eng, const struct record *rec, const struct service_part *part,
		 const struct network *networks, const struct netspec *asked, size_t n,
		 struct err *err)
{
	int r = check_part(eng, part, err);

	if (r == 0)
		r = db_exec(eng->db, err,
			    "INSERT OR IGNORE INTO services (id, name, created_ns, sticky)"
			    " VALUES (?, ?, ?, ?)",
			    "ssIi", part->id, part->name, time_now_ns(), (int)part->sticky);

	if (r >= 0)
		r = db_exec(eng->db, err,
			    "INSERT INTO replicas (container, service, number) VALUES (?, ?, ?)",
			    "ssi", rec->id, part->id, part->number);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = join_network(eng, part->id, &networks[i], &asked[i], (int)i, err);
	return r < 0 ? r : 0;
}

int service_take(struct engine *eng, const struct record *rec, struct err *err)
{
	cleanup_endpoint_list struct endpoint_list list = { 0 };
	const char *service = rec->options.service;
	int r;

	if (!service)
		return 0;
	r = db_exec(eng->db, err, "UPDATE replicas SET leaving = 0 WHERE container = ?", "s",
		    rec->id);
	if (r >= 0)
		r = endpoints_of(eng, service, &list, err);
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const struct lease_addrs any = { .ip4 = { .family = 0 } };
		cleanup_network struct network net = { 0 };
		struct lease_addrs got;

		r = network_get(eng, list.items[i].network, &net, err);
		if (r == 0)
			r = leases_take(eng, &net, service, &any, &got, NULL, err);
	}
	return r < 0 ? r : 0;
}

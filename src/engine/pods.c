/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pods.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/db.h"
#include "engine/events.h"
#include "engine/find.h"
#include "engine/names.h"
#include "engine/pod_options.h"
#include "engine/pod_ports.h"
#include "engine/run_internal.h"

#define NAME_ATTEMPTS 32
#define PORT_ATTEMPTS 16
#define COLUMNS       "id, name, created_ns, options"

void pod_done(struct pod *pod)
{
	free(pod->id);
	free(pod->name);
	json_free(&pod_options_desc, &pod->options);
	*pod = (struct pod){ 0 };
}

void pod_list_done(struct pod_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		pod_done(&list->items[i]);
	free(list->items);
	*list = (struct pod_list){ 0 };
}

static void from_row(sqlite3_stmt *stmt, struct pod *pod)
{
	cleanup_free char *options = db_column_str(stmt, 3);

	*pod = (struct pod){ .id = db_column_str(stmt, 0),
			     .name = db_column_str(stmt, 1),
			     .created_ns = db_column_i64(stmt, 2) };
	if (options && options[0])
		json_parse(&pod_options_desc, &pod->options, options, strlen(options), "options",
			   NULL);
}

/* ---- making ---- */

static int tell(struct engine *eng, const struct pod *pod, const char *action, struct err *err)
{
	const char *const words[] = { "name", pod->name, NULL };

	return event_add(eng, "pod", action, pod->id, words, err);
}

void pod_note(struct engine *eng, const struct pod *pod, const char *action)
{
	struct err err = ERR_INIT;

	if (tell(eng, pod, action, &err) < 0)
		log_debug("noting the event %s of pod %s: %s", action, pod->name, err.msg);
}

static int insert_once(struct engine *eng, const struct pod *pod, const char *name,
		       const char *options, struct err *err)
{
	return db_exec(eng->db, err,
		       "INSERT INTO pods (id, name, created_ns, options) VALUES (?, ?, ?, ?)",
		       "ssIs", pod->id, name, pod->created_ns, options);
}

static int insert_named(struct engine *eng, struct pod *pod, const char *options, struct err *err)
{
	int r;

	if (pod->name) {
		r = insert_once(eng, pod, pod->name, options, err);
		if (r < 0 && db_is_unique_error(eng->db))
			return err_fail(err, ERR_EXISTS,
					"adding pod to state: name \"%s\" is in use: pod already "
					"exists",
					pod->name);
		return r < 0 ? r : 0;
	}
	for (unsigned int attempt = 0;; attempt++) {
		cleanup_free char *name = name_random(attempt);

		r = insert_once(eng, pod, name, options, err);
		if (r >= 0) {
			pod->name = take_ptr(name);
			return 0;
		}
		if (!db_is_unique_error(eng->db) || attempt + 1 == NAME_ATTEMPTS)
			return r;
	}
}

/* What it asks of networks, as long as it shares one. */
struct nets {
	struct netspec *items;
	struct network *networks;
	size_t n;
};

static int find_nets(struct engine *eng, const struct pod *pod, struct nets *ret, struct err *err)
{
	char **words = pod->options.member.network;
	int r = words ? netspec_list_parse(words, &ret->items, &ret->n, err) : 0;

	if (r == 0)
		r = networks_words(&pod->options.member, ret->items,
				   pod_shares(pod, "network") ? ret->n : 0, err);
	if (r < 0 || !ret->n || !netspec_is_link(&ret->items[0]))
		return r;
	r = networks_find(eng, ret->items, ret->n, &ret->networks, err);
	return r == 0 && pod->options.member.publish
		   ? networks_check_ports(ret->networks, ret->n, err)
		   : r;
}

static int insert(struct engine *eng, struct pod *pod, const struct nets *nets, struct err *err)
{
	cleanup_buf struct buf options = BUF_INIT;
	int r;

	json_write(&pod_options_desc, &pod->options, 0, &options);
	r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	r = insert_named(eng, pod, buf_str(&options), err);
	if (r == 0 && nets->networks && pod_shares(pod, "network"))
		r = networks_store(eng, pod->id, nets->items, nets->networks, nets->n, true, err);
	if (r == 0)
		r = pod_ports_distinct(eng, pod, err);
	if (r == 0)
		r = tell(eng, pod, "create", err);
	return db_end(eng->db, r, err);
}

/* -EAGAIN: another pod has chosen the same port. */
static int insert_with_ports(struct engine *eng, struct pod *pod, const struct nets *nets,
			     struct err *err)
{
	bool named = pod->name != NULL;
	struct net_addr host = { .family = 0 };
	cleanup_fd int keep = -EBADF;
	int r = 0;

	if (nets->n && nets->networks && nets->networks[0].options.host_binding)
		r = net_addr_parse(nets->networks[0].options.host_binding, &host, err);
	if (r == 0)
		r = pod_ports_choose(eng, &host, &pod->options, &keep, err);
	if (r == 0)
		r = insert(eng, pod, nets, err);
	if (r < 0 && !named)
		free(take_ptr(pod->name));
	return r;
}

int pod_insert(struct engine *eng, struct pod *pod, struct err *err)
{
	struct nets nets = { .n = 0 };
	int r = engine_db(eng, err), attempt = 0;

	if (r == 0)
		r = find_nets(eng, pod, &nets, err);
	while (r == 0 && (r = insert_with_ports(eng, pod, &nets, err)) == -EAGAIN &&
	       ++attempt < PORT_ATTEMPTS)
		r = 0;
	if (r == -EAGAIN)
		r = err_fail(
		    err, ERR_LIMIT,
		    "choosing ports of the host: those that are free belong to other pods");
	networks_free(nets.networks, nets.n);
	netspec_list_free(nets.items, nets.n);
	return r;
}

/* ---- finding ---- */

static void find_row(sqlite3_stmt *stmt, void *ret)
{
	from_row(stmt, ret);
}

int pod_find(struct engine *eng, const char *word, struct pod *ret, struct err *err)
{
	static const struct find finder = { "SELECT " COLUMNS " FROM pods WHERE ", find_row };
	cleanup_pod struct pod pod = { 0 };
	int r = engine_db(eng, err);

	if (r < 0)
		return r;
	r = find_word(eng->db, &finder, word, &pod, err);
	if (r < 0)
		return r;
	if (r > 1)
		return err_fail(err, ERR_INVALID, "more than one pod's id begins with %s", word);
	if (r == 0)
		return err_fail(err, ERR_NOT_FOUND, "no pod with name or ID %s found: no such pod",
				word);
	*ret = pod;
	pod = (struct pod){ 0 };
	return 0;
}

int pod_set_finished(struct engine *eng, const char *id, struct err *err)
{
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_exec(eng->db, err,
			    "UPDATE pods SET options = json_remove(options, '$.unfinished')"
			    " WHERE id = ?",
			    "s", id);
	return r < 0 ? r : 0;
}

int pods_list(struct engine *eng, struct pod_list *ret, struct err *err)
{
	cleanup_pod_list struct pod_list list = { 0 };
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_query(eng->db, &stmt, err,
			     "SELECT " COLUMNS " FROM pods ORDER BY created_ns DESC, id", "");
	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0) {
		list.items = xrealloc(list.items, (list.n + 1) * sizeof(*list.items));
		from_row(stmt, &list.items[list.n++]);
	}
	if (r < 0)
		return r;
	*ret = list;
	list = (struct pod_list){ 0 };
	return 0;
}

/* ---- removing ---- */

int pod_check_empty(struct engine *eng, const struct pod *pod, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_query(eng->db, &stmt, err, "SELECT 1 FROM containers WHERE pod = ? LIMIT 1",
			     "s", pod->id);
	if (r == 0)
		r = db_step(eng->db, stmt, err);
	return r <= 0
		   ? r
		   : err_fail(err, ERR_CONFLICT,
			      "pod %s has containers that are not ready to be removed", pod->name);
}

int pod_delete(struct engine *eng, const struct pod *pod, struct err *err)
{
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	r = pod_check_empty(eng, pod, err);
	if (r == 0)
		r = db_exec(eng->db, err, "DELETE FROM pods WHERE id = ?", "s", pod->id);
	if (r > 0)
		r = tell(eng, pod, "remove", err);
	return db_end(eng->db, r, err);
}

/* ---- what it says ---- */

bool pod_shares(const struct pod *pod, const char *ns)
{
	return strv_has(pod->options.share, ns);
}

char *pod_share_words(const struct pod *pod)
{
	cleanup_strv char **words = NULL;

	for (size_t i = 0; pod->options.share && pod->options.share[i]; i++)
		strv_add(&words,
			 str_eq(pod->options.share[i], "network") ? "net" : pod->options.share[i]);
	return strv_join(words, ",");
}

char *pod_cgroup_parent(const struct engine *eng, const struct pod *pod)
{
	const char *parent = pod->options.member.cgroup_parent;

	if (pod->options.no_parent)
		return xstrdup("");
	return xstrdup(parent ? parent : eng->rootless ? "inro" : "/inro");
}

char *pod_cgroup_path(const struct engine *eng, const struct pod *pod)
{
	cleanup_free char *parent = pod_cgroup_parent(eng, pod);

	return path_join(parent, pod->id);
}

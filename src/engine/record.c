/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/record.h"

#include "base/fd.h"
#include "base/hex.h"
#include "base/str.h"
#include "engine/db.h"
#include "engine/events.h"
#include "engine/execs.h"
#include "engine/find.h"
#include "engine/names.h"
#include "engine/network_end.h"
#include "engine/parse.h"
#include "engine/services.h"
#include "engine/volumes.h"
#include "engine/sdnotify.h"

#define NAME_ATTEMPTS 32
#define COLUMNS                                                                                    \
	"id, name, image, image_name, command, created_ns, finished_ns, status, exit_code, "       \
	"auto_remove, labels, started_ns, restarts, options, stopped, "                            \
	"oom_killed, error, pod"

#define REMOVING "removing"
const char *const record_status_names[] = { "created", "running", "restarting", "exited", NULL };

static const struct json_field mount_fields[] = {
	JSON_FIELD(struct record_mount, type, "type", JSON_ENUM, .names = mount_kind_names),
	JSON_FIELD(struct record_mount, source, "source", JSON_STR),
	JSON_FIELD(struct record_mount, host_path, "hostPath", JSON_STR),
	JSON_FIELD(struct record_mount, target, "target", JSON_STR),
	JSON_FIELD(struct record_mount, mode, "mode", JSON_STR),
	JSON_FIELD(struct record_mount, options, "options", JSON_STRV),
	JSON_FIELD(struct record_mount, readonly, "readonly", JSON_BOOL),
	JSON_FIELD(struct record_mount, idmap, "idmap", JSON_BOOL),
};
static const struct json_desc mount_desc = JSON_DESC(struct record_mount, mount_fields);

static const struct json_field options_fields[] = {
	JSON_FIELD(struct record_options, tty, "tty", JSON_BOOL),
	JSON_FIELD(struct record_options, interactive, "interactive", JSON_BOOL),
	JSON_FIELD(struct record_options, restart, "restart", JSON_ENUM,
		   .names = restart_policy_names),
	JSON_FIELD(struct record_options, restart_max, "restartMax", JSON_I64),
	JSON_FIELD(struct record_options, stop_signal, "stopSignal", JSON_STR),
	JSON_FIELD(struct record_options, stop_timeout, "stopTimeout", JSON_OPT_I64),
	JSON_FIELD(struct record_options, pid_file, "pidFile", JSON_STR),
	JSON_FIELD(struct record_options, monitor_pid_file, "monitorPidFile", JSON_STR),
	JSON_FIELD(struct record_options, notify, "notify", JSON_BOOL),
	JSON_FIELD(struct record_options, notify_when, "notifyWhen", JSON_ENUM,
		   .names = sdnotify_names),
	JSON_FIELD(struct record_options, split, "split", JSON_BOOL),
	JSON_FIELD(struct record_options, requires, "requires", JSON_STRV),
	JSON_FIELD(struct record_options, log_driver, "logDriver", JSON_ENUM,
		   .names = log_driver_names),
	JSON_FIELD(struct record_options, log_max_size, "logMaxSize", JSON_U64),
	JSON_FIELD(struct record_options, log_max_files, "logMaxFiles", JSON_U32),
	JSON_FIELD(struct record_options, log_drop, "logDrop", JSON_BOOL),
	JSON_FIELD(struct record_options, log_attrs, "logAttrs", JSON_STR),
	JSON_FIELD(struct record_options, log_tag, "logTag", JSON_STR),
	JSON_FIELD(struct record_options, health, "health", JSON_OBJ, .desc = &health_desc),
	JSON_FIELD(struct record_options, mounts, "mounts", JSON_ARRAY, .desc = &mount_desc),
	JSON_FIELD(struct record_options, pod_share, "podShare", JSON_STRV),
	JSON_FIELD(struct record_options, infra, "infra", JSON_BOOL),
	JSON_FIELD(struct record_options, joins, "joins", JSON_MAP),
	JSON_FIELD(struct record_options, hostname, "hostname", JSON_STR),
	JSON_FIELD(struct record_options, dns, "dns", JSON_STRV),
	JSON_FIELD(struct record_options, publish, "publish", JSON_STRV),
	JSON_FIELD(struct record_options, publish_all, "publishAll", JSON_BOOL),
	JSON_FIELD(struct record_options, expose, "expose", JSON_STRV),
	JSON_FIELD(struct record_options, firewall, "firewall", JSON_STRV),
	JSON_FIELD(struct record_options, egress, "egress", JSON_STRV),
	JSON_FIELD(struct record_options, cni, "cni", JSON_STR),
	JSON_FIELD(struct record_options, pasta, "pasta", JSON_STR),
	JSON_FIELD(struct record_options, service, "service", JSON_STR),
	JSON_FIELD(struct record_options, ipc_shared, "ipcShared", JSON_BOOL),
	JSON_FIELD(struct record_options, rootfs, "rootfs", JSON_STR),
	JSON_FIELD(struct record_options, rootfs_overlay, "rootfsOverlay", JSON_BOOL),
	JSON_FIELD(struct record_options, rootfs_idmap, "rootfsIdmap", JSON_BOOL),
	JSON_FIELD(struct record_options, mapping, "mapping", JSON_STR),
};
static const struct json_desc options_desc = JSON_DESC(struct record_options, options_fields);

void record_done(struct record *rec)
{
	size_t i;

	free(rec->id);
	free(rec->name);
	free(rec->image);
	free(rec->image_name);
	free(rec->command);
	free(rec->error);
	free(rec->asked);
	free(rec->pod);
	for (i = 0; i < rec->labels.n; i++) {
		free(rec->labels.items[i].key);
		free(rec->labels.items[i].value);
	}
	free(rec->labels.items);
	json_free(&options_desc, &rec->options);
	*rec = (struct record){ 0 };
}

const char *record_state(const struct record *rec)
{
	return rec->paused ? "paused" : record_status_names[rec->status];
}

void record_list_done(struct record_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		record_done(&list->items[i]);
	free(list->items);
	*list = (struct record_list){ 0 };
}

struct labels_doc {
	struct json_map map;
};
static const struct json_field labels_fields[] = {
	JSON_FIELD(struct labels_doc, map, "labels", JSON_MAP),
};
static const struct json_desc labels_desc = JSON_DESC(struct labels_doc, labels_fields);

void record_labels_write(const struct record *rec, struct buf *out)
{
	const struct labels_doc doc = { .map = rec->labels };

	if (rec->labels.n)
		json_write(&labels_desc, &doc, 0, out);
}

static void record_from_row(sqlite3_stmt *stmt, struct record *rec)
{
	struct labels_doc doc = { 0 };
	cleanup_free char *status = db_column_str(stmt, 7);
	cleanup_free char *labels = db_column_str(stmt, 10);
	cleanup_free char *options = db_column_str(stmt, 13);

	rec->id = db_column_str(stmt, 0);
	rec->name = db_column_str(stmt, 1);
	rec->image = db_column_str(stmt, 2);
	rec->image_name = db_column_str(stmt, 3);
	rec->command = db_column_str(stmt, 4);
	rec->created_ns = db_column_i64(stmt, 5);
	rec->finished_ns = db_column_i64(stmt, 6);
	rec->status = RECORD_EXITED;
	for (int i = 0; record_status_names[i]; i++)
		if (str_eq(status, record_status_names[i]))
			rec->status = i;
	rec->running = rec->status == RECORD_RUNNING || rec->status == RECORD_RESTARTING;
	rec->removing = str_eq(status, REMOVING);
	rec->health = -1;
	rec->exit_code = (int)db_column_i64(stmt, 8);
	rec->auto_remove = db_column_i64(stmt, 9) != 0;
	if (labels && labels[0] &&
	    json_parse(&labels_desc, &doc, labels, strlen(labels), "labels", NULL) == 0)
		rec->labels = doc.map;
	rec->started_ns = db_column_i64(stmt, 11);
	rec->restarts = db_column_i64(stmt, 12);
	rec->stopped = db_column_i64(stmt, 14) != 0;
	rec->oom_killed = db_column_i64(stmt, 15) != 0;
	rec->error = db_column_str(stmt, 16);
	rec->pod = db_column_str(stmt, 17);
	if (options && options[0])
		json_parse(&options_desc, &rec->options, options, strlen(options), "options", NULL);
}

static int name_taken(struct engine *eng, const char *name, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_free char *id = NULL;
	int r;

	r = db_query(eng->db, &stmt, err, "SELECT id FROM containers WHERE name = ?", "s", name);
	if (r < 0)
		return r;
	r = db_step(eng->db, stmt, err);
	if (r < 0)
		return r;
	if (r > 0)
		id = db_column_str(stmt, 0);
	return err_fail(
	    err, ERR_EXISTS,
	    "Conflict. The container name \"%s\" is already in use by container \"%s\". "
	    "You have to remove (or rename) that container to be able to reuse that name.",
	    name, id ? id : "?");
}

int record_name_check(struct engine *eng, const char *name, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err, "SELECT 1 FROM containers WHERE name = ?", "s", name);

	if (r == 0)
		r = db_step(eng->db, stmt, err);
	return r > 0 ? name_taken(eng, name, err) : r;
}

static bool pod_is_there(struct engine *eng, const char *id)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;

	return db_query(eng->db, &stmt, NULL, "SELECT 1 FROM pods WHERE id = ?", "s", id) == 0 &&
	       db_step(eng->db, stmt, NULL) > 0;
}

static int insert_once(struct engine *eng, const struct record *rec, const char *name,
		       const char *labels, const char *options, struct err *err)
{
	/* One statement is one transaction: the UNIQUE columns decide who wins, and an image or a
	 * pod that was removed a moment ago gets no container any more. */
	int r = db_exec(eng->db, err,
			"INSERT INTO containers (id, name, image, image_name, command, created_ns,"
			" auto_remove, labels, status, started_ns, options, asked, pod) SELECT ?1, "
			"?2, ?3, ?4, ?5,"
			" ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13"
			" WHERE (?3 IN ('host', '') OR EXISTS (SELECT 1 FROM images WHERE id = ?3))"
			" AND (?13 IS NULL OR EXISTS (SELECT 1 FROM pods WHERE id = ?13))",
			"sssssIissIsss", rec->id, name, rec->image, rec->image_name, rec->command,
			rec->created_ns, (int)rec->auto_remove, labels,
			record_status_names[rec->status], rec->started_ns, options,
			rec->asked ? rec->asked : "", rec->pod);

	if (r == 0 && rec->pod && !pod_is_there(eng, rec->pod))
		return err_fail(err, ERR_NOT_FOUND, "no such pod: %.12s was removed", rec->pod);
	if (r == 0)
		return err_fail(err, ERR_NOT_FOUND, "No such image: %s", rec->image_name);
	return r;
}

/* With the name that the user has chosen, or else one of ours. */
static int insert_named(struct engine *eng, struct record *rec, const char *labels,
			const char *options, struct err *err)
{
	int r;

	if (rec->name) {
		r = service_name_check(eng, rec->name, err);
		if (r == 0)
			r = insert_once(eng, rec, rec->name, labels, options, err);
		if (r < 0 && r != -ENOENT && r != -EEXIST && db_is_unique_error(eng->db))
			return name_taken(eng, rec->name, err);
		return r < 0 ? r : 0;
	}
	for (unsigned int attempt = 0;; attempt++) {
		cleanup_free char *name = name_random(attempt);

		r = insert_once(eng, rec, name, labels, options, err);
		if (r >= 0) {
			rec->name = take_ptr(name);
			return 0;
		}
		if (r == -ENOENT || !db_is_unique_error(eng->db) || attempt + 1 == NAME_ATTEMPTS)
			return r;
	}
}

/* The transaction of a start, and the lock that is closed behind it. */
static int begin_start(struct engine *eng, const struct record *rec, int *ret_lock, struct err *err)
{
	int r = engine_db(eng, err);

	if (r == 0)
		r = *ret_lock =
		    net_members_lock(eng, rec->pod ? rec->pod : rec->options.service, err);
	return r < 0 && r != -EBADF ? r : db_begin(eng->db, err);
}

/* What `start` and `run` tell of. */
static int tell_start(struct engine *eng, const char *id, bool attached, struct err *err)
{
	int r = attached ? event_container(eng, id, "attach", NULL, err) : 0;

	return r < 0 ? r : event_container(eng, id, "start", NULL, err);
}

int record_insert(struct engine *eng, struct record *rec, bool attached,
		  const struct record_also *also, struct err *err)
{
	cleanup_buf struct buf labels = BUF_INIT;
	cleanup_buf struct buf options = BUF_INIT;
	cleanup_fd int lock = -EBADF;
	int r;

	record_labels_write(rec, &labels);
	json_write(&options_desc, &rec->options, 0, &options);
	r = begin_start(eng, rec, &lock, err);
	if (r < 0)
		return r;
	r = insert_named(eng, rec, buf_str(&labels), buf_str(&options), err);
	if (r == 0)
		r = event_container(eng, rec->id, "create", NULL, err);
	if (r == 0 && also)
		r = also->fn(eng, rec, also->data, err);
	if (r == 0 && rec->status == RECORD_RUNNING)
		r = tell_start(eng, rec->id, attached, err);
	return db_end(eng->db, r, err);
}

static void find_row(sqlite3_stmt *stmt, void *ret)
{
	record_from_row(stmt, ret);
}

static const struct find finder = { "SELECT " COLUMNS " FROM containers WHERE ", find_row };

int record_find(struct engine *eng, const char *word, struct record *ret, struct err *err)
{
	struct record rec = { 0 };
	int r = engine_db(eng, err);

	if (r < 0)
		return r;
	r = find_word(eng->db, &finder, word, &rec, err);
	if (r == 1) {
		*ret = rec;
		return 0;
	}
	record_done(&rec);
	if (r < 0)
		return r;
	if (r > 1)
		return err_fail(err, ERR_INVALID, "more than one container's id begins with %s",
				word);
	r = err_fail(err, ERR_NOT_FOUND, "No such container: %s", word);
	return service_name_check(eng, word, NULL) == -EEXIST
		   ? err_hint(err, r, "%s is a service: name one of its replicas, as %s-1", word,
			      word)
		   : r;
}

int record_get(struct engine *eng, const char *id, struct record *ret, struct err *err)
{
	int r = engine_db(eng, err);

	if (r < 0)
		return r;
	r = find_id(eng->db, &finder, id, ret, err);
	return r < 0 ? r : r ? 0 : -ENOENT;
}

/* The database would have to keep whole rows for that. */
static int compare_newest(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	return x->created_ns != y->created_ns ? (x->created_ns < y->created_ns ? 1 : -1)
					      : strcmp(x->id, y->id);
}

/* Newest first. */
static int list_by(struct engine *eng, const char *sql, const char *word, struct record_list *ret,
		   struct err *err)
{
	cleanup_record_list struct record_list list = { 0 };
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_query(eng->db, &stmt, err, sql, "s", word);
	if (r == 0)
		r = db_rows(eng->db, stmt, find_row, sizeof(*list.items), &list.items, &list.n,
			    err);
	if (r < 0)
		return r;
	if (list.n)
		qsort(list.items, list.n, sizeof(*list.items), compare_newest);
	*ret = list;
	list = (struct record_list){ 0 };
	return 0;
}

int record_list(struct engine *eng, const char *image, struct record_list *ret, struct err *err)
{
	return list_by(eng,
		       "SELECT " COLUMNS " FROM containers WHERE ?1 IS NULL OR image = ?1"
		       " OR " RECORD_HAS_MOUNTED("?1"),
		       image, ret, err);
}

int record_list_newest(struct engine *eng, int n, struct record_list *ret, struct err *err)
{
	char limit[16];

	snprintf(limit, sizeof(limit), "%d", n);
	return list_by(eng,
		       "SELECT " COLUMNS " FROM containers WHERE id IN"
		       " (SELECT id FROM containers ORDER BY created_ns DESC, id LIMIT ?)",
		       limit, ret, err);
}

int record_list_pod(struct engine *eng, const char *pod, struct record_list *ret, struct err *err)
{
	return list_by(eng, "SELECT " COLUMNS " FROM containers WHERE pod = ?", pod, ret, err);
}

int record_rename(struct engine *eng, const struct record *rec, const char *name, struct err *err)
{
	cleanup_free char *old = xasprintf("/%s", rec->name);
	const char *const words[] = { "oldName", old, NULL };
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	r = service_name_check(eng, name, err);
	if (r < 0)
		return db_end(eng->db, r, err);
	r = db_exec(eng->db, err, "UPDATE containers SET name = ? WHERE id = ?", "ss", name,
		    rec->id);
	if (r < 0 && db_is_unique_error(eng->db))
		r = name_taken(eng, name, err);
	else if (r == 0)
		r = err_fail(err, ERR_NOT_FOUND, "No such container: %s", rec->name);
	if (r > 0)
		r = event_container(eng, rec->id, "rename", words, err);
	return db_end(eng->db, r, err);
}

int record_start(struct engine *eng, const struct record *rec, int64_t started_ns, bool attached,
		 const struct record_also *also, struct err *err)
{
	cleanup_fd int lock = -EBADF;
	int r = begin_start(eng, rec, &lock, err);

	if (r < 0)
		return r;
	r = db_exec(eng->db, err,
		    "UPDATE containers SET status = 'running', started_ns = ?, restarts = ?,"
		    " stopped = 0, oom_killed = 0, error = NULL WHERE id = ?",
		    "IIs", started_ns, rec->restarts, rec->id);
	if (r >= 0 && also)
		r = also->fn(eng, rec, also->data, err);
	if (r >= 0)
		r = tell_start(eng, rec->id, attached, err);
	return db_end(eng->db, r, err);
}

int record_stopped(struct engine *eng, const char *id, struct err *err)
{
	int r = engine_db(eng, err);

	if (r < 0)
		return r;
	r = db_exec(eng->db, err, "UPDATE containers SET stopped = 1 WHERE id = ?", "s", id);
	return r < 0 ? r : 0;
}

bool record_starts_at_boot(const struct record *rec)
{
	const struct restart_question q = {
		.policy = rec->options.restart,
		.max = rec->options.restart_max,
		.restarts = rec->restarts,
		.status = rec->exit_code,
		.stopped = rec->stopped,
	};

	return rec->status != RECORD_CREATED && restart_wanted_at_boot(&q, rec->running);
}

/* The commands that were executed in it have ended with it. */
static int tell_end(struct engine *eng, const char *id, const struct record_end *end,
		    struct err *err)
{
	int r = execs_end(eng, id, err);

	return r < 0 ? r : event_die(eng, id, end, err);
}

/* A transaction in which a container's networks are released. */
static int begin_end(struct engine *eng, const char *id, struct net_end *ret, struct err *err)
{
	int r = net_end_begin(eng, id, ret, err);

	return r < 0 ? r : db_begin(eng->db, err);
}

static int set_end(struct engine *eng, const char *id, enum record_status status,
		   const struct record_end *end, struct err *err)
{
	cleanup_net_end struct net_end nets = NET_END_INIT;
	int r = status == RECORD_EXITED ? begin_end(eng, id, &nets, err) : engine_db(eng, err);

	if (r == 0 && status != RECORD_EXITED)
		r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	r = tell_end(eng, id, end, err);
	if (r == 0)
		r = db_exec(eng->db, err,
			    "UPDATE containers SET status = ?, exit_code = ?, finished_ns = ?,"
			    " oom_killed = ?, error = ? WHERE id = ?",
			    "siIiss", record_status_names[status], end->exit_code, end->finished_ns,
			    (int)end->oom_killed, end->error, id);
	if (r >= 0 && status == RECORD_EXITED)
		r = net_end_rows(eng, id, &nets, err);
	return db_end(eng->db, r < 0 ? r : 0, err);
}

int record_restarting(struct engine *eng, const char *id, const struct record_end *end,
		      struct err *err)
{
	return set_end(eng, id, RECORD_RESTARTING, end, err);
}

int record_finish(struct engine *eng, const char *id, const struct record_end *end, struct err *err)
{
	return set_end(eng, id, RECORD_EXITED, end, err);
}

void record_options_write(const struct record_options *options, struct buf *out)
{
	json_write(&options_desc, options, 0, out);
}

int record_options_parse(const char *text, struct record_options *ret, struct err *err)
{
	return json_parse(&options_desc, ret, text, strlen(text), "options", err);
}

int record_unstart(struct engine *eng, const struct record *rec, const struct record_end *end,
		   struct err *err)
{
	cleanup_net_end struct net_end nets = NET_END_INIT;
	int r = begin_end(eng, rec->id, &nets, err);

	if (r < 0)
		return r;
	r = tell_end(eng, rec->id, end, err);
	if (r == 0)
		r = net_end_rows(eng, rec->id, &nets, err);
	if (r == 0)
		r = db_exec(eng->db, err,
			    "UPDATE containers SET status = ?, started_ns = ?, restarts = ?,"
			    " stopped = ?, oom_killed = ?, error = ? WHERE id = ?",
			    "sIIiiss", record_status_names[rec->status], rec->started_ns,
			    rec->restarts, (int)rec->stopped, (int)rec->oom_killed, rec->error,
			    rec->id);
	return db_end(eng->db, r < 0 ? r : 0, err);
}

int record_set_options(struct engine *eng, const char *id, const struct record_options *options,
		       struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r = engine_db(eng, err);

	if (r < 0)
		return r;
	record_options_write(options, &text);
	r = db_exec(eng->db, err, "UPDATE containers SET options = ? WHERE id = ?", "ss",
		    buf_str(&text), id);
	if (r == 0)
		return err_fail(err, ERR_NOT_FOUND, "No such container: %s", id);
	return r < 0 ? r : 0;
}

int record_removing(struct engine *eng, const char *id, bool volumes, struct err *err)
{
	int r = engine_db(eng, err);

	if (r < 0)
		return r;
	r = db_exec(eng->db, err,
		    "UPDATE containers SET status = '" REMOVING "', auto_remove = auto_remove OR ?"
		    " WHERE id = ? AND status IN ('created', 'exited')",
		    "is", (int)volumes, id);
	return r < 0 ? r : 0;
}

int record_give_up(struct engine *eng, const char *id, struct err *err)
{
	cleanup_net_end struct net_end nets = NET_END_INIT;
	int r = begin_end(eng, id, &nets, err);

	if (r < 0)
		return r;
	r = db_exec(
	    eng->db, err,
	    "UPDATE containers SET status = 'exited' WHERE id = ? AND status = 'restarting'", "s",
	    id);
	if (r > 0)
		r = net_end_rows(eng, id, &nets, err);
	return db_end(eng->db, r < 0 ? r : 0, err);
}

int record_delete(struct engine *eng, const char *id, const struct record_end *end, bool volumes,
		  struct err *err)
{
	cleanup_net_end struct net_end nets = NET_END_INIT;
	bool removed = false;
	int r = begin_end(eng, id, &nets, err);

	if (r < 0)
		return r;
	r = tell_end(eng, id, end, err);
	if (r == 0)
		r = net_end_rows(eng, id, &nets, err);
	if (r == 0)
		r = event_container(eng, id, "destroy", NULL, err);
	if (r == 0 && volumes)
		r = volumes_leave(eng, id, &removed, err);
	if (r == 0)
		r = db_exec(eng->db, err, "DELETE FROM containers WHERE id = ?", "s", id);
	r = db_end(eng->db, r < 0 ? r : 0, err);
	return r == 0 && removed ? volumes_sweep(eng, err) : r;
}

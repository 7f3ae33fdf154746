/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/events_read.h"

#include <limits.h>
#include <poll.h>
#include <sys/inotify.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/timeutil.h"
#include "engine/db.h"
#include "engine/execs.h"
#include "engine/filter.h"

/* The database's log is written before what is in it may be seen: so it is looked at again some
 * times after a notice, each time later. Else only what no notice was given of is found so. */
#define SOON_FIRST_MS 1
#define SOON_LAST_MS  256
#define LOOK_AGAIN_MS 1000
#define BLIND_MS      100 /* without inotify */
#define NS_PER_MS     INT64_C(1000000)
#define BATCH         128

static const char *const keys[] = { "container", "event", "image", "label",  "network",
				    "pod",       "scope", "type",  "volume", NULL };
static const char *const fuzzy[] = { "exec_create", "exec_start", "health_status" };

static void event_done(struct event *ev)
{
	free(ev->type);
	free(ev->action);
	free(ev->actor);
	json_map_done(&ev->attributes);
	*ev = (struct event){ 0 };
}

/* ---- rows ---- */

struct words_doc {
	struct json_map map;
};
static const struct json_field words_fields[] = {
	JSON_FIELD(struct words_doc, map, "labels", JSON_MAP),
};
static const struct json_desc words_desc = JSON_DESC(struct words_doc, words_fields);

static void add_words(struct json_map *to, const char *text)
{
	struct words_doc doc = { 0 };

	if (!text || !text[0] ||
	    json_parse(&words_desc, &doc, text, strlen(text), "attributes", NULL) < 0)
		return;
	for (size_t i = 0; i < doc.map.n; i++)
		json_map_set(to, doc.map.items[i].key, doc.map.items[i].value);
	json_free(&words_desc, &doc);
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct json_pair *)a)->key, ((const struct json_pair *)b)->key);
}

#define COLUMNS "seq, time_ns, type, action, actor, name, image, labels, attributes"

static void event_from_row(sqlite3_stmt *stmt, struct event *ev)
{
	cleanup_free char *name = db_column_str(stmt, 5);
	cleanup_free char *image = db_column_str(stmt, 6);
	cleanup_free char *labels = db_column_str(stmt, 7);
	cleanup_free char *own = db_column_str(stmt, 8);
	cleanup_free char *doc = own && own[0] ? xasprintf("{\"labels\":%s}", own) : NULL;

	ev->seq = db_column_i64(stmt, 0);
	ev->time_ns = db_column_i64(stmt, 1);
	ev->type = db_column_str(stmt, 2);
	ev->action = db_column_str(stmt, 3);
	ev->actor = db_column_str(stmt, 4);
	/* What is ours comes after what users have called the same. */
	add_words(&ev->attributes, labels);
	if (image)
		json_map_set(&ev->attributes, "image", image);
	if (name)
		json_map_set(&ev->attributes, "name", name);
	add_words(&ev->attributes, doc);
	if (ev->attributes.n)
		qsort(ev->attributes.items, ev->attributes.n, sizeof(*ev->attributes.items),
		      by_key);
}

/* ---- filters ---- */

static bool type_is(const char *value, const void *data)
{
	return str_eq(((const struct event *)data)->type, value);
}

static bool action_is(const char *value, const void *data)
{
	const struct event *ev = data;
	const char *rest = str_after(ev->action, value);

	for (size_t i = 0; rest && *rest == ':' && i < ARRAY_SIZE(fuzzy); i++)
		if (str_eq(value, fuzzy[i]))
			return true;
	return rest && !*rest;
}

static bool scope_is(const char *value, const void *data)
{
	return str_eq(value, "local");
}

static bool is_id(const char *value, const char *id)
{
	return value[0] && id && str_starts(id, value);
}

static bool container_is(const char *value, const void *data)
{
	const struct event *ev = data;

	value += value[0] == '/';
	if (str_eq(ev->type, "container"))
		return is_id(value, ev->actor) ||
		       str_eq(json_map_get(&ev->attributes, "name"), value);
	return is_id(value, json_map_get(&ev->attributes, "container"));
}

/* "a", "a:b" and "c.d:5000/a:b" without their tags. */
static char *without_tag(const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *colon = strchr(slash ? slash : name, ':');

	return xstrndup(name, colon ? (size_t)(colon - name) : strlen(name));
}

static bool name_is(const char *value, const char *name)
{
	cleanup_free char *bare = name ? without_tag(name) : NULL;

	return name && (str_eq(name, value) || str_eq(bare, value));
}

static bool image_is(const char *value, const void *data)
{
	const struct event *ev = data;
	const char *hex;

	if (str_eq(ev->type, "container"))
		return name_is(value, json_map_get(&ev->attributes, "image"));
	if (!str_eq(ev->type, "image"))
		return false;
	hex = str_after(ev->actor, "sha256:");
	return name_is(value, ev->actor) || name_is(value, json_map_get(&ev->attributes, "name")) ||
	       is_id(value, hex);
}

static bool actor_is(const char *type, const char *value, const struct event *ev)
{
	return str_eq(ev->type, type) &&
	       (str_eq(ev->actor, value) || str_eq(json_map_get(&ev->attributes, "name"), value));
}

static bool volume_is(const char *value, const void *data)
{
	return actor_is("volume", value, data);
}

static bool pod_is(const char *value, const void *data)
{
	const struct event *ev = data;

	return actor_is("pod", value, ev) || (str_eq(ev->type, "pod") && is_id(value, ev->actor));
}

static bool network_is(const char *value, const void *data)
{
	return actor_is("network", value, data);
}

static bool meets(const struct filters *filters, const struct event *ev)
{
	static const struct {
		const char *key;
		bool (*fn)(const char *value, const void *data);
	} tests[] = {
		{ "type", type_is },           { "event", action_is }, { "scope", scope_is },
		{ "container", container_is }, { "image", image_is },  { "volume", volume_is },
		{ "network", network_is },     { "pod", pod_is },
	};

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		if (!filters_any(filters, tests[i].key, tests[i].fn, ev))
			return false;
	return filters_labels(filters, &ev->attributes);
}

/* ---- waiting ---- */

/* Of the database's directory: its log may be removed and made anew. */
static int watch_open(struct engine *eng)
{
	char path[FD_PATH_MAX];
	cleanup_fd int execs = execs_open(eng);
	cleanup_fd int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0 || inotify_add_watch(fd, fd_proc_path(eng->root_fd, path),
					IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return -EBADF;
	/* and of that in which the ends of commands are told */
	if (execs < 0 || inotify_add_watch(fd, fd_proc_path(execs, path), IN_CLOSE_WRITE) < 0)
		log_debug("commands that end are told of later");
	return take_fd(fd);
}

struct reading {
	struct engine *eng;
	const struct events_query *q;
	struct filters filters;
	int64_t seq; /* of the last one */
	int watch;
	int soon_ms; /* until the next look after a notice; 0: none came */
};

/* When this returns there may be more. */
static void wait_more(struct reading *rd)
{
	struct pollfd p = { .fd = rd->watch, .events = POLLIN };
	int timeout = rd->watch < 0 ? BLIND_MS : LOOK_AGAIN_MS;
	int64_t left;
	char buf[4096];

	if (rd->soon_ms && rd->soon_ms < timeout)
		timeout = rd->soon_ms;
	rd->soon_ms = rd->soon_ms >= SOON_LAST_MS ? 0 : rd->soon_ms * 4;
	if (rd->q->until_ns) {
		left = (rd->q->until_ns - time_now_ns()) / NS_PER_MS + 1;
		timeout = left < 1 ? 1 : left < timeout ? (int)left : timeout;
	}
	if (poll(&p, 1, timeout) <= 0)
		return;
	while (read(rd->watch, buf, sizeof(buf)) > 0)
		;
	rd->soon_ms = SOON_FIRST_MS;
}

/* ---- reading ---- */

/* Up to BATCH of them. The statement is closed before they are handed out: while a slow reader of
 * ours takes them, the database's log could not be begun anew. */
static int read_batch(struct reading *rd, struct event *batch, size_t *ret_n, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	const struct events_query *q = rd->q;
	int r =
	    db_query(rd->eng->db, &stmt, err,
		     "SELECT " COLUMNS " FROM events WHERE seq > ? AND time_ns >= ? AND"
		     " time_ns <= ? ORDER BY seq LIMIT ?",
		     "IIIi", rd->seq, q->since_ns, q->until_ns ? q->until_ns : INT64_MAX, BATCH);

	while (r >= 0 && (r = db_step(rd->eng->db, stmt, err)) > 0) {
		event_from_row(stmt, &batch[*ret_n]);
		rd->seq = batch[(*ret_n)++].seq;
	}
	return r;
}

/* What is there now. */
static int read_new(struct reading *rd, struct err *err)
{
	const struct events_query *q = rd->q;
	struct err own = ERR_INIT;
	size_t n = BATCH;
	int r = 0;

	/* where nothing can be written, nothing has ended lately */
	if (execs_sweep(rd->eng, NULL, &own) < 0)
		log_debug("looking for commands that have ended: %s", own.msg);

	while (r == 0 && n == BATCH) {
		struct event batch[BATCH] = { 0 };

		n = 0;
		r = read_batch(rd, batch, &n, err);
		for (size_t i = 0; i < n; i++) {
			if (r == 0 && meets(&rd->filters, &batch[i]))
				r = q->event(q->data, &batch[i], err);
			event_done(&batch[i]);
		}
	}
	return r;
}

static int last_seq(struct reading *rd, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(rd->eng->db, &stmt, err, "SELECT coalesce(max(seq), 0) FROM events", "");

	if (r == 0)
		r = db_step(rd->eng->db, stmt, err);
	if (r > 0)
		rd->seq = db_column_i64(stmt, 0);
	return r < 0 ? r : 0;
}

static int follow(struct reading *rd, struct err *err)
{
	const struct events_query *q = rd->q;
	bool over = false;
	int r = 0;

	while (r == 0) {
		/* What comes before that is in the database when it is looked at next. */
		over = !q->stream || (q->until_ns && time_now_ns() > q->until_ns);
		r = read_new(rd, err);
		if (r == 0)
			r = q->idle(q->data, err);
		if (over)
			break;
		if (r == 0)
			wait_more(rd);
	}
	return r;
}

int events_read(struct engine *eng, const struct events_query *query, struct err *err)
{
	struct reading rd = { .eng = eng, .q = query, .watch = -EBADF };
	int r = filters_parse(query->filters, keys, &rd.filters, err);

	if (r == 0)
		r = engine_db(eng, err);
	if (r == 0 && query->stream) {
		rd.watch = watch_open(eng);
		if (!query->since_ns && !query->until_ns)
			r = last_seq(&rd, err);
	}
	if (r == 0)
		r = follow(&rd, err);
	fd_close(rd.watch);
	filters_done(&rd.filters);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/events.h"

#include "base/log.h"
#include "base/timeutil.h"
#include "engine/db.h"

/* So often old ones are looked for: a power of two. */
#define TRIM_EVERY 256

#define INSERT       "INSERT INTO events (time_ns, type, action, actor, name, image, labels, attributes)"
#define OF_CONTAINER "?1, 'container', ?2, id, name, image_name, labels"

/* {"exitCode":"0"}; "" when there are none. */
static void words_write(const char *const *words, struct buf *out)
{
	for (size_t i = 0; words && words[i]; i += 2) {
		buf_addc(out, i ? ',' : '{');
		json_write_string(out, words[i]);
		buf_addc(out, ':');
		json_write_string(out, words[i + 1] ? words[i + 1] : "");
		if (!words[i + 1])
			break;
	}
	if (out->len)
		buf_addc(out, '}');
}

/* Rows are in the order of their numbers, and nearly in that of their times. */
static int trim(struct engine *eng, struct err *err)
{
	int64_t last = sqlite3_last_insert_rowid(eng->db->handle);
	int r;

	if (last % TRIM_EVERY != 0)
		return 0;
	r = db_exec(eng->db, err, "DELETE FROM events WHERE seq <= ?", "I", last - EVENTS_MAX);
	if (r >= 0)
		r = db_exec(eng->db, err,
			    "DELETE FROM events WHERE time_ns < ?1 AND"
			    " seq < (SELECT min(seq) FROM events) + ?2",
			    "II", time_now_ns() - EVENTS_AGE_NS, (int64_t)2 * TRIM_EVERY);
	return r < 0 ? r : 0;
}

/* r: of the statement that was to insert one row. */
static int added(struct engine *eng, int r, struct err *err)
{
	return r <= 0 ? r : trim(eng, err);
}

int event_add(struct engine *eng, const char *type, const char *action, const char *actor,
	      const char *const *attributes, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r = engine_db(eng, err);

	if (r < 0)
		return r;
	words_write(attributes, &text);
	r = db_exec(eng->db, err, INSERT " VALUES (?, ?, ?, ?, NULL, NULL, '', ?)", "Issss",
		    time_now_ns(), type, action, actor, buf_str(&text));
	return added(eng, r, err);
}

static int container_at(struct engine *eng, int64_t time_ns, const char *id, const char *action,
			const char *const *attributes, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r = engine_db(eng, err);

	if (r < 0)
		return r;
	words_write(attributes, &text);
	r = db_exec(eng->db, err,
		    INSERT " SELECT " OF_CONTAINER ", ?4 FROM containers WHERE id = ?3", "Isss",
		    time_ns, action, id, buf_str(&text));
	return added(eng, r, err);
}

int event_container(struct engine *eng, const char *id, const char *action,
		    const char *const *attributes, struct err *err)
{
	return container_at(eng, time_now_ns(), id, action, attributes, err);
}

int event_exec_die(struct engine *eng, const char *id, const char *exec_id, int status,
		   int64_t time_ns, struct err *err)
{
	cleanup_free char *code = xasprintf("%d", status);
	const char *const words[] = { "execID", exec_id, "exitCode", code, NULL };

	return container_at(eng, time_ns, id, "exec_die", words, err);
}

int event_record(struct engine *eng, const struct record *rec, const char *action,
		 const char *const *attributes, struct err *err)
{
	cleanup_buf struct buf labels = BUF_INIT;
	cleanup_buf struct buf text = BUF_INIT;
	int r = engine_db(eng, err);

	if (r < 0)
		return r;
	record_labels_write(rec, &labels);
	words_write(attributes, &text);
	r = db_exec(eng->db, err, INSERT " VALUES (?, 'container', ?, ?, ?, ?, ?, ?)", "Issssss",
		    time_now_ns(), action, rec->id, rec->name, rec->image_name, buf_str(&labels),
		    buf_str(&text));
	return added(eng, r, err);
}

#define IF_RUNNING " FROM containers WHERE id = ?3 AND status = 'running'"

int event_die(struct engine *eng, const char *id, const struct record_end *end, struct err *err)
{
	int r = 0;

	if (end->oom_killed)
		r = db_exec(eng->db, err, INSERT " SELECT " OF_CONTAINER ", ''" IF_RUNNING, "Iss",
			    time_now_ns(), "oom", id);
	/* A clock that was set back makes no negative duration. */
	if (r >= 0)
		r = db_exec(eng->db, err,
			    INSERT " SELECT " OF_CONTAINER ", '{\"execDuration\":\"' ||"
				   " max(0, (?4 - started_ns) / 1000000000) ||"
				   " '\",\"exitCode\":\"' || ?5 || '\"}'" IF_RUNNING,
			    "IssIi", time_now_ns(), "die", id, end->finished_ns, end->exit_code);
	return added(eng, r, err);
}

int event_image(struct engine *eng, const char *action, const char *actor, const char *name,
		struct err *err)
{
	const char *const words[] = { "name", name ? name : actor, NULL };

	return event_add(eng, "image", action, actor, words, err);
}

static void noted(const char *action, const char *actor, int r, const struct err *err)
{
	if (r < 0)
		log_debug("noting the event %s of %s: %s", action, actor, err->msg);
}

void event_note_container(struct engine *eng, const char *id, const char *action,
			  const char *const *attributes)
{
	struct err err = ERR_INIT;

	noted(action, id, event_container(eng, id, action, attributes, &err), &err);
}

void event_note_image(struct engine *eng, const char *action, const char *actor, const char *name)
{
	struct err err = ERR_INIT;

	noted(action, actor, event_image(eng, action, actor, name, &err), &err);
}

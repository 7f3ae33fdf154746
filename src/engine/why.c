/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/why.h"

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/container_logs.h"
#include "engine/health.h"
#include "engine/life.h"
#include "engine/live.h"

#define LINE_MAX_SHOWN 400

static const struct json_field fields[] = {
	JSON_FIELD(struct why, id, "Id", JSON_STR),
	JSON_FIELD(struct why, name, "Name", JSON_STR),
	JSON_FIELD(struct why, status, "Status", JSON_STR),
	JSON_FIELD(struct why, exit_code, "ExitCode", JSON_I64, .flags = JSON_KEEP),
	JSON_FIELD(struct why, oom_killed, "OOMKilled", JSON_BOOL, .flags = JSON_KEEP),
	JSON_FIELD(struct why, summary, "Summary", JSON_STR),
	JSON_FIELD(struct why, reasons, "Reasons", JSON_STRV, .flags = JSON_KEEP),
	JSON_FIELD(struct why, cures, "Commands", JSON_STRV, .flags = JSON_KEEP),
	JSON_FIELD(struct why, log, "Log", JSON_STRV, .flags = JSON_KEEP),
};
const struct json_desc why_desc = JSON_DESC(struct why, fields);

void why_done(struct why *w)
{
	json_free(&why_desc, w);
}

static int keep_line(void *data, const struct container_logs_source *source,
		     const struct logs_record *record, struct err *err)
{
	struct why *w = data;
	size_t len = record->line.len < LINE_MAX_SHOWN ? record->line.len : LINE_MAX_SHOWN;
	char *text = xstrndup(record->line.text, len);

	strv_take(&w->log, str_mask_controls(text, "\t"));
	return 0;
}

static int keep_nothing_back(void *data, struct err *err)
{
	return 0;
}

/* A log that can't be read is no reason to say nothing. */
static void read_log(struct engine *eng, const struct record *rec, struct why *w)
{
	char *words[] = { rec->id, NULL };
	struct container_logs_options o = {
		.query = LOGS_QUERY_INIT, .record = keep_line, .idle = keep_nothing_back, .data = w
	};

	o.query.tail = WHY_LINES;
	if (rec->options.log_driver != LOGLINE_NONE &&
	    rec->options.log_driver != LOGLINE_PASSTHROUGH)
		container_logs(eng, words, &o, NULL);
}

/* Nobody has written down how it ended. */
static bool is_lost(struct engine *eng, const struct record *rec, bool *ret_rebooted)
{
	struct record_end end;
	int fd, r;

	*ret_rebooted = false;
	if (rec->status != RECORD_EXITED || rec->exit_code != LIFE_EXIT_LOST)
		return false;
	fd = life_watch(eng, rec->id);
	*ret_rebooted = fd == -ENOENT;
	fd_close(fd);
	r = life_read_exit(eng, rec->id, &end);
	return r < 0;
}

int engine_why(struct engine *eng, const char *word, struct why *ret, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	cleanup_ending struct ending_note note = { 0 };
	cleanup_health_state struct health_state health = { 0 };
	cleanup_free char *path = NULL;
	struct why_facts facts = { .rec = &rec, .note = &note, .now_ns = time_now_ns() };
	int r = life_find(eng, word, &rec, err);

	if (r < 0)
		return r;
	path = xasprintf("%s/" ENDING_FILE, rec.id);
	ending_read(eng->run_fd, path, &note);
	rec.paused = live_is_paused(eng, &rec);
	facts.lost = is_lost(eng, &rec, &facts.rebooted);
	if (rec.options.health) {
		health_read(eng, &rec, &health);
		facts.health = &health;
	}
	why_say(&facts, ret);
	read_log(eng, &rec, ret);
	return 0;
}

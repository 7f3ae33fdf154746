/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/container_logs.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/life.h"
#include "engine/logs_journal.h"
#include "engine/logs_watch.h"

#define NS_PER_MS INT64_C(1000000)
/* By then the journal has what a container that has ended said last. */
#define JOURNAL_NS      (600 * NS_PER_MS)
#define JOURNAL_LOOK_MS 200
#define HELD_LOOK_MS    20

struct source {
	struct container_logs_source known;
	struct record rec;
	int dirfd, lock_fd;
	struct logs *logs;
	struct journal_log *journal; /* in its place */
	int64_t quiet_ns;            /* it has ended, and nothing has come since then */
	bool alive;                  /* may write more */
	bool has;                    /* record is the next one, of time_ns */
	struct logs_record record;
	int64_t time_ns;
};

struct reader {
	const struct container_logs_options *o;
	struct source *sources;
	size_t n;
	struct logs_watch watch;
	bool has_journal;
	bool held; /* records wait for what the journal may still have that is older */
	bool came; /* something of the journal's */
};

static void reader_done(struct reader *rd)
{
	for (size_t i = 0; i < rd->n; i++) {
		struct source *s = &rd->sources[i];

		logs_free(s->logs);
		journal_log_free(s->journal);
		record_done(&s->rec);
		fd_close(s->dirfd);
		fd_close(s->lock_fd);
	}
	free(rd->sources);
	logs_watch_done(&rd->watch);
}

static int find(struct engine *eng, struct reader *rd, char *const *words, struct err *err)
{
	int r = engine_dirs(eng, err);

	rd->sources = xcalloc(strv_len(words) + 1, sizeof(*rd->sources));
	for (; r == 0 && words[rd->n]; rd->n++) {
		struct source *s = &rd->sources[rd->n];

		*s = (struct source){ .dirfd = -EBADF, .lock_fd = -EBADF };
		r = record_find(eng, words[rd->n], &s->rec, err);
		if (r == 0 && s->rec.options.log_driver == LOGLINE_NONE)
			r = err_fail(
			    err, ERR_UNSUPPORTED,
			    "container %s has the log driver \"none\": there is nothing to "
			    "read",
			    s->rec.name);
		if (r == 0 && s->rec.options.log_driver == LOGLINE_PASSTHROUGH)
			r = err_fail(err, ERR_UNSUPPORTED,
				     "container %s has the log driver \"passthrough\": what it "
				     "wrote is where whoever started it had its output",
				     s->rec.name);
		s->known = (struct container_logs_source){ .id = s->rec.id,
							   .name = s->rec.name,
							   .index = rd->n };
	}
	return r;
}

/* Has it just been removed, or is it being removed, or made? Who does that has the lock. */
static bool is_passing(struct engine *eng, const char *id)
{
	cleanup_record struct record rec = { 0 };

	return life_alive(eng, id) || record_get(eng, id, &rec, NULL) == -ENOENT;
}

/* Whether it lives is asked before it is read: what it wrote last is then read, too. */
static int open_source(struct engine *eng, struct reader *rd, struct source *s, struct err *err)
{
	s->dirfd =
	    openat(eng->containers_fd, s->rec.id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (s->dirfd < 0) {
		int e = errno;

		if (e == ENOENT && is_passing(eng, s->rec.id))
			return err_fail(err, ERR_NOT_FOUND, "No such container: %s", s->rec.name);
		return err_errno(err, e, "opening the directory of container %s", s->rec.name);
	}
	if (rd->o->follow) {
		s->lock_fd = life_watch(eng, s->rec.id);
		s->alive = s->lock_fd >= 0;
		logs_watch_add(&rd->watch, s->dirfd, s->lock_fd);
	}
	return logs_open(s->dirfd, &rd->o->query, &s->logs, err);
}

static int open_journal(struct engine *eng, struct reader *rd, struct source *s, struct err *err)
{
	int r = journal_log_open(eng, s->rec.id, &rd->o->query, rd->o->follow, &s->journal, err);

	if (r < 0 || !rd->o->follow)
		return r;
	s->lock_fd = life_watch(eng, s->rec.id);
	s->alive = true;
	rd->has_journal = true;
	logs_watch_add(&rd->watch, -EBADF, s->lock_fd);
	logs_watch_add_pipe(&rd->watch, journal_log_fd(s->journal));
	return 0;
}

/* Makes s->record the next one. Its time is needed only to compare it with others'. */
static int fetch(struct reader *rd, struct source *s, struct err *err)
{
	int r = s->journal ? journal_log_next(s->journal, &s->record, err)
			   : logs_next(s->logs, &s->record, err);

	if (r < 0)
		return err_wrap(err, r, "container %s", s->rec.name);
	s->has = r > 0;
	if (s->has)
		s->quiet_ns = 0;
	if (s->has && s->journal)
		rd->came = true;
	/* what has no time comes where it is */
	if (s->has && rd->n > 1)
		(void)!logline_time(&s->record.line, &s->time_ns);
	return 0;
}

static struct source *earliest(struct reader *rd)
{
	struct source *first = NULL;

	for (size_t i = 0; i < rd->n; i++) {
		struct source *s = &rd->sources[i];

		if (s->has && (!first || s->time_ns < first->time_ns))
			first = s;
	}
	return first;
}

static bool is_held(const struct reader *rd, const struct source *s)
{
	for (size_t i = 0; i < rd->n; i++) {
		const struct source *other = &rd->sources[i];

		if (other != s && other->journal && !other->has &&
		    journal_log_is_behind(other->journal, s->time_ns))
			return true;
	}
	return false;
}

/* All that is there now; but for the last time nothing that may come out of order. */
static int drain(struct reader *rd, bool last, struct err *err)
{
	struct source *s;
	int r = 0;

	for (size_t i = 0; r == 0 && i < rd->n; i++)
		if (!rd->sources[i].has)
			r = fetch(rd, &rd->sources[i], err);
	rd->held = false;
	while (r == 0 && (s = earliest(rd))) {
		rd->held = !last && is_held(rd, s);
		if (rd->held)
			break;
		r = rd->o->record(rd->o->data, &s->known, &s->record, err);
		if (r >= 0)
			r = fetch(rd, s, err);
	}
	return r < 0 ? r : rd->o->idle(rd->o->data, err);
}

/* What it said last comes a bit later, from somebody else. */
static bool journal_alive(struct source *s)
{
	int64_t now = time_now_ns();

	if (*journal_log_fd(s->journal) < 0)
		return false;
	if (s->lock_fd >= 0 && life_held(s->lock_fd))
		return true;
	if (!s->quiet_ns)
		s->quiet_ns = now;
	return now - s->quiet_ns < JOURNAL_NS;
}

/* Does any of them still live? */
static bool look_alive(struct reader *rd)
{
	bool any = false;

	for (size_t i = 0; i < rd->n; i++) {
		struct source *s = &rd->sources[i];

		s->alive = s->alive && (s->journal ? journal_alive(s) : life_held(s->lock_fd));
		any = any || s->alive;
	}
	return any;
}

/* ms until the time that is asked for is over, or until the journal is to be looked at; -1: no end.
 */
static int time_left_ms(const struct reader *rd)
{
	int64_t until = rd->o->query.until_ns, now = time_now_ns(), ms;
	int look_ms = rd->held ? HELD_LOOK_MS : JOURNAL_LOOK_MS;

	if (until == INT64_MAX)
		return rd->has_journal ? look_ms : -1;
	if (until < now)
		return 0;
	ms = (until - now) / NS_PER_MS + 1;
	if (rd->has_journal && ms > look_ms)
		ms = look_ms;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* The time that is asked for is over, and journalctl may be still at it. */
static int read_rest(struct reader *rd, struct err *err)
{
	int r;

	do {
		rd->came = false;
		logs_watch_wait(&rd->watch, JOURNAL_LOOK_MS);
		r = drain(rd, false, err);
	} while (r == 0 && rd->came);
	return r < 0 ? r : drain(rd, true, err);
}

static int follow(struct reader *rd, struct err *err)
{
	bool more;
	int left, r;

	do {
		left = time_left_ms(rd);
		more = look_alive(rd) && left;
		r = drain(rd, !more && left, err);
		if (r == 0 && more)
			logs_watch_wait(&rd->watch, left);
	} while (r == 0 && more);
	return r == 0 && rd->has_journal && !left ? read_rest(rd, err) : r;
}

static void tell_losses(const struct reader *rd)
{
	for (size_t i = 0; i < rd->n; i++) {
		const struct source *s = &rd->sources[i];
		uint64_t malformed;

		if (s->journal)
			continue;
		malformed = logs_malformed(s->logs);
		if (logs_lost(s->logs))
			log_warn(
			    "the log of container %s was rotated faster than it was read: lines "
			    "are missing",
			    s->rec.name);
		if (malformed)
			log_warn("the log of container %s has %llu lines that are no records",
				 s->rec.name, (unsigned long long)malformed);
	}
}

int container_logs(struct engine *eng, char *const *words, const struct container_logs_options *o,
		   struct err *err)
{
	struct reader rd = { .o = o, .watch = LOGS_WATCH_INIT };
	int r = find(eng, &rd, words, err);

	if (r < 0) {
		reader_done(&rd);
		return r;
	}
	if (o->follow)
		logs_watch_init(&rd.watch);
	for (size_t i = 0; r == 0 && i < rd.n; i++) {
		bool journal = rd.sources[i].rec.options.log_driver == LOGLINE_JOURNAL;

		r = journal ? open_journal(eng, &rd, &rd.sources[i], err)
			    : open_source(eng, &rd, &rd.sources[i], err);
	}
	if (r == 0)
		r = follow(&rd, err);
	if (r >= 0)
		tell_losses(&rd);
	reader_done(&rd);
	return r;
}

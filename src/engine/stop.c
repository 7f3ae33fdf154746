/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/stop.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "base/timeutil.h"
#include "engine/events.h"
#include "engine/life.h"
#include "engine/live.h"
#include "engine/services.h"

#define NS_PER_S        INT64_C(1000000000)
#define DEFAULT_S       10
#define KILL_TIMEOUT_MS 10000
#define KILL_EVERY_MS   200

void stop_done(struct stop *stop)
{
	record_done(&stop->rec);
	stop->watch = fd_close(stop->watch);
}

/* That it has just ended is as wished. */
static int send_signal(struct engine *eng, const struct record *rec, int signo, struct err *err)
{
	struct err one = ERR_INIT;
	int r = container_kill(&eng->runtime, rec->id, signo, false, &one);

	if (r >= 0 || one.kind == ERR_NOT_FOUND || one.kind == ERR_CONFLICT)
		return 0;
	if (err)
		*err = one;
	return err_wrap(err, r, "stopping container %s", rec->name);
}

static int own_timeout(const struct record *rec)
{
	const struct opt_i64 *s = &rec->options.stop_timeout;

	if (!s->set)
		return DEFAULT_S;
	return s->value < 0 ? STOP_FOREVER : s->value > INT_MAX ? INT_MAX : (int)s->value;
}

static void let_go(struct engine *eng, const struct record *rec)
{
	if (live_status(eng, rec) == CONTAINER_PAUSED)
		container_resume(&eng->runtime, rec->id, NULL);
}

/* ---- the end of the machine ---- */

/* In the run directory: no record says it, as the container is to be started with the machine. */
#define BOOT_MARK "%s/for-boot"

static void note_boot(struct engine *eng, const char *id)
{
	cleanup_free char *path = xasprintf(BOOT_MARK, id);

	io_replace_file(eng->run_fd, path, "", 0, 0600, false, NULL);
}

bool stop_was_for_boot(struct engine *eng, const char *id)
{
	cleanup_free char *path = xasprintf(BOOT_MARK, id);

	return faccessat(eng->run_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void stop_forget_boot(struct engine *eng, const char *id)
{
	cleanup_free char *path = xasprintf(BOOT_MARK, id);

	unlinkat(eng->run_fd, path, 0);
}

/* ---- stopping ---- */

static int ask_to_end(struct engine *eng, struct stop *stop, struct err *err)
{
	const struct stop_options *opts = &stop->opts;
	int signo = opts->signo, timeout_s;
	int r = signo ? 0 : live_stop_signal(&stop->rec, &signo, err);

	if (r < 0)
		return r;
	live_settle(eng, &stop->rec);
	live_forbid_restart(eng, &stop->rec, !opts->for_boot && !opts->again);
	stop->watch = live_watch(eng, stop->rec.id);
	live_tell_kill(eng, &stop->rec, signo);
	r = send_signal(eng, &stop->rec, signo, err);
	if (r < 0)
		return r;
	let_go(eng, &stop->rec);
	timeout_s = opts->timed ? opts->timeout_s : own_timeout(&stop->rec);
	if (timeout_s >= 0)
		stop->deadline_ns = time_monotonic_ns() + timeout_s * NS_PER_S;
	return 0;
}

int stop_begin(struct engine *eng, const char *word, const struct stop_options *opts,
	       struct stop *ret, struct err *err)
{
	cleanup_stop struct stop stop = STOP_INIT;
	int r = life_find(eng, word, &stop.rec, err);

	if (r < 0)
		return r;
	stop.opts = *opts;
	/* What it still has is answered; new ones go to others. */
	r = stop.rec.running ? service_leave(eng, stop.rec.id, err) : 0;
	if (r < 0)
		return r;
	stop.done = !stop.rec.running;
	stop.late = stop.rec.options.infra;
	if (opts->for_boot)
		note_boot(eng, stop.rec.id);
	if (!stop.done && opts->keep && stop.rec.auto_remove)
		return err_fail(err, ERR_CONFLICT,
				"container %s is removed when it ends (--rm): it cannot be started "
				"again",
				stop.rec.name);
	r = stop.done || stop.late ? 0 : ask_to_end(eng, &stop, err);
	if (r < 0)
		return r;
	*ret = stop;
	stop = (struct stop)STOP_INIT;
	return 0;
}

static int time_left_ms(const struct stop *stop)
{
	int64_t ms;

	if (stop->deadline_ns < 0)
		return -1;
	ms = (stop->deadline_ns - time_monotonic_ns()) / 1000000;
	if (ms < 0)
		return 0;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Again and again: somebody may start it at this moment. */
static int kill_and_wait(struct engine *eng, struct stop *stop, struct err *err)
{
	live_tell_kill(eng, &stop->rec, SIGKILL);
	for (int ms = 0; ms < KILL_TIMEOUT_MS; ms += KILL_EVERY_MS) {
		int r = send_signal(eng, &stop->rec, SIGKILL, err);

		if (r < 0)
			return r;
		if (live_wait_end(eng, stop->rec.id, stop->watch, KILL_EVERY_MS) == 0)
			return 0;
	}
	return err_fail(err, ERR_CONFLICT, "container %s was killed but does not end",
			stop->rec.name);
}

int stop_finish(struct engine *eng, struct stop *stop, struct err *err)
{
	struct err event_err = ERR_INIT;
	int r = 0;

	if (stop->done)
		return 0;
	if (stop->late)
		r = ask_to_end(eng, stop, err);
	if (r < 0)
		return r;
	if (live_wait_end(eng, stop->rec.id, stop->watch, time_left_ms(stop)) < 0)
		r = kill_and_wait(eng, stop, err);
	/* It is removed by now when run has said --rm. */
	if (r == 0 && event_record(eng, &stop->rec, "stop", NULL, &event_err) < 0)
		log_debug("%s", event_err.msg);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/stop.h"

#include <limits.h>
#include <signal.h>

#include "base/io.h"
#include "base/str.h"
#include "base/timeutil.h"
#include "engine/control.h"
#include "engine/life.h"
#include "engine/live.h"
#include "engine/parse.h"

#define NS_PER_S        INT64_C(1000000000)
#define DEFAULT_S       10
#define KILL_TIMEOUT_MS 10000
#define ANNOTATION      "org.opencontainers.image.stopSignal"

void stop_done(struct stop *stop)
{
	record_done(&stop->rec);
}

/* What the image or run said; SIGTERM where nobody did. */
static int stop_signal(struct engine *eng, const struct record *rec, int *ret, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/config.json", rec->id);
	cleanup_buf struct buf text = BUF_INIT;
	struct spec spec = { 0 };
	const char *word;
	int r;

	*ret = SIGTERM;
	r = io_read_file(eng->containers_fd, path, &text, SPEC_BYTES_MAX, err);
	if (r == 0)
		r = spec_parse(buf_str(&text), text.len, &spec, err);
	if (r < 0)
		return err_wrap(err, r, "looking for the stop signal of container %s", rec->name);
	word = json_map_get(&spec.annotations, ANNOTATION);
	if (word)
		r = signal_parse(word, ret, err);
	spec_free(&spec);
	return r;
}

static int own_timeout(const struct record *rec)
{
	const struct opt_i64 *s = &rec->options.stop_timeout;

	if (!s->set)
		return DEFAULT_S;
	return s->value < 0 ? STOP_FOREVER : s->value > INT_MAX ? INT_MAX : (int)s->value;
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

static void let_go(struct engine *eng, const struct record *rec)
{
	if (live_status(eng, rec) == CONTAINER_PAUSED)
		container_resume(&eng->runtime, rec->id, NULL);
}

int stop_begin(struct engine *eng, const char *word, const struct stop_options *opts,
	       struct stop *ret, struct err *err)
{
	cleanup_stop struct stop stop = { .deadline_ns = -1 };
	int timeout_s, signo = opts->signo;
	int r = life_find(eng, word, &stop.rec, err);

	if (r < 0)
		return r;
	timeout_s = opts->timed ? opts->timeout_s : own_timeout(&stop.rec);
	stop.done = !stop.rec.running;
	if (!stop.done && stop.rec.options.restart > RESTART_NO)
		control_forbid_restart(eng, stop.rec.id);
	if (!stop.done && !signo)
		r = stop_signal(eng, &stop.rec, &signo, err);
	if (r == 0 && !stop.done)
		r = send_signal(eng, &stop.rec, signo, err);
	if (r < 0)
		return r;
	if (!stop.done)
		let_go(eng, &stop.rec);
	if (timeout_s >= 0)
		stop.deadline_ns = time_monotonic_ns() + timeout_s * NS_PER_S;
	*ret = stop;
	stop.rec = (struct record){ 0 };
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

int stop_finish(struct engine *eng, struct stop *stop, struct err *err)
{
	int r;

	if (stop->done || live_wait_end(eng, stop->rec.id, time_left_ms(stop)) == 0)
		return 0;
	r = send_signal(eng, &stop->rec, SIGKILL, err);
	if (r < 0)
		return r;
	if (live_wait_end(eng, stop->rec.id, KILL_TIMEOUT_MS) < 0)
		return err_fail(err, ERR_CONFLICT, "container %s was killed but does not end",
				stop->rec.name);
	stop->done = true;
	return 0;
}

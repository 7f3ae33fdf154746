/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/remove.h"

#include <signal.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/timeutil.h"
#include "engine/life.h"

/* The monitor, and a client in the foreground, finish within this after the container's end. */
#define END_TIMEOUT_MS 10000
#define KILL_EVERY_MS  100

static int kill_once(struct engine *eng, const struct record *rec, struct err *err)
{
	struct err kill_err = ERR_INIT;
	int r = container_kill(&eng->runtime, rec->id, SIGKILL, false, &kill_err);

	/* Just starting, or just ended. */
	if (r >= 0 || kill_err.kind == ERR_NOT_FOUND || kill_err.kind == ERR_CONFLICT)
		return 0;
	if (err)
		*err = kill_err;
	return err_wrap(err, r, "killing container %s", rec->name);
}

/* Until the monitor lets go of the lock: a container that is just being made gets its first process
 * later. */
static int kill_running(struct engine *eng, const struct record *rec, struct err *err)
{
	cleanup_fd int lock = -EBUSY;
	int r = 0;

	for (int waited = 0; lock == -EBUSY && waited < END_TIMEOUT_MS; waited += KILL_EVERY_MS) {
		r = kill_once(eng, rec, err);
		if (r < 0)
			return r;
		lock = life_lock(eng, rec->id, KILL_EVERY_MS);
	}
	if (lock == -EBUSY)
		return err_fail(err, ERR_CONFLICT, "container %s was killed but does not end",
				rec->name);
	/* The monitor may have been killed as well, and have left cgroups and state. */
	return container_delete(&eng->runtime, rec->id, true, err);
}

int engine_remove(struct engine *eng, const char *word, bool force, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	int r;

	r = record_find(eng, word, &rec, err);
	if (r < 0)
		return r;
	r = life_repair(eng, &rec, err);
	if (r != 0)
		return r < 0 ? r : 0;
	if (rec.running && !force)
		return err_hint(
		    err,
		    err_fail(err, ERR_CONFLICT,
			     "cannot remove container \"%s\": container is running: stop the "
			     "container before removing or force remove",
			     rec.name),
		    "`inro rm -f %s` kills it first", word);
	if (rec.running)
		r = kill_running(eng, &rec, err);
	return r < 0 ? r : life_remove(eng, rec.id, err);
}

int engine_cleanup(struct engine *eng, const char *id, int status, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	int64_t ns = time_now_ns();
	int r;

	r = record_find(eng, id, &rec, err);
	if (r == -ENOENT)
		return 0; /* removed by someone else meanwhile */
	if (r < 0 || !str_eq(rec.id, id))
		return r;
	life_read_exit(eng, id, &status, &ns);
	return life_finish(eng, id, rec.auto_remove, status, ns, err);
}

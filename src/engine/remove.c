/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/remove.h"

#include <signal.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/timeutil.h"
#include "engine/life.h"
#include "engine/live.h"
#include "engine/services.h"

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

static int refuse(struct engine *eng, const struct record *rec, const char *word, struct err *err)
{
	if (live_status(eng, rec) == CONTAINER_PAUSED)
		return err_fail(err, ERR_CONFLICT,
				"cannot remove container \"%s\": container is paused and must be "
				"unpaused first",
				rec->name);
	return err_hint(err,
			err_fail(err, ERR_CONFLICT,
				 "cannot remove container \"%s\": container is running: stop the "
				 "container before removing or force remove",
				 rec->name),
			"`inro rm -f %s` kills it first", word);
}

static int refuse_infra(const struct record *rec, struct err *err)
{
	return err_hint(err,
			err_fail(err, ERR_CONFLICT,
				 "container %s is the infra container of pod %.12s and cannot be "
				 "removed without removing the pod",
				 rec->name, rec->pod),
			"`inro pod rm -f %.12s` removes it with all its containers", rec->pod);
}

struct removal {
	const char *word;
	bool force, volumes;
	bool killed; /* by engine_remove_begin() */
	bool infra;  /* it goes with its pod */
};

/* One that runs is killed, until its monitor lets go of the lock: a container that is just being
 * made gets its first process later. Nobody starts it while we have that. fd, -ENOENT: somebody
 * else has removed it. */
static int end_and_lock(struct engine *eng, struct record *rec, const struct removal *how,
			struct err *err)
{
	bool told = how->killed;
	cleanup_free char *id = xstrdup(rec->id);
	cleanup_fd int lock = -EBUSY;
	int r;

	for (int waited = 0; lock == -EBUSY && waited < END_TIMEOUT_MS; waited += KILL_EVERY_MS) {
		if (rec->running && !how->force)
			return refuse(eng, rec, how->word, err);
		if (rec->running && (waited || !how->killed)) {
			if (!told)
				live_tell_kill(eng, rec, SIGKILL);
			told = true;
			live_forbid_restart(eng, rec, false);
			r = kill_once(eng, rec, err);
			if (r < 0)
				return r;
		}
		lock = life_acquire(eng, id, KILL_EVERY_MS);
		if (lock < 0 && lock != -EBUSY)
			return err_errno(err, -lock, "locking container %s", rec->name);
		record_done(rec);
		r = record_get(eng, id, rec, err);
		if (r < 0) {
			if (r == -ENOENT && lock >= 0)
				life_remove_dirs(eng, id, NULL);
			return r;
		}
	}
	if (lock == -EBUSY)
		return err_fail(err, ERR_CONFLICT, "container %s was killed but does not end",
				rec->name);
	return take_fd(lock);
}

static int remove_container(struct engine *eng, const struct removal *how, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	struct err find_err = ERR_INIT;
	cleanup_fd int lock = -EBADF;
	int r;

	r = record_find(eng, how->word, &rec, &find_err);
	/* Its end has removed it. */
	if (r < 0 && how->killed && find_err.kind == ERR_NOT_FOUND)
		return 0;
	if (r < 0) {
		if (err)
			*err = find_err;
		return r;
	}
	if (rec.options.infra && !how->infra)
		return refuse_infra(&rec, err);
	r = life_look(eng, &rec, err);
	if (r == 1)
		service_note(eng, &rec);
	if (r != 0)
		return r < 0 ? r : 0;
	lock = end_and_lock(eng, &rec, how, err);
	if (lock < 0)
		return lock == -ENOENT ? 0 : lock;
	/* The monitor may have been killed as well, and have left cgroups and state; so may a start
	 * that could not be undone, as a process of it was not to be killed then. */
	r = container_delete(&eng->runtime, rec.id, true, err);
	if (r >= 0)
		r = life_remove(eng, rec.id, how->volumes, err);
	/* The others of a service have a larger share each. */
	if (r >= 0)
		service_note(eng, &rec);
	return r;
}

int engine_remove(struct engine *eng, const char *word, bool force, bool volumes, struct err *err)
{
	const struct removal how = { .word = word, .force = force, .volumes = volumes };

	return remove_container(eng, &how, err);
}

int engine_remove_infra(struct engine *eng, const char *id, struct err *err)
{
	const struct removal how = { .word = id, .force = true, .volumes = true, .infra = true };

	return remove_container(eng, &how, err);
}

char *engine_remove_begin(struct engine *eng, const char *word)
{
	cleanup_record struct record rec = { 0 };

	if (record_find(eng, word, &rec, NULL) < 0 || !rec.running || rec.options.infra ||
	    !life_alive(eng, rec.id))
		return NULL;
	live_tell_kill(eng, &rec, SIGKILL);
	live_forbid_restart(eng, &rec, false);
	/* What goes wrong here does so again. */
	kill_once(eng, &rec, NULL);
	return xstrdup(rec.id);
}

int engine_remove_killed(struct engine *eng, const char *id, bool volumes, struct err *err)
{
	const struct removal how = {
		.word = id, .force = true, .volumes = volumes, .killed = true
	};

	return remove_container(eng, &how, err);
}

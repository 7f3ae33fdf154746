/* SPDX-License-Identifier: Apache-2.0 */
/* One change of a service at a time, and what a killed one has left. */
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

#include "base/fd.h"
#include "base/str.h"
#include "engine/life.h"
#include "engine/network_names.h"
#include "engine/remove.h"
#include "engine/service_internal.h"
#include "engine/service_update.h"
#include "engine/start.h"
#include "engine/stop.h"

/* ---- one change at a time ---- */

#define CHANGES_FILE "lock-changes"
#define ID_DIGITS    15   /* of an id: as much as an offset holds */
#define WAIT_MS      1500 /* a step of one that was killed may still go on, and keep the lock */
#define LOOK_MS      10

static int lock_range(int fd, struct flock *range)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	int r = -EAGAIN;

	for (int ms = 0; r == -EAGAIN && ms < WAIT_MS; ms += LOOK_MS) {
		if (ms)
			nanosleep(&pause, NULL);
		r = fcntl(fd, F_OFD_SETLK, range) == 0 ? 0 : errno == EACCES ? -EAGAIN : -errno;
	}
	return r;
}

int service_change_lock(struct engine *eng, const char *id, const char *name, struct err *err)
{
	cleanup_free char *digits = xasprintf("%.*s", ID_DIGITS, id);
	struct flock range = { .l_type = F_WRLCK,
			       .l_whence = SEEK_SET,
			       .l_start = (off_t)strtoull(digits, NULL, 16),
			       .l_len = 1 };
	cleanup_fd int fd = -EBADF;
	int r = engine_net(eng, err);

	if (r < 0)
		return r;
	fd = openat(eng->net_fd, CHANGES_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = fd < 0 ? -errno : lock_range(fd, &range);
	if (r == -EAGAIN)
		return err_hint(err,
				err_fail(err, ERR_CONFLICT,
					 "service %s is being changed by another command", name),
				"wait until that has ended");
	return r < 0 ? err_errno(err, -r, "locking service %s", name) : take_fd(fd);
}

/* ---- on their way ---- */

#define ASIDE_RAN     '_'
#define ASIDE_STOPPED '.'

char *service_aside(const struct replica *old, bool ran)
{
	return xasprintf("%.12s%c%s", old->id, ran ? ASIDE_RAN : ASIDE_STOPPED, old->name);
}

/* What it was called before, or NULL: it is not on its way. */
static const char *name_before(const struct replica *m, bool *ran)
{
	cleanup_free char *id = xstrndup(m->id, 12);
	const char *rest = str_after(m->name, id);

	if (!rest || (rest[0] != ASIDE_RAN && rest[0] != ASIDE_STOPPED))
		return NULL;
	*ran = rest[0] == ASIDE_RAN;
	return rest + 1;
}

int service_rename(struct engine *eng, const char *id, const char *name, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	int r = record_get(eng, id, &rec, err);

	if (r == -ENOENT)
		return err_fail(err, ERR_NOT_FOUND, "No such container: %.12s", id);
	return r < 0 || str_eq(rec.name, name) ? r : record_rename(eng, &rec, name, err);
}

void service_drain(void)
{
	const struct timespec time = { .tv_nsec = SERVICE_DRAIN_MS * 1000000L };

	nanosleep(&time, NULL);
}

/* What it has is answered, new ones go to others. */
static int remove_new(struct engine *eng, const char *id, struct err *err)
{
	struct err own = ERR_INIT;
	int r = service_leave(eng, id, err);

	if (r < 0)
		return r;
	service_drain();
	r = engine_remove(eng, id, true, true, &own);
	if (r >= 0 || own.kind == ERR_NOT_FOUND)
		return 0;
	if (err)
		*err = own;
	return r;
}

int service_take_back(struct engine *eng, const char *old, const char *name, const char *new_id,
		      bool start, struct err *err)
{
	const struct start_options how = { .attach = false };
	struct err own = ERR_INIT;
	int r = new_id ? remove_new(eng, new_id, err) : 0, named;

	if (r == 0)
		r = service_return(eng, old, err);
	/* One that runs is as wished. */
	if (r == 0 && start)
		r = engine_start(eng, old, &how, err);
	/* Last, as it says that there is nothing more to do; and whatever else can't be done. */
	named = service_rename(eng, old, name, &own);
	if (named == 0)
		net_names_renamed(eng, old);
	else if (r == 0 && err)
		*err = own;
	r = r < 0 ? r : named;
	return err_wrap(err, r, "going back to the replica before as %s", name);
}

static const struct replica *find_new(const struct replicas *list, const struct replica *old)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].number == old->number && !str_eq(list->items[i].id, old->id))
			return &list->items[i];
	return NULL;
}

static int end(struct engine *eng, const char *id, struct err *err)
{
	const struct stop_options how = { .timed = false };
	cleanup_stop struct stop stop = STOP_INIT;
	int r = stop_begin(eng, id, &how, &stop, err);

	return r < 0 ? r : stop_finish(eng, &stop, err);
}

static int settle_one(struct engine *eng, const struct replicas *list, const struct replica *m,
		      struct err *err)
{
	cleanup_record struct record rec = { 0 };
	bool ran = false;
	const char *name = name_before(m, &ran);
	int r = record_get(eng, m->id, &rec, err);

	if (r == 0)
		r = life_look(eng, &rec, err);
	if (r != 0)
		return r < 0 && r != -ENOENT ? r : 0;
	if (name) {
		const struct replica *other = find_new(list, m);

		return service_take_back(eng, m->id, name, other ? other->id : NULL, ran, err);
	}
	if (!m->leaving || !rec.running)
		return 0;
	/* Somebody was killed before telling it to end; or may have been while it does. */
	return rec.stopped ? end(eng, m->id, err) : service_return(eng, m->id, err);
}

int service_settle(struct engine *eng, const char *id, struct err *err)
{
	cleanup_replicas struct replicas list = { 0 };
	int r = service_replicas(eng, id, &list, err);

	/* What can't be done for one is no reason to leave the others. */
	for (size_t i = 0; i < list.n; i++) {
		struct err own = ERR_INIT;
		int one = settle_one(eng, &list, &list.items[i], &own);

		if (one < 0 && r == 0) {
			r = one;
			if (err)
				*err = own;
		}
	}
	return r < 0 ? r : service_refresh(eng, id, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/update_internal.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/db.h"
#include "engine/env.h"
#include "engine/events.h"
#include "engine/health.h"
#include "engine/images.h"
#include "engine/life.h"
#include "engine/live.h"
#include "engine/restart.h"
#include "engine/start.h"

#define LOCK_TIMEOUT_MS  10000
#define START_TIMEOUT_MS 5000
#define END_TIMEOUT_MS   2000
#define LOOK_MS          2
#define RESTARTS_MAX     20
#define RESTART_MS       50

struct update {
	struct engine *eng;
	const struct update_options *opts;
	struct record rec;
	int dir; /* containers/<id>, locked: one update at a time */
	bool swap_limits;

	struct buf old_text, text; /* of config.json: as it is, as it shall be */
	struct spec spec;          /* what text is written from */
	struct update_limits limits;
	bool has_options, to_finish;
	struct update_mounts mounts;
	struct update_devices devices;
	struct record_options new_options; /* shallow: what changes is numbers */
	struct asked old_asked, asked;     /* of one made before these were kept: empty */
	bool has_asked;
	char **env; /* --env, with all values */
	struct health *health;
	bool has_health;
};

static int look(struct engine *eng, const struct record *rec, struct update_instance *ret)
{
	struct container_state st = { 0 };
	int status = CONTAINER_STOPPED;

	*ret = (struct update_instance){ 0 };
	if (!rec->running || container_state_read(&eng->runtime, rec->id, &st, NULL) < 0)
		return status;
	status = st.status;
	if (status != CONTAINER_STOPPED)
		*ret = (struct update_instance){ st.pid, st.pid_start_time };
	container_state_free(&st);
	return status;
}

struct update_instance update_instance(struct engine *eng, const struct record *rec)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	struct update_instance ret;

	live_settle(eng, rec);
	/* It has a process already, but not yet all that there is to change. */
	for (int ms = 0; look(eng, rec, &ret) == CONTAINER_CREATING && ms < START_TIMEOUT_MS;
	     ms += LOOK_MS)
		nanosleep(&pause, NULL);
	return ret;
}

static bool same_instance(const struct update_instance *a, const struct update_instance *b)
{
	return a->pid == b->pid && a->start == b->start;
}

/* ---- one at a time ---- */

int update_begin(struct engine *eng, const char *word, struct record *ret, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	cleanup_free char *id = NULL;
	cleanup_fd int dir = -EBADF;
	int r = life_find(eng, word, &rec, err);

	if (r < 0)
		return r;
	id = xstrdup(rec.id);
	dir = update_lock(eng, id, LOCK_TIMEOUT_MS);
	if (dir == -EBUSY)
		return err_fail(err, ERR_CONFLICT, "container %s is changed by another command",
				rec.name);
	if (dir < 0 && dir != -ENOENT)
		return err_errno(err, -dir, "locking container %s", rec.name);
	/* As it is now that nobody else changes it. */
	r = dir < 0 ? dir : record_get(eng, id, ret, err);
	if (r == -ENOENT)
		return err_fail(err, ERR_NOT_FOUND, "No such container: %s", word);
	return r < 0 ? r : take_fd(dir);
}

static void update_done(struct update *u)
{
	fd_close(u->dir);
	buf_done(&u->old_text);
	buf_done(&u->text);
	json_free(&spec_desc, &u->spec);
	update_limits_done(&u->limits);
	update_mounts_done(&u->mounts);
	update_devices_done(&u->devices);
	asked_done(&u->old_asked);
	asked_done(&u->asked);
	strv_free(u->env);
	health_free(u->health);
	record_done(&u->rec);
}

/* ---- what it shall be ---- */

static int change_restart(struct update *u, struct err *err)
{
	int r;

	u->new_options = u->rec.options;
	if (!u->opts->restart)
		return 0;
	r = restart_parse(u->opts->restart, &u->new_options.restart, &u->new_options.restart_max,
			  err);
	if (r < 0)
		return r;
	if (u->rec.auto_remove && u->new_options.restart != RESTART_NO)
		return err_fail(err, ERR_CONFLICT,
				"restart policy cannot be updated because --rm was given to "
				"container %s",
				u->rec.name);
	if (u->rec.options.log_driver == LOGLINE_PASSTHROUGH && u->new_options.restart > RESTART_NO)
		return err_fail(err, ERR_CONFLICT,
				"restart policy cannot be updated because container %s has the log "
				"driver passthrough",
				u->rec.name);
	u->has_options = true;
	return 0;
}

static void unset_env(char **env, const char *name)
{
	size_t len = strlen(name);
	char **to = env;

	for (; env && *env; env++) {
		if (strncmp(*env, name, len) == 0 && ((*env)[len] == '=' || !(*env)[len]))
			free(*env);
		else
			*to++ = *env;
	}
	if (to)
		*to = NULL;
}

static int change_env(struct update *u, struct err *err)
{
	struct spec_process *p = u->spec.process;
	int r = env_gather(NULL, u->opts->env, &u->env, err);

	if (r < 0)
		return r;
	for (size_t i = 0; u->opts->unsetenv && u->opts->unsetenv[i]; i++) {
		const char *name = u->opts->unsetenv[i];

		if (!name[0] || strchr(name, '='))
			return err_fail(err, ERR_USAGE,
					"--unsetenv: expected a variable's name, got \"%s\"", name);
		unset_env(p->env, name);
	}
	for (size_t i = 0; u->env && u->env[i]; i++)
		strv_env_set(&p->env, u->env[i]);
	return 0;
}

static int change_asked(struct update *u, struct err *err)
{
	cleanup_free char *cwd = getcwd(NULL, 0);
	int r = asked_read(u->eng, u->rec.id, &u->old_asked, err);

	if (r == 0)
		r = asked_read(u->eng, u->rec.id, &u->asked, err);
	if (r < 0)
		return r;
	u->has_asked = r == 0;
	update_asked(u->opts, u->env, cwd, &u->asked);
	return 0;
}

/* The image has a say in it, when it is still there. */
static int read_image(struct update *u, struct oci_image_config *ret, struct err *err)
{
	const char *id = u->rec.image;
	int r = engine_store(u->eng, err);

	if (r == 0 && !u->rec.options.rootfs && !str_eq(id, IMAGE_HOST))
		image_read_config(&u->eng->store, id, ret, NULL);
	return r;
}

static int change_health(struct update *u, struct err *err)
{
	const struct run_options *o = &u->opts->run;
	bool none = o->no_healthcheck || (o->health_cmd && strcasecmp(o->health_cmd, "none") == 0);
	struct oci_image_config image = { 0 };
	int r;

	if (!o->no_healthcheck && !health_options_given(o))
		return 0;
	r = read_image(u, &image, err);
	if (r == 0)
		r = health_options_parse(&u->asked.options, image.config, &u->health, err);
	if (r == 0 && !u->health && !none)
		r = err_hint(
		    err,
		    err_fail(err, ERR_CONFLICT, "container %s has no health check", u->rec.name),
		    "give it one with --health-cmd");
	oci_image_config_done(&image);
	u->has_health = u->has_options = r == 0;
	u->new_options.health = u->health;
	return r;
}

static int read_config(struct update *u, struct err *err)
{
	int r = io_read_file(u->dir, UPDATE_CONFIG, &u->old_text, SPEC_BYTES_MAX, err);

	if (r == 0)
		r = spec_parse(buf_str(&u->old_text), u->old_text.len, &u->spec, err);
	if (r == 0 && (!u->spec.process || !u->spec.linux_))
		r = err_fail(err, ERR_CORRUPT, "config.json of container %s is not whole",
			     u->rec.name);
	return r;
}

static int plan(struct update *u, struct err *err)
{
	cleanup_free char *bundle = xasprintf("%s/containers/%s", u->eng->root, u->rec.id);
	int r = read_config(u, err);

	if (r == 0)
		r = update_cgroup_plan(u->opts, u->swap_limits, &u->spec, &u->limits, err);
	if (r == 0)
		r = update_rlimits_plan(u->opts, &u->spec, &u->limits, err);
	if (r == 0)
		r = change_env(u, err);
	if (r == 0)
		r = update_mounts_plan(u->eng, u->opts, u->rec.options.mapping, bundle, &u->spec,
				       &u->mounts, err);
	if (r == 0)
		r = update_devices_plan(u->opts, &u->spec, &u->devices, err);
	if (r == 0)
		r = change_restart(u, err);
	if (r == 0)
		r = change_asked(u, err);
	if (r == 0)
		r = change_health(u, err);
	if (r == 0 && u->mounts.n_added)
		update_volumes_plan(&u->mounts, &u->new_options);
	if (r == 0)
		r = update_record_begin(u->dir, &u->new_options, u->has_asked ? &u->asked : NULL,
					u->has_health, err);
	if (r < 0)
		return r;
	json_write(&spec_desc, &u->spec, JSON_NEWLINE, &u->text);
	return 0;
}

/* ---- what runs ---- */

/* All or nothing, each step by itself as well. */
static int apply_all(struct update *u, struct err *err)
{
	struct engine *eng = u->eng;
	const char *id = u->rec.id;
	int r = update_mounts_apply(eng, id, &u->spec, &u->mounts, err);

	if (r < 0)
		return r;
	r = update_devices_apply(eng, id, &u->spec, &u->devices, err);
	if (r >= 0) {
		r = update_apply(eng, id, &u->text, &u->old_text, &u->limits, err);
		if (r < 0)
			update_devices_revert(eng, id, &u->spec, &u->devices);
	}
	if (r < 0)
		update_mounts_revert(eng, id, &u->spec, &u->mounts);
	return r;
}

/* The one that runs now; *ret is what it was. One that has just ended needs no more than the new
 * config.json. Between its start and its end there are moments in which nobody can enter it. */
static int apply_running(struct update *u, struct update_instance *ret, struct err *err)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	struct update_instance now = update_instance(u->eng, &u->rec);
	struct err own = ERR_INIT;
	int r = -ESRCH;

	*ret = now;
	for (int ms = 0; now.pid && r == -ESRCH && ms < END_TIMEOUT_MS; ms += LOOK_MS) {
		if (ms)
			nanosleep(&pause, NULL);
		own = (struct err)ERR_INIT;
		r = apply_all(u, &own);
		if (r >= 0)
			return 0;
		now = update_instance(u->eng, &u->rec);
		if (!same_instance(&now, ret))
			now.pid = 0;
	}
	if (!now.pid) {
		*ret = (struct update_instance){ 0 };
		return 0;
	}
	if (err)
		*err = own;
	return r;
}

/* In one that was started meanwhile, perhaps with the old config.json. */
static int apply_late(struct update *u, struct err *err)
{
	int r = update_mounts_ensure(u->eng, u->rec.id, &u->spec, &u->mounts, err);

	if (r < 0)
		return r;
	update_devices_ensure(u->eng, u->rec.id, &u->spec, &u->devices);
	return update_apply(u->eng, u->rec.id, &u->text, &u->old_text, &u->limits, err);
}

/* What is started from now on begins with the new one. */
static void apply_again(struct update *u, const struct update_instance *before)
{
	const struct timespec pause = { .tv_nsec = RESTART_MS * 1000000L };
	struct err err = ERR_INIT;

	for (int n = 0; n < RESTARTS_MAX; n++) {
		cleanup_record struct record now = { 0 };
		struct update_instance in;
		int r;

		if (record_get(u->eng, u->rec.id, &now, NULL) < 0 || !now.running)
			return;
		in = update_instance(u->eng, &now);
		if (!in.pid || same_instance(&in, before))
			return;
		err = (struct err)ERR_INIT;
		r = apply_late(u, &err);
		if (r >= 0)
			return;
		if (r == -ESRCH)
			nanosleep(&pause, NULL);
	}
	log_warn("container %s was started meanwhile: %s", u->rec.name, err.msg);
}

/* ---- the sequence ---- */

int update_record_set(struct engine *eng, const char *id, const struct record_options *options,
		      const struct asked *asked, struct err *err)
{
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	r = options ? record_set_options(eng, id, options, err) : 0;
	if (r == 0 && asked)
		r = asked_set(eng, id, asked, err);
	return db_end(eng->db, r, err);
}

static int set_options(struct update *u, const struct record_options *o, const struct asked *a,
		       struct err *err)
{
	if (!u->has_options && !u->has_asked)
		return 0;
	return update_record_set(u->eng, u->rec.id, u->has_options ? o : NULL,
				 u->has_asked ? a : NULL, err);
}

/* That fails for no lack of room. What runs is changed by now, so it is left to be finished. */
static int commit(struct update *u, struct err *err)
{
	int r;

	u->to_finish = renameat(u->dir, UPDATE_PENDING, u->dir, UPDATE_CONFIG) < 0;
	if (!u->to_finish)
		return 0;
	r = err_errno(err, errno, "replacing config.json of container %s", u->rec.name);
	return err_hint(err, r, "what runs has changed; `inro inspect %s` tries this again",
			u->rec.name);
}

static void finish_record(struct update *u)
{
	struct record rec = u->rec;
	struct err err = ERR_INIT;

	rec.options = u->new_options;
	if (update_record_end(u->eng, &rec, u->dir, &u->spec, &err) < 0)
		log_warn("recording the mounts of container %s: %s", u->rec.name, err.msg);
}

static bool same_words(char *const *a, char *const *b)
{
	for (; a && *a && b && *b && str_eq(*a, *b); a++, b++)
		;
	return !(a && *a) && !(b && *b);
}

/* The monitor's part. The next start goes by the record in any case. */
static void apply_health(struct update *u)
{
	const struct health *was = u->rec.options.health, *h = u->health;
	bool anew = !h || !was || !same_words(was->probe.test, h->probe.test);
	struct err err = ERR_INIT;

	if (health_change(u->eng, &u->rec, h, anew, &err) < 0 &&
	    live_status(u->eng, &u->rec) != CONTAINER_STOPPED)
		log_warn("container %s has the new health check from its next start on: %s",
			 u->rec.name, err.msg);
}

/* Volumes come first: they may not come to be. Killed before the new configuration is there, they
 * are taken out of the record again; after that, whoever finishes this finds them in use. */
static int begin_record(struct update *u, struct err *err)
{
	bool mounts = u->mounts.n_added;
	int r = 0;

	if (mounts)
		r = update_volumes_begin(u->eng, &u->rec, &u->spec, &u->mounts, &u->new_options,
					 err);
	if (r < 0)
		return r;
	r = io_replace_file(u->dir, UPDATE_PENDING, buf_str(&u->text), u->text.len, 0600, false,
			    err);
	if (r == 0)
		r = set_options(u, &u->new_options, &u->asked, err);
	if (r < 0 && mounts)
		update_volumes_revert(u->eng, &u->rec, &u->mounts);
	return r;
}

static void revert_record(struct update *u)
{
	if (u->mounts.n_added)
		update_volumes_revert(u->eng, &u->rec, &u->mounts);
	set_options(u, &u->rec.options, &u->old_asked, NULL);
}

static int change(struct update *u, struct err *err)
{
	struct update_instance in;
	int r = plan(u, err);

	if (r == 0)
		r = begin_record(u, err);
	if (r < 0)
		return r;
	r = apply_running(u, &in, err);
	if (r < 0) {
		revert_record(u);
		return r;
	}
	r = commit(u, err);
	if (r < 0)
		return r;
	if (u->has_health && in.pid)
		apply_health(u);
	finish_record(u);
	apply_again(u, &in);
	event_note_container(u->eng, u->rec.id, "update", NULL);
	return 0;
}

static bool asks_nothing(const struct update_options *o)
{
	const struct run_options *more = &o->run;
	char **const lists[] = {
		o->env,
		o->unsetenv,
		o->mount_add,
		o->mount_rm,
		o->device_add,
		o->device_rm,
		more->ulimit,
		more->blkio_weight_device,
		more->device_read_bps,
		more->device_write_bps,
		more->device_read_iops,
		more->device_write_iops,
	};
	struct spec_resources res = { 0 };
	int r = update_resources(o, &res, NULL);

	json_free(&spec_resources_desc, &res);
	for (size_t i = 0; r == 1 && i < ARRAY_SIZE(lists); i++)
		if (lists[i])
			r = 0;
	return r == 1 && !o->restart && !more->no_healthcheck && !health_options_given(more);
}

/* What another one has begun; the record is another then. */
static int finish_killed(struct update *u, struct err *err)
{
	cleanup_free char *id = xstrdup(u->rec.id);
	int r;

	if (!update_finish(u->eng, &u->rec, u->dir, true))
		return 0;
	record_done(&u->rec);
	r = record_get(u->eng, id, &u->rec, err);
	return r == -ENOENT ? err_fail(err, ERR_NOT_FOUND, "No such container: %s", id) : r;
}

bool engine_update_asks_nothing(const struct update_options *o)
{
	return !o->publish_add && !o->publish_rm && !o->firewall && !o->egress && asks_nothing(o);
}

int engine_update(struct engine *eng, const char *word, const struct update_options *opts,
		  struct err *err)
{
	struct update u = {
		.eng = eng,
		.opts = opts,
		.dir = -EBADF,
		.swap_limits = engine_limits_swap(),
	};
	bool ports = opts->publish_add || opts->publish_rm;
	bool policy = opts->firewall || opts->egress;
	cleanup_fd int lock = -EBADF;
	int r;

	if (engine_update_asks_nothing(opts))
		return err_fail(err, ERR_USAGE,
				"you must provide one or more options when using this command");
	if (policy && (ports || !asks_nothing(opts)))
		return err_fail(err, ERR_USAGE,
				"conflicting options: --firewall and --egress go with no others: "
				"update twice");
	if (ports && !asks_nothing(opts))
		return err_fail(err, ERR_USAGE,
				"conflicting options: --publish-add and --publish-rm go with no "
				"others: update twice");
	r = u.dir = update_begin(eng, word, &u.rec, err);
	if (r >= 0)
		r = finish_killed(&u, err);
	/* Who starts it meanwhile would have read what there was. */
	if (r == 0 && (ports || policy) && !u.rec.running)
		r = engine_lock_stopped(eng, word, &u.rec, &lock, err);
	if (r >= 0 && (ports || policy)) {
		r = ports ? update_ports(eng, &u.rec, opts, err)
			  : update_policy(eng, &u.rec, opts, err);
		if (r == 0)
			event_note_container(eng, u.rec.id, "update", NULL);
		else
			err_wrap(err, r, "cannot update container %s", u.rec.name);
	} else if (r == 0) {
		r = change(&u, err);
		if (r < 0) {
			if (!u.to_finish) {
				unlinkat(u.dir, UPDATE_PENDING, 0);
				unlinkat(u.dir, UPDATE_RECORD, 0);
			}
			err_wrap(err, r, "cannot update container %s", u.rec.name);
		}
	}
	update_done(&u);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/health.h"
#include "engine/update_internal.h"

#define LOCK_LOOK_MS    10
#define HOLD_TIMEOUT_MS 5000

static int lock_dir(int fd, int timeout_ms)
{
	const struct timespec pause = { .tv_nsec = LOCK_LOOK_MS * 1000000L };

	for (; flock(fd, LOCK_EX | LOCK_NB) < 0; timeout_ms -= LOCK_LOOK_MS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (timeout_ms <= 0)
			return -EBUSY;
		nanosleep(&pause, NULL);
	}
	return 0;
}

int update_lock(struct engine *eng, const char *id, int timeout_ms)
{
	cleanup_fd int fd =
	    openat(eng->containers_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 ? -errno : lock_dir(fd, timeout_ms);

	return r < 0 ? r : take_fd(fd);
}

/* ---- what a killed one has left ---- */

static bool is_there(int dir, const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool same_mount(const struct spec_mount *a, const struct spec_mount *b)
{
	return str_eq(a->destination, b->destination) && str_eq(a->type, b->type) &&
	       str_eq(a->source, b->source);
}

/* The new list is the old one without some, and others behind. */
static void find_mounts(const struct spec *old, const struct spec *spec, struct update_mounts *ret)
{
	ret->removed = xcalloc(old->mounts.n + 1, sizeof(*ret->removed));
	for (size_t i = 0; i < old->mounts.n; i++) {
		const struct spec_mount *m = &old->mounts.items[i];

		if (ret->first_added < spec->mounts.n &&
		    same_mount(m, &spec->mounts.items[ret->first_added]))
			ret->first_added++;
		else
			ret->removed[ret->n_removed++] = *m;
	}
}

static char *access_of(const struct spec *spec, const struct spec_device *d)
{
	const struct spec_resources *res = spec->linux_->resources;

	for (size_t i = res ? res->devices.n : 0; i > 0; i--) {
		const struct spec_device_rule *rule = &res->devices.items[i - 1];

		if (rule->allow && str_eq(rule->type, d->type) &&
		    rule->major.value == d->major.value && rule->minor.value == d->minor.value)
			return rule->access;
	}
	return NULL;
}

static void find_devices(const struct spec *old, const struct spec *spec,
			 struct update_devices *ret)
{
	const struct spec_linux *l = old->linux_, *n = spec->linux_;

	ret->removed = xcalloc(l->devices.n + 1, sizeof(*ret->removed));
	for (size_t i = 0; i < l->devices.n; i++) {
		const struct spec_device *d = &l->devices.items[i];

		if (ret->first_added < n->devices.n &&
		    str_eq(d->path, n->devices.items[ret->first_added].path))
			ret->first_added++;
		else
			ret->removed[ret->n_removed++] = (struct spec_device_pair){
				.device = *d,
				.access = access_of(spec, d) ? NULL : access_of(old, d)
			};
	}
}

/* All of the new configuration, which what was to change is a part of. */
static int redo_all(struct engine *eng, const char *id, const struct buf *text,
		    const struct buf *old_text, const struct spec *old, const struct spec *spec,
		    struct err *err)
{
	const struct spec_resources *res = spec->linux_->resources;
	struct update_mounts mounts = { 0 };
	struct update_devices devices = { 0 };
	struct update_limits limits = { 0 };
	int r;

	find_mounts(old, spec, &mounts);
	find_devices(old, spec, &devices);
	update_rlimits_differ(old, spec, &limits);
	if (res) {
		limits.has_cgroup = true;
		limits.cgroup.memory = res->memory;
		limits.cgroup.cpu = res->cpu;
		limits.cgroup.pids = res->pids;
		limits.cgroup.block_io = res->block_io;
	}
	r = update_mounts_ensure(eng, id, spec, &mounts, err);
	if (r == 0) {
		update_devices_ensure(eng, id, spec, &devices);
		r = update_apply(eng, id, text, old_text, &limits, err);
	}
	free(mounts.removed);
	free(devices.removed);
	limits.cgroup = (struct spec_resources){ 0 }; /* the configuration's */
	update_limits_done(&limits);
	return r;
}

/* ---- the record ---- */

/* What the record is to have, word for word. */
struct kept {
	char *options, *asked; /* JSON; asked NULL: it has none */
	bool health;           /* that is what changes, too */
};
static const struct json_field kept_fields[] = {
	JSON_FIELD(struct kept, options, "options", JSON_RAW, .flags = JSON_REQUIRED),
	JSON_FIELD(struct kept, asked, "asked", JSON_RAW),
	JSON_FIELD(struct kept, health, "health", JSON_BOOL),
};
static const struct json_desc kept_desc = JSON_DESC(struct kept, kept_fields);

static void kept_done(struct kept *kept)
{
	json_free(&kept_desc, kept);
}
#define cleanup_kept CLEANUP(kept_done)

static int read_kept(int dir, struct kept *ret, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r = io_read_file(dir, UPDATE_RECORD, &text, 2 * SPEC_BYTES_MAX, err);

	return r < 0 ? r
		     : json_parse(&kept_desc, ret, buf_str(&text), text.len, UPDATE_RECORD, err);
}

int update_record_begin(int dir, const struct record_options *options, const struct asked *asked,
			bool health, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_buf struct buf options_text = BUF_INIT;
	cleanup_buf struct buf asked_text = BUF_INIT;
	struct kept kept = { .health = health };

	record_options_write(options, &options_text);
	kept.options = (char *)buf_str(&options_text);
	if (asked) {
		asked_text_write(asked, &asked_text);
		kept.asked = (char *)buf_str(&asked_text);
	}
	json_write(&kept_desc, &kept, 0, &text);
	return io_replace_file(dir, UPDATE_RECORD, buf_str(&text), text.len, 0600, false, err);
}

/* The killed one may not have come to it. */
static int set_kept(struct engine *eng, const char *id, int dir, struct err *err)
{
	cleanup_kept struct kept kept = { 0 };
	cleanup_asked struct asked asked = { 0 };
	cleanup_record struct record to = { 0 };
	int r = read_kept(dir, &kept, err);

	if (r == 0)
		r = record_options_parse(kept.options, &to.options, err);
	if (r == 0 && kept.asked)
		r = asked_parse(kept.asked, strlen(kept.asked), &asked, err);
	if (r == 0)
		r = update_record_set(eng, id, &to.options, kept.asked ? &asked : NULL, err);
	return r;
}

/* Its monitor goes by the health check that the record has, if that is the one of the file. */
static void tell_health(struct engine *eng, const struct record *rec, int dir)
{
	cleanup_kept struct kept kept = { 0 };
	cleanup_record struct record to = { 0 };
	struct err err = ERR_INIT;

	if (read_kept(dir, &kept, NULL) < 0 || !kept.health || !rec->running ||
	    record_options_parse(kept.options, &to.options, NULL) < 0 ||
	    !health_same(rec->options.health, to.options.health))
		return;
	if (health_change(eng, rec, rec->options.health, true, &err) < 0)
		log_debug("%s", err.msg);
}

int update_record_end(struct engine *eng, const struct record *rec, int dir,
		      const struct spec *spec, struct err *err)
{
	int r = update_mounts_record(eng, rec, &rec->options, spec, err);

	if (r == 0)
		unlinkat(dir, UPDATE_RECORD, 0);
	return r;
}

static int read_config(int dir, const char *name, struct buf *text, struct spec *ret,
		       struct err *err)
{
	int r = io_read_file(dir, name, text, SPEC_BYTES_MAX, err);

	if (r == 0)
		r = spec_parse(buf_str(text), text->len, ret, err);
	if (r == 0 && !ret->linux_)
		r = err_fail(err, ERR_CORRUPT, "%s is not whole", name);
	return r;
}

static int redo(struct engine *eng, const struct record *rec, int dir, bool may_run,
		struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_buf struct buf old_text = BUF_INIT;
	struct spec spec = { 0 }, old = { 0 };
	int r = read_config(dir, UPDATE_PENDING, &text, &spec, err);

	if (r == 0)
		r = read_config(dir, UPDATE_CONFIG, &old_text, &old, err);
	/* What runs may have the new limits or the old ones. */
	if (r == 0 && may_run && update_instance(eng, rec).pid)
		r = redo_all(eng, rec->id, &text, &old_text, &old, &spec, err);
	if (r == 0 && is_there(dir, UPDATE_RECORD))
		r = set_kept(eng, rec->id, dir, err);
	if (r == 0 && renameat(dir, UPDATE_PENDING, dir, UPDATE_CONFIG) < 0)
		r = err_errno(err, errno, "replacing config.json");
	spec_free(&spec);
	spec_free(&old);
	return r;
}

static int sync_record(struct engine *eng, const char *id, int dir, bool may_run, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_record struct record rec = { 0 };
	struct spec spec = { 0 };
	int r = read_config(dir, UPDATE_CONFIG, &text, &spec, err);

	if (r == 0)
		r = record_get(eng, id, &rec, err);
	if (r == 0 && may_run)
		tell_health(eng, &rec, dir);
	if (r == 0)
		r = update_record_end(eng, &rec, dir, &spec, err);
	spec_free(&spec);
	return r;
}

bool update_finish(struct engine *eng, const struct record *rec, int dir, bool may_run)
{
	bool any = false;
	struct err err = ERR_INIT;

	if (is_there(dir, UPDATE_PENDING)) {
		any = true;
		if (redo(eng, rec, dir, may_run, &err) < 0) {
			log_warn("an update of container %s was killed and can't be finished: %s",
				 rec->name, err.msg);
			unlinkat(dir, UPDATE_PENDING, 0);
		}
	}
	if (is_there(dir, UPDATE_RECORD)) {
		any = true;
		err = (struct err)ERR_INIT;
		if (sync_record(eng, rec->id, dir, may_run, &err) < 0)
			log_warn("recording the mounts of container %s: %s", rec->name, err.msg);
	}
	return any;
}

static void read_again(struct engine *eng, struct record *rec)
{
	struct record now = { 0 };

	if (record_get(eng, rec->id, &now, NULL) < 0)
		return;
	now.restarts = rec->restarts; /* who starts it again counts */
	record_done(rec);
	*rec = now;
}

static void recover(struct engine *eng, struct record *rec, bool may_run)
{
	cleanup_free char *pending = xasprintf("%s/" UPDATE_PENDING, rec->id);
	cleanup_free char *record = xasprintf("%s/" UPDATE_RECORD, rec->id);
	cleanup_fd int dir = -EBADF;

	if (!is_there(eng->containers_fd, pending) && !is_there(eng->containers_fd, record))
		return;
	dir = update_lock(eng, rec->id, 0);
	if (dir >= 0 && update_finish(eng, rec, dir, may_run))
		read_again(eng, rec);
}

void update_recover(struct engine *eng, struct record *rec)
{
	recover(eng, rec, true);
}

void update_recover_stopped(struct engine *eng, struct record *rec)
{
	recover(eng, rec, false);
}

int update_hold(struct engine *eng, struct record *rec)
{
	int dir = update_lock(eng, rec->id, HOLD_TIMEOUT_MS);

	if (dir >= 0)
		update_finish(eng, rec, dir, false);
	read_again(eng, rec);
	return dir;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/update_internal.h"

#define LOCK_LOOK_MS    10
#define RECORD_TEXT_MAX 64

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

int update_record_begin(int dir, const struct record_options *options, struct err *err)
{
	cleanup_free char *text =
	    xasprintf("%d %lld", options->restart, (long long)options->restart_max);

	return io_replace_file(dir, UPDATE_RECORD, text, strlen(text), 0600, false, err);
}

static void read_policy(const char *text, struct record_options *o)
{
	const char *space = strchr(text, ' ');
	cleanup_free char *first = space ? xstrndup(text, (size_t)(space - text)) : NULL;
	int64_t policy, max;

	if (!first || str_parse_i64(first, &policy) < 0 || str_parse_i64(space + 1, &max) < 0 ||
	    policy < -1 || policy > RESTART_UNLESS_STOPPED)
		return;
	o->restart = (int)policy;
	o->restart_max = max;
}

int update_record_end(struct engine *eng, const struct record *rec, int dir,
		      const struct spec *spec, struct err *err)
{
	struct record_options now = rec->options;
	cleanup_buf struct buf text = BUF_INIT;
	int r = io_read_file(dir, UPDATE_RECORD, &text, RECORD_TEXT_MAX, err);

	if (r < 0)
		return r;
	read_policy(buf_str(&text), &now);
	if (now.restart != rec->options.restart || now.restart_max != rec->options.restart_max)
		r = record_set_options(eng, rec->id, &now, err);
	if (r == 0)
		r = update_mounts_record(eng, rec, &now, spec, err);
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

static int redo(struct engine *eng, const struct record *rec, int dir, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_buf struct buf old_text = BUF_INIT;
	struct spec spec = { 0 }, old = { 0 };
	int r = read_config(dir, UPDATE_PENDING, &text, &spec, err);

	if (r == 0)
		r = read_config(dir, UPDATE_CONFIG, &old_text, &old, err);
	/* What runs may have the new limits or the old ones. */
	if (r == 0 && update_instance(eng, rec).pid)
		r = redo_all(eng, rec->id, &text, &old_text, &old, &spec, err);
	if (r == 0 && renameat(dir, UPDATE_PENDING, dir, UPDATE_CONFIG) < 0)
		r = err_errno(err, errno, "replacing config.json");
	spec_free(&spec);
	spec_free(&old);
	return r;
}

static int sync_record(struct engine *eng, const struct record *rec, int dir, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct spec spec = { 0 };
	int r = read_config(dir, UPDATE_CONFIG, &text, &spec, err);

	if (r == 0)
		r = update_record_end(eng, rec, dir, &spec, err);
	spec_free(&spec);
	return r;
}

static bool is_there(int dir, const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool update_finish(struct engine *eng, const struct record *rec, int dir)
{
	bool any = false;
	struct err err = ERR_INIT;

	if (is_there(dir, UPDATE_PENDING)) {
		any = true;
		if (redo(eng, rec, dir, &err) < 0) {
			log_warn("an update of container %s was killed and can't be finished: %s",
				 rec->name, err.msg);
			unlinkat(dir, UPDATE_PENDING, 0);
		}
	}
	if (is_there(dir, UPDATE_RECORD)) {
		any = true;
		err = (struct err)ERR_INIT;
		if (sync_record(eng, rec, dir, &err) < 0)
			log_warn("recording the mounts of container %s: %s", rec->name, err.msg);
	}
	return any;
}

void update_recover(struct engine *eng, struct record *rec)
{
	struct record now = { 0 };
	cleanup_free char *pending = xasprintf("%s/" UPDATE_PENDING, rec->id);
	cleanup_free char *record = xasprintf("%s/" UPDATE_RECORD, rec->id);
	cleanup_fd int dir = -EBADF;

	if (!is_there(eng->containers_fd, pending) && !is_there(eng->containers_fd, record))
		return;
	dir = update_lock(eng, rec->id, 0);
	if (dir < 0 || !update_finish(eng, rec, dir) || record_get(eng, rec->id, &now, NULL) < 0)
		return;
	record_done(rec);
	*rec = now;
}

void update_forget(int bundle_fd)
{
	cleanup_fd int dir = -EBADF;

	if (!is_there(bundle_fd, UPDATE_PENDING))
		return;
	/* A description of its own, as the lock is a description's. */
	dir = openat(bundle_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0 && lock_dir(dir, 0) == 0 && unlinkat(dir, UPDATE_PENDING, 0) == 0)
		unlinkat(dir, UPDATE_RECORD, 0);
}

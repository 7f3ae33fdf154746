/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup_oom.h"

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <time.h>

#include "base/fd.h"
#include "base/io.h"
#include "runtime/cgroup_priv.h"
#include "runtime/cgroup_stats.h"

/* The counter oom_kill; false when the cgroup is gone. */
static bool read_kills(const struct cgroup_oom *o, uint64_t *ret)
{
	CLEANUP(stats_pairs_done) stats_pairs pairs = { 0 };
	const uint64_t *kills;
	char text[1024];
	ssize_t n = pread(o->file, text, sizeof(text), 0);

	if (n < 0)
		return false;
	stats_parse_pairs(text, (size_t)n, &pairs);
	kills = stats_pair_find(&pairs, "oom_kill");
	*ret = kills ? *kills : 0;
	return true;
}

/* "EVENTFD FILE" asks for a signal at each out-of-memory situation, and when the cgroup goes. */
static int watch_v1(const struct cgroup_dir *dir, struct cgroup_oom *o, struct err *err)
{
	char text[32];

	o->file = cgroup_file_open(dir, "memory.oom_control", O_RDONLY);
	if (o->file < 0)
		return err_errno(err, -o->file, "opening memory.oom_control of cgroup %s",
				 dir->path);
	o->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (o->fd < 0)
		return err_errno(err, errno, "making an eventfd");
	snprintf(text, sizeof(text), "%d %d", o->fd, o->file);
	return cgroup_file_write(dir, "cgroup.event_control", text, err);
}

static int watch_v2(const struct cgroup_dir *dir, struct cgroup_oom *o, struct err *err)
{
	char path[FD_PATH_MAX];

	o->file = cgroup_file_open(dir, "memory.events", O_RDONLY);
	if (o->file < 0)
		return err_errno(err, -o->file, "opening memory.events of cgroup %s", dir->path);
	o->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (o->fd < 0 || inotify_add_watch(o->fd, fd_proc_path(o->file, path), IN_MODIFY) < 0)
		return err_errno(err, errno, "watching memory.events of cgroup %s", dir->path);
	return 0;
}

/* The directory with the memory controller's files. */
static int find_memory(struct cgroup *cg, const struct cgroup_dir **ret, bool *ret_v2,
		       struct err *err)
{
	int r = cg->opened ? cgroup_controllers_read(cg, err) : 0;

	if (r < 0)
		return r;
	*ret = cgroup_dir_find(cg, "memory");
	*ret_v2 = !*ret;
	if (!*ret)
		*ret = cgroup_dir_find(cg, NULL);
	if (!*ret || (*ret_v2 && !cgroup_file_exists(*ret, "memory.events")))
		return err_fail(err, ERR_UNSUPPORTED,
				"the container's cgroup has no memory controller");
	return 0;
}

int cgroup_oom_watch(struct cgroup *cg, struct cgroup_oom *ret, struct err *err)
{
	struct cgroup_oom o = { .fd = -EBADF, .file = -EBADF };
	const struct cgroup_dir *dir;
	int r;

	*ret = o;
	r = find_memory(cg, &dir, &o.v2, err);
	if (r < 0)
		return r;
	r = o.v2 ? watch_v2(dir, &o, err) : watch_v1(dir, &o, err);
	if (r < 0) {
		cgroup_oom_done(&o);
		return r;
	}
	read_kills(&o, &o.seen);
	*ret = o;
	return 0;
}

/* A notice is mostly of the limit that was met; the next one, of the kill, is held back for up to
 * 10 ms. If the container ends by it, systemd may remove the cgroup before. */
static bool read_kills_soon(const struct cgroup_oom *o, uint64_t *ret)
{
	const struct timespec pause = { .tv_nsec = 2 * 1000 * 1000 };
	bool there = read_kills(o, ret);

	for (int i = 0; i < 10 && there && *ret <= o->seen; i++) {
		nanosleep(&pause, NULL);
		there = read_kills(o, ret);
	}
	return there;
}

bool cgroup_oom_happened(struct cgroup_oom *o)
{
	union {
		uint64_t signals;
		char events[4096];
	} got = { 0 };
	uint64_t kills = 0;
	bool there;

	if (o->fd < 0)
		return false;
	ssize_t n = NO_EINTR(read(o->fd, &got, o->v2 ? sizeof(got) : 8));
	/* v2: the kernel holds a notice back for up to 10 ms, and the process has ended by then. */
	if (n <= 0 && !o->v2)
		return false;
	there = n > 0 && o->v2 ? read_kills_soon(o, &kills) : read_kills(o, &kills);
	/* v1 signals the removal of the cgroup too, and an out-of-memory situation even when nobody
	 * is killed for it. */
	if (!o->v2)
		return there || got.signals > 1;
	if (!there || kills <= o->seen)
		return false;
	o->seen = kills;
	return true;
}

void cgroup_oom_done(struct cgroup_oom *o)
{
	o->fd = fd_close(o->fd);
	o->file = fd_close(o->file);
}

/* Bytes; 0: there is no such file, or no limit. */
static uint64_t read_bytes(const struct cgroup_dir *dir, const char *name)
{
	char text[64];
	ssize_t n = cgroup_file_read(dir, name, text, sizeof(text));
	uint64_t value;

	/* v1's "no limit" is the largest number of pages */
	return n > 0 && stats_parse_value(text, (size_t)n, &value) == 0 && value < INT64_MAX / 2
		   ? value
		   : 0;
}

int cgroup_memory_read(struct cgroup *cg, struct cgroup_memory *ret, struct err *err)
{
	struct cgroup_oom o = { .fd = -EBADF, .file = -EBADF };
	const struct cgroup_dir *dir;
	int r = find_memory(cg, &dir, &o.v2, err);

	*ret = (struct cgroup_memory){ 0 };
	if (r < 0)
		return r;
	o.file = cgroup_file_open(dir, o.v2 ? "memory.events" : "memory.oom_control", O_RDONLY);
	if (o.file >= 0)
		read_kills(&o, &ret->oom_kills);
	cgroup_oom_done(&o);
	ret->limit = read_bytes(dir, o.v2 ? "memory.max" : "memory.limit_in_bytes");
	ret->peak = read_bytes(dir, o.v2 ? "memory.peak" : "memory.max_usage_in_bytes");
	return 0;
}

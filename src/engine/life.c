/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/life.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/infra.h"
#include "engine/network_names.h"
#include "engine/paused.h"
#include "runtime/monitor_proto.h"

#define LOCK_POLL_MS 2
/* Between its directory and its record a start needs milliseconds. */
#define ORPHAN_AGE_NS (60 * INT64_C(1000000000))

static int lock_try(int fd)
{
	struct flock lk = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_SETLK, &lk) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

int life_begin(struct engine *eng, const char *id, struct err *err)
{
	cleanup_free char *path = path_join(id, MONITOR_LOCK_FILE);
	cleanup_fd int lock = -EBADF;
	int r;

	if (mkdirat(eng->run_fd, id, 0700) < 0)
		return err_errno(err, errno, "making run directory %s/containers/%s", eng->runroot,
				 id);
	lock = openat(eng->run_fd, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	r = lock < 0 ? -errno : lock_try(lock);
	if (r < 0) {
		life_remove_dirs(eng, id, NULL);
		return err_errno(err, -r, "locking container %s", id);
	}
	return take_fd(lock);
}

static int lock_open(struct engine *eng, const char *id)
{
	cleanup_free char *path = path_join(id, MONITOR_LOCK_FILE);
	int fd = openat(eng->run_fd, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

bool life_alive(struct engine *eng, const char *id)
{
	struct flock lk = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	cleanup_fd int fd = lock_open(eng, id);

	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lk) == 0 && lk.l_type != F_UNLCK;
}

int life_watch(struct engine *eng, const char *id)
{
	cleanup_free char *path = path_join(id, MONITOR_LOCK_FILE);
	int fd = openat(eng->run_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

bool life_held(int fd)
{
	struct flock lk = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &lk) == 0 && lk.l_type != F_UNLCK;
}

/* There is no wait with a timeout for this kind of lock. */
static int lock_wait(int fd, int timeout_ms)
{
	const struct timespec pause = { .tv_nsec = LOCK_POLL_MS * 1000000L };
	int r;

	while ((r = lock_try(fd)) == -EBUSY && timeout_ms > 0) {
		nanosleep(&pause, NULL);
		timeout_ms -= LOCK_POLL_MS;
	}
	return r;
}

int life_lock(struct engine *eng, const char *id, int timeout_ms)
{
	cleanup_fd int fd = lock_open(eng, id);
	int r = fd < 0 ? fd : lock_wait(fd, timeout_ms);

	return r < 0 ? r : take_fd(fd);
}

int life_acquire(struct engine *eng, const char *id, int timeout_ms)
{
	cleanup_free char *path = path_join(id, MONITOR_LOCK_FILE);
	cleanup_fd int fd = -EBADF;
	int r;

	if (mkdirat(eng->run_fd, id, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(eng->run_fd, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = fd < 0 ? -errno : lock_wait(fd, timeout_ms);
	return r < 0 ? r : take_fd(fd);
}

int life_read_exit(struct engine *eng, const char *id, struct record_end *ret)
{
	cleanup_free char *path = path_join(id, MONITOR_LOCK_FILE);
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_strv char **words = NULL;
	struct record_end end = { 0 };
	size_t n;
	int r;

	r = io_read_file(eng->run_fd, path, &text, 64, NULL);
	if (r < 0)
		return r;
	if (!text.len || text.data[text.len - 1] != '\n')
		return -ENOENT;
	text.data[--text.len] = '\0';
	words = strv_split(buf_str(&text), ' ');
	n = strv_len(words);
	end.oom_killed = n == 3 && str_eq(words[2], "oom");
	if ((n != 2 && !end.oom_killed) || str_parse_int(words[0], &end.exit_code) < 0 ||
	    str_parse_i64(words[1], &end.finished_ns) < 0)
		return -EINVAL;
	*ret = end;
	return 0;
}

/* Without its config.json it is not taken for whole any more, whatever stops us. */
static int remove_bundle(struct engine *eng, const char *id, struct err *err)
{
	cleanup_free char *config = path_join(id, "config.json");
	cleanup_free char *rel = NULL;
	struct err first = ERR_INIT;
	int r;

	(void)unlinkat(eng->containers_fd, config, 0);
	r = path_remove_tree(eng->containers_fd, id, &first);
	if ((r == -EPERM || r == -EACCES) && eng->rootless) {
		/* Files of subordinate ids: only a process in the user namespace can remove them.
		 */
		rel = path_join("containers", id);
		r = engine_store(eng, err);
		if (r == 0)
			r = image_remove_tree(&eng->store, rel, err);
	} else if (r < 0 && err) {
		*err = first;
	}
	return r < 0 ? err_wrap(err, r, "removing container %s", id) : 0;
}

int life_remove_dirs(struct engine *eng, const char *id, struct err *err)
{
	int r = remove_bundle(eng, id, err);

	return r < 0 ? r : path_remove_tree(eng->run_fd, id, err);
}

/* The lock file goes last: while there is a record, who wants the lock must find this one, and not
 * make another. */
static int remove_ended(struct engine *eng, const char *id, const struct record_end *end,
			bool volumes, struct err *err)
{
	int r = remove_bundle(eng, id, err);

	paused_unmark(eng, id);
	if (r >= 0)
		r = record_delete(eng, id, end, volumes, err);
	return r < 0 ? r : path_remove_tree(eng->run_fd, id, err);
}

int life_remove(struct engine *eng, const char *id, bool volumes, struct err *err)
{
	const struct record_end lost = { .exit_code = LIFE_EXIT_LOST,
					 .finished_ns = time_now_ns() };
	int r = record_removing(eng, id, volumes, err);

	/* With the disk full, that makes room. */
	if (r < 0 && r != -ENOSPC)
		return r;
	return remove_ended(eng, id, &lost, volumes, err);
}

int life_finish(struct engine *eng, const char *id, bool auto_remove, const struct record_end *end,
		struct err *err)
{
	if (auto_remove)
		return remove_ended(eng, id, end, true, err);
	return record_finish(eng, id, end, err);
}

/* Was it made whole before it was started? */
static bool is_made(struct engine *eng, const char *id)
{
	cleanup_free char *path = path_join(id, "config.json");
	struct stat st;

	return fstatat(eng->containers_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

int life_bury(struct engine *eng, struct record *rec, struct err *err)
{
	struct err kill_err = ERR_INIT;
	bool between = rec->status == RECORD_RESTARTING;
	struct record_end end = { .exit_code = between ? rec->exit_code : LIFE_EXIT_LOST,
				  .finished_ns = between ? rec->finished_ns : time_now_ns(),
				  .oom_killed = between && rec->oom_killed };
	int r;

	if (rec->removing) {
		r = life_remove(eng, rec->id, rec->auto_remove, err);
		return r < 0 ? r : 1;
	}
	log_debug("container %s has lost its monitor: cleaning up", rec->id);
	r = container_delete(&eng->runtime, rec->id, true, &kill_err);
	if (r < 0 && kill_err.kind != ERR_NOT_FOUND) {
		if (err)
			*err = kill_err;
		return err_wrap(err, r, "cleaning up container %s", rec->name);
	}
	life_read_exit(eng, rec->id, &end);
	bool gone = rec->auto_remove || !is_made(eng, rec->id);
	rec->running = false;
	rec->status = RECORD_EXITED;
	rec->exit_code = end.exit_code;
	rec->finished_ns = end.finished_ns;
	rec->oom_killed = end.oom_killed;
	r = life_finish(eng, rec->id, gone, &end, err);
	if (r >= 0)
		infra_release(eng, rec, false);
	return r < 0 ? r : gone;
}

/* Of a run directory that a reboot has taken away, made anew: the lock is what decides. */
static int repair_lock(struct engine *eng, const char *id)
{
	int lock = life_lock(eng, id, 0);

	return lock == -ENOENT ? life_acquire(eng, id, 0) : lock;
}

int life_repair(struct engine *eng, struct record *rec, struct err *err)
{
	cleanup_record struct record now = { 0 };
	cleanup_fd int lock = -EBADF;
	int r;

	if (!rec->running && !rec->removing)
		return 0;
	lock = repair_lock(eng, rec->id);
	if (lock == -EBUSY)
		return 0;
	if (lock < 0)
		return err_errno(err, -lock, "locking container %s", rec->id);
	/* It may have ended, have been started again or removed since it was read. */
	r = record_get(eng, rec->id, &now, err);
	if (r == -ENOENT) {
		r = life_remove_dirs(eng, rec->id, err);
		return r < 0 ? r : 1;
	}
	if (r < 0)
		return r;
	struct record old = *rec;
	*rec = now;
	now = old;
	return rec->running || rec->removing ? life_bury(eng, rec, err) : 0;
}

int life_look(struct engine *eng, struct record *rec, struct err *err)
{
	struct err why = ERR_INIT;
	int r = life_repair(eng, rec, &why);

	if (r == -ENOSPC && !rec->running) {
		log_warn("%s", why.msg);
		return 0;
	}
	if (r < 0 && err)
		*err = why;
	return r;
}

int life_find(struct engine *eng, const char *word, struct record *ret, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	int r = engine_dirs(eng, err);

	if (r == 0)
		r = record_find(eng, word[0] == '/' ? word + 1 : word, &rec, err);
	if (r < 0)
		return r;
	r = life_look(eng, &rec, err);
	if (r < 0)
		return r;
	if (r > 0) /* it was to be removed at its end */
		return err_fail(err, ERR_NOT_FOUND, "No such container: %s", word);
	*ret = rec;
	rec = (struct record){ 0 };
	return 0;
}

bool life_name_is_free(struct engine *eng, const char *name)
{
	cleanup_record struct record rec = { 0 };
	struct err err = ERR_INIT;

	return life_find(eng, name, &rec, &err) < 0 && err.kind == ERR_NOT_FOUND;
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, for bsearch(3); the list's own strings. */
static const char **sorted_ids(const struct record_list *list)
{
	const char **ids = xcalloc(list->n + 1, sizeof(*ids));

	for (size_t i = 0; i < list->n; i++)
		ids[i] = list->items[i].id;
	qsort(ids, list->n, sizeof(*ids), compare_ids);
	return ids;
}

static bool is_orphan(struct engine *eng, const char *id, const char **known, size_t n)
{
	struct stat st;

	if (bsearch(&id, known, n, sizeof(*known), compare_ids))
		return false;
	return container_id_valid(id) && fstatat(eng->run_fd, id, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode) &&
	       time_now_ns() - st.st_mtim.tv_sec * INT64_C(1000000000) > ORPHAN_AGE_NS;
}

/* What can't be removed now waits for the next time. */
static void remove_orphans(struct engine *eng, const struct record_list *known)
{
	int fd = openat(eng->run_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	cleanup_free const char **ids = NULL;
	struct dirent *entry;

	if (!dir) {
		fd_close(fd);
		return;
	}
	ids = sorted_ids(known);
	while ((entry = readdir(dir))) {
		cleanup_fd int lock = -EBADF;
		struct err err = ERR_INIT;

		if (!is_orphan(eng, entry->d_name, ids, known->n))
			continue;
		lock = life_lock(eng, entry->d_name, 0);
		if (lock != -EBUSY && life_remove_dirs(eng, entry->d_name, &err) < 0)
			log_debug("%s", err.msg);
	}
	closedir(dir);
}

/* Are there no other run directories than of these? A directory has a link from each one in it;
 * where the filesystem does not count them (btrfs), nobody knows. */
static bool no_others(struct engine *eng, size_t n)
{
	struct stat st;

	return fstat(eng->run_fd, &st) == 0 && st.st_nlink == n + 2;
}

/* Returns how many of those that stay are running. */
static size_t repair_all(struct engine *eng, struct record_list *ret)
{
	size_t k = 0, alive = 0;

	for (size_t i = 0; i < ret->n; i++) {
		struct err repair_err = ERR_INIT;
		int r = life_repair(eng, &ret->items[i], &repair_err);

		if (r < 0)
			log_warn("%s", repair_err.msg);
		alive += r == 0 && ret->items[i].running;
		if (r == 1)
			record_done(&ret->items[i]);
		else
			ret->items[k++] = ret->items[i];
	}
	ret->n = k;
	return alive;
}

int life_list(struct engine *eng, struct record_list *ret, struct err *err)
{
	int r;

	r = engine_dirs(eng, err);
	if (r == 0)
		r = record_list(eng, NULL, ret, err);
	if (r < 0)
		return r;
	const size_t alive = repair_all(eng, ret);
	if (!no_others(eng, alive))
		remove_orphans(eng, ret);
	if (alive > 0)
		net_names_look(eng);
	return 0;
}

int life_list_newest(struct engine *eng, int n, struct record_list *ret, struct err *err)
{
	size_t found;
	int r = engine_dirs(eng, err);

	/* A record that is removed makes room for an older one. */
	do {
		record_list_done(ret);
		if (r == 0)
			r = record_list_newest(eng, n, ret, err);
		if (r < 0)
			return r;
		found = ret->n;
		repair_all(eng, ret);
	} while (ret->n < found);
	return 0;
}

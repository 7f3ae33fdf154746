/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/execs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/db.h"
#include "engine/events.h"

/* Beside the containers' run directories. */
#define EXECS_DIR     "../execs"
#define END_MAX       64 /* "STATUS NANOSECONDS\n" */
#define STATUS_LOST   137
#define UNNAMED_MAX_S 60
#define COMMAND_MAX   4096 /* bytes of it that are told */

int execs_open(struct engine *eng)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(eng->run_fd, EXECS_DIR, flags);

	if (fd < 0 && errno == ENOENT) {
		if (mkdirat(eng->run_fd, EXECS_DIR, 0700) < 0 && errno != EEXIST)
			return -errno;
		fd = openat(eng->run_fd, EXECS_DIR, flags);
	}
	return fd < 0 ? -errno : fd;
}

/* ---- the end ---- */

struct exec_end {
	int64_t status, time_ns;
};

/* False: it has not ended, as far as the file says. */
static bool read_end(int fd, struct exec_end *ret)
{
	char text[END_MAX];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	char *space;

	if (n <= 0 || text[n - 1] != '\n')
		return false;
	text[n - 1] = '\0';
	space = strchr(text, ' ');
	if (!space)
		return false;
	*space = '\0';
	return str_parse_i64(text, &ret->status) == 0 &&
	       str_parse_i64(space + 1, &ret->time_ns) == 0;
}

enum exec_state { EXEC_RUNS, EXEC_ENDED, EXEC_LOST };

static enum exec_state look(int fd, struct exec_end *ret)
{
	if (read_end(fd, ret))
		return EXEC_ENDED;
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return EXEC_RUNS;
	/* It may have ended between the two looks. */
	return read_end(fd, ret) ? EXEC_ENDED : EXEC_LOST;
}

struct sweep {
	struct engine *eng;
	const char *id; /* NULL: any container's */
	bool all;       /* also those that are not known to have ended */
	bool dry;       /* only count */
	size_t n;
	int dir;
};

/* "CONTAINER.EXEC" */
static bool is_name(const char *name, const char *id)
{
	return strlen(name) == 2 * HEX_ID_LEN + 1 && name[HEX_ID_LEN] == '.' &&
	       (!id || strncmp(name, id, HEX_ID_LEN) == 0);
}

static int sweep_one(struct sweep *s, const char *name, struct err *err)
{
	cleanup_fd int fd = openat(s->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct exec_end end = { STATUS_LOST, time_now_ns() };
	cleanup_free char *id = xstrndup(name, HEX_ID_LEN);
	enum exec_state state = fd < 0 ? EXEC_RUNS : look(fd, &end);
	int r = 0;

	if (fd < 0 || (state == EXEC_RUNS && !s->all))
		return 0;
	s->n++;
	if (s->dry)
		return 0;
	/* Killed, whoever waited for it can't say how it ended: it may even go on. */
	if (state == EXEC_ENDED || s->all)
		r = event_exec_die(s->eng, id, name + HEX_ID_LEN + 1, (int)end.status, end.time_ns,
				   err);
	if (r == 0)
		unlinkat(s->dir, name, 0);
	return r;
}

/* ".EXEC" of a command that was killed before it had executed anything; one that is about to lock
 * its own is not as old. */
static void drop_unnamed(const struct sweep *s, const char *name)
{
	cleanup_fd int fd = -EBADF;
	struct stat st;

	if (name[0] != '.' || strlen(name) != HEX_ID_LEN + 1)
		return;
	fd = openat(s->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0 && time(NULL) - st.st_mtime > UNNAMED_MAX_S &&
	    flock(fd, LOCK_SH | LOCK_NB) == 0)
		unlinkat(s->dir, name, 0);
}

static int sweep(struct sweep *s, struct err *err)
{
	cleanup_fd int fd =
	    openat(s->eng->run_fd, EXECS_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	int r = 0;

	/* Nobody has executed anything yet. */
	if (!dir)
		return 0;
	s->dir = take_fd(fd);
	while (r == 0 && (e = readdir(dir))) {
		if (is_name(e->d_name, s->id))
			r = sweep_one(s, e->d_name, err);
		else
			drop_unnamed(s, e->d_name);
	}
	closedir(dir);
	return r;
}

int execs_sweep(struct engine *eng, const char *id, struct err *err)
{
	struct sweep s = { .eng = eng, .id = id, .dry = true };
	int r = sweep(&s, err);

	if (r < 0 || !s.n)
		return r;
	r = engine_db(eng, err);
	if (r == 0)
		r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	/* Somebody else may have been faster: now nobody is. */
	s.dry = false;
	return db_end(eng->db, sweep(&s, err), err);
}

int execs_end(struct engine *eng, const char *id, struct err *err)
{
	struct sweep s = { .eng = eng, .id = id, .all = true };

	return sweep(&s, err);
}

/* ---- the beginning ---- */

static int tell_begin(struct engine *eng, const char *id, const char *exec_id, const char *line,
		      struct err *err)
{
	cleanup_free char *create = xasprintf("exec_create: %s", line);
	cleanup_free char *start = xasprintf("exec_start: %s", line);
	const char *const words[] = { "execID", exec_id, NULL };
	struct sweep s = { .eng = eng, .id = id };
	int r = sweep(&s, err); /* the last ones, when there is a transaction anyway */

	if (r == 0)
		r = event_container(eng, id, create, words, err);
	return r < 0 ? r : event_container(eng, id, start, words, err);
}

static int tell(struct engine *eng, const struct record *rec, const char *exec_id,
		char *const *command)
{
	cleanup_free char *line = strv_join(command, " ");
	bool cut = strlen(line) > COMMAND_MAX;
	struct err err = ERR_INIT;
	int r = engine_db(eng, &err);

	if (cut)
		memcpy(line + COMMAND_MAX - 3, "...", 4);
	if (r == 0)
		r = db_begin(eng->db, &err);
	if (r == 0)
		r = db_end(eng->db, tell_begin(eng, rec->id, exec_id, line, &err), &err);
	if (r < 0)
		log_debug("noting a command in %s: %s", rec->name, err.msg);
	return r;
}

/* It gets its name once it is locked: else it would be one whose end nobody knows. */
int execs_begin(struct engine *eng, const struct record *rec, char *const *command)
{
	char exec_id[HEX_ID_LEN + 1];
	cleanup_free char *name = NULL;
	cleanup_free char *tmp = NULL;
	cleanup_fd int dir = execs_open(eng);
	cleanup_fd int fd = -EBADF;
	int r = dir < 0 ? dir : hex_random_id(exec_id);

	if (r < 0)
		return r;
	tmp = xasprintf(".%s", exec_id);
	name = xasprintf("%s.%s", rec->id, exec_id);
	fd = openat(dir, tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : tell(eng, rec, exec_id, command);
	if (r == 0 && renameat(dir, tmp, dir, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dir, tmp, 0);
	return r < 0 ? r : take_fd(fd);
}

char **execs_ids(struct engine *eng, const char *id)
{
	cleanup_fd int fd =
	    openat(eng->run_fd, EXECS_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	char **ids = NULL;

	if (!dir)
		return NULL;
	while ((e = readdir(dir))) {
		cleanup_fd int file = -EBADF;
		struct exec_end end;

		if (!is_name(e->d_name, id))
			continue;
		file = openat(fd, e->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (file >= 0 && look(file, &end) == EXEC_RUNS)
			strv_add(&ids, e->d_name + HEX_ID_LEN + 1);
	}
	take_fd(fd);
	closedir(dir);
	return ids;
}

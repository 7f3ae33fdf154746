/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/logs_journal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/life.h"
#include "runtime/journal.h"

#define NS_PER_S  INT64_C(1000000000)
#define READ_SIZE (64u << 10)
#define LOOK_MS   200
/* The journal has what a container that has ended said last. */
#define QUIET_LOOKS 3

struct journal_reader {
	const struct container_logs_source *source;
	const struct container_logs_options *o;
	struct proc proc;
	int pipe, lock;
	struct buf in;
	bool open[LOGLINE_STREAMS]; /* the last record was a partial one */
};

static int find_program(char **ret, struct err *err)
{
	const char *path = getenv("PATH");
	cleanup_strv char **dirs = strv_split(path ? path : "/usr/bin:/bin", ':');

	for (size_t i = 0; dirs[i]; i++) {
		cleanup_free char *file = path_join(dirs[i], "journalctl");

		if (dirs[i][0] == '/' && access(file, X_OK) == 0) {
			*ret = take_ptr(file);
			return 0;
		}
	}
	return err_fail(err, ERR_NOT_FOUND,
			"the container's log is in the journal, and journalctl is not installed");
}

/* Anybody can send the journal any field but those that begin with "_". */
static char **make_args(const struct engine *eng, const struct journal_reader *j)
{
	const struct logs_query *q = &j->o->query;
	char **args = NULL;

	strv_add(&args, "journalctl");
	strv_add(&args, "--quiet");
	strv_add(&args, "--no-pager");
	strv_add(&args, "--output=export");
	strv_add(&args, "--output-fields=MESSAGE,PRIORITY,SYSLOG_TIMESTAMP,"
			"CONTAINER_PARTIAL_MESSAGE");
	if (q->tail >= 0)
		strv_addf(&args, "--lines=%lld", (long long)q->tail);
	else
		strv_add(&args, "--lines=all");
	if (q->since_ns != INT64_MIN)
		strv_addf(&args, "--since=@%lld", (long long)(q->since_ns / NS_PER_S));
	if (j->o->follow)
		strv_add(&args, "--follow");
	else if (q->until_ns != INT64_MAX)
		strv_addf(&args, "--until=@%lld", (long long)(q->until_ns / NS_PER_S) + 1);
	strv_addf(&args, "CONTAINER_ID_FULL=%s", j->source->id);
	/* Root of `inro unshare` is somebody else out here. */
	if (!eng->rootless || geteuid() != 0)
		strv_addf(&args, "_UID=%u", (unsigned int)geteuid());
	return args;
}

static int spawn(const struct engine *eng, struct journal_reader *j, struct err *err)
{
	cleanup_strv char **argv = make_args(eng, j);
	struct proc_spawn spec = PROC_SPAWN_INIT;
	cleanup_free char *path = NULL;
	struct proc_fd out;
	int pair[2];
	int r = find_program(&path, err);

	if (r < 0)
		return r;
	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_errno(err, errno, "making a pipe");
	out = (struct proc_fd){ pair[1], STDOUT_FILENO };
	spec.path = path;
	spec.argv = argv;
	spec.fds = &out;
	spec.n_fds = 1;
	spec.pdeath_signal = SIGKILL;
	r = proc_spawn(&spec, &j->proc, err);
	fd_close(pair[1]);
	j->pipe = pair[0];
	return r < 0 ? err_wrap(err, r, "running journalctl") : 0;
}

/* Its seconds are too coarse for journalctl's options. */
static bool is_wanted(const struct journal_reader *j, const struct logline *line)
{
	const struct logs_query *q = &j->o->query;
	int64_t ns;

	if (!line->text)
		return false;
	return logline_time(line, &ns) < 0 || (ns >= q->since_ns && ns <= q->until_ns);
}

static int hand_out(struct journal_reader *j, const struct logline *line, struct err *err)
{
	struct logs_record record = { .line = *line, .continues = j->open[line->stream - 1] };

	j->open[line->stream - 1] = line->partial;
	return is_wanted(j, line) ? j->o->record(j->o->data, j->source, &record, err) : 0;
}

static int hand_out_all(struct journal_reader *j, struct err *err)
{
	size_t at = 0;
	int r = 0;

	while (r >= 0) {
		struct journal_entry entry;
		ssize_t n = journal_parse(buf_str(&j->in) + at, j->in.len - at, &entry);

		if (n < 0)
			return err_fail(err, ERR_CORRUPT, "journalctl says what is no entry");
		if (n == 0)
			break;
		r = hand_out(j, &entry.line, err);
		at += (size_t)n;
	}
	if (at)
		memmove(j->in.data, j->in.data + at, j->in.len - at);
	j->in.len -= at;
	return r < 0 ? r : 0;
}

/* 1: there is more to come. */
static int read_more(struct journal_reader *j, struct err *err)
{
	cleanup_free char *block = xmalloc(READ_SIZE);
	ssize_t n = NO_EINTR(read(j->pipe, block, READ_SIZE));
	int r;

	if (n < 0)
		return err_errno(err, errno, "reading what journalctl says");
	if (n == 0)
		return 0;
	buf_add(&j->in, block, (size_t)n);
	r = hand_out_all(j, err);
	return r < 0 ? r : 1;
}

/* 1: something has come; 0: it is over. */
static int wait_more(struct journal_reader *j, struct err *err)
{
	struct pollfd p = { .fd = j->pipe, .events = POLLIN };
	int quiet = 0, r = 0;

	while (j->o->follow && r == 0) {
		bool over = time_now_ns() > j->o->query.until_ns;
		bool alive = j->lock >= 0 && life_held(j->lock);

		r = NO_EINTR(poll(&p, 1, LOOK_MS));
		if (r == 0)
			r = j->o->idle(j->o->data, err);
		if (r < 0)
			return r;
		if (r == 0 && (over || (!alive && ++quiet >= QUIET_LOOKS)))
			return 0;
	}
	return 1;
}

static int follow(struct journal_reader *j, struct err *err)
{
	int r = 1, status = 0;

	while (r > 0) {
		r = wait_more(j, err);
		if (r == 0)
			return 0;
		if (r > 0)
			r = read_more(j, err);
	}
	if (r == 0)
		r = j->o->idle(j->o->data, err);
	if (r < 0 || proc_wait(&j->proc, -1, &status) < 0 || proc_exit_code(status) == 0)
		return r;
	return err_fail(err, ERR_SYSTEM, "journalctl failed with status %d",
			proc_exit_code(status));
}

int journal_logs(struct engine *eng, const struct container_logs_source *source,
		 const struct container_logs_options *o, struct err *err)
{
	struct journal_reader j = {
		.source = source,
		.o = o,
		.proc = PROC_INIT,
		.pipe = -EBADF,
		.lock = o->follow ? life_watch(eng, source->id) : -EBADF,
		.in = BUF_INIT,
	};
	int status, r = spawn(eng, &j, err);

	if (r == 0)
		r = follow(&j, err);
	fd_close(j.pipe);
	fd_close(j.lock);
	if (j.proc.pid > 0) {
		kill(j.proc.pid, SIGKILL);
		proc_wait(&j.proc, -1, &status);
	}
	buf_done(&j.in);
	return r;
}

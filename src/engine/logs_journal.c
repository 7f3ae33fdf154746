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
#include "runtime/journal.h"

#define NS_PER_S  INT64_C(1000000000)
#define READ_SIZE (64u << 10)
#define NS_PER_MS INT64_C(1000000)
/* journalctl, which follows, has said what the journal had when it is silent for so long. */
#define BEGIN_NS (500 * NS_PER_MS)
/* From the time of an entry until it comes out of journalctl. */
#define LATE_NS (200 * NS_PER_MS)

struct journal_log {
	const char *id; /* borrowed, until it is opened */
	struct logs_query query;
	bool follow, begun; /* begun: the journal's past is read */
	int64_t said_ns;    /* when something came last; CLOCK_MONOTONIC */
	struct proc proc;
	int pipe;
	struct buf in;
	size_t at;                  /* of in, what was told already */
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
static char **make_args(const struct engine *eng, const struct journal_log *j)
{
	const struct logs_query *q = &j->query;
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
	if (j->follow)
		strv_add(&args, "--follow");
	else if (q->until_ns != INT64_MAX)
		strv_addf(&args, "--until=@%lld", (long long)(q->until_ns / NS_PER_S) + 1);
	strv_addf(&args, "CONTAINER_ID_FULL=%s", j->id);
	/* Root of `inro unshare` is somebody else out here. */
	if (!eng->rootless || geteuid() != 0)
		strv_addf(&args, "_UID=%u", (unsigned int)geteuid());
	return args;
}

static int spawn(const struct engine *eng, struct journal_log *j, struct err *err)
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
static bool is_wanted(const struct journal_log *j, const struct logline *line)
{
	const struct logs_query *q = &j->query;
	int64_t ns;

	if (!line->text)
		return false;
	return logline_time(line, &ns) < 0 || (ns >= q->since_ns && ns <= q->until_ns);
}

/* 1: it is one that is asked for; 0: another one, or no whole one is there; or -errno. */
static int next_entry(struct journal_log *j, bool *ret_any, struct logs_record *ret,
		      struct err *err)
{
	struct journal_entry entry;
	ssize_t n = journal_parse(buf_str(&j->in) + j->at, j->in.len - j->at, &entry);

	if (n < 0)
		return err_fail(err, ERR_CORRUPT, "journalctl says what is no entry");
	*ret_any = n > 0;
	if (n == 0)
		return 0;
	j->at += (size_t)n;
	*ret =
	    (struct logs_record){ .line = entry.line, .continues = j->open[entry.line.stream - 1] };
	j->open[entry.line.stream - 1] = entry.line.partial;
	return is_wanted(j, &entry.line);
}

static int check_end(struct journal_log *j, struct err *err)
{
	int status = 0;

	j->pipe = fd_close(j->pipe);
	if (proc_wait(&j->proc, -1, &status) < 0 || proc_exit_code(status) == 0)
		return 0;
	return err_fail(err, ERR_SYSTEM, "journalctl failed with status %d",
			proc_exit_code(status));
}

/* 1: something has come; 0: nothing, or it is over. */
static int read_more(struct journal_log *j, struct err *err)
{
	struct pollfd p = { .fd = j->pipe, .events = POLLIN };
	cleanup_free char *block = NULL;
	ssize_t n;

	if (j->pipe < 0 || (j->follow && NO_EINTR(poll(&p, 1, 0)) == 0))
		return 0;
	memmove(j->in.data, j->in.data + j->at, j->in.len - j->at);
	j->in.len -= j->at;
	j->at = 0;
	block = xmalloc(READ_SIZE);
	n = NO_EINTR(read(j->pipe, block, READ_SIZE));
	if (n < 0)
		return err_errno(err, errno, "reading what journalctl says");
	if (n == 0)
		return check_end(j, err);
	buf_add(&j->in, block, (size_t)n);
	j->said_ns = time_monotonic_ns();
	return 1;
}

int journal_log_next(struct journal_log *j, struct logs_record *ret, struct err *err)
{
	int r = 1;

	while (r > 0) {
		bool any = false;

		r = next_entry(j, &any, ret, err);
		if (r != 0)
			return r;
		r = any ? 1 : read_more(j, err);
	}
	return r;
}

int journal_log_open(struct engine *eng, const char *id, const struct logs_query *query,
		     bool follow, struct journal_log **ret, struct err *err)
{
	struct journal_log *j = xcalloc(1, sizeof(*j));
	int r;

	*j = (struct journal_log){ .id = id,
				   .query = *query,
				   .follow = follow,
				   .proc = PROC_INIT,
				   .pipe = -EBADF,
				   .in = BUF_INIT,
				   .said_ns = time_monotonic_ns() };
	buf_adds(&j->in, "");
	r = spawn(eng, j, err);
	j->id = NULL;
	if (r == 0)
		*ret = j;
	else
		journal_log_free(j);
	return r;
}

bool journal_log_is_behind(struct journal_log *j, int64_t time_ns)
{
	const int64_t now = time_now_ns();

	if (j->pipe < 0)
		return false;
	j->begun = j->begun || time_monotonic_ns() - j->said_ns >= BEGIN_NS;
	/* of a clock that was set back since there is nothing to wait for */
	return !j->begun || (time_ns > now - LATE_NS && time_ns <= now);
}

const int *journal_log_fd(const struct journal_log *j)
{
	return &j->pipe;
}

void journal_log_free(struct journal_log *j)
{
	int status;

	if (!j)
		return;
	fd_close(j->pipe);
	if (j->proc.pid > 0) {
		kill(j->proc.pid, SIGKILL);
		proc_wait(&j->proc, -1, &status);
	}
	buf_done(&j->in);
	free(j);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal of `inro stats`: its modes, keys, signals, and the commands that keys start. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "cli/stats_keys.h"
#include "cli/stats_view.h"
#include "engine/container_logs.h"
#include "sys/tty.h"

/* The alternate screen, no cursor, no wrapping at the margin: and back. */
#define ENTER "\033[?1049h\033[?25l\033[?7l\033[2J"
#define LEAVE "\033[0m\033[?7h\033[?25h\033[?1049l"

#define FIRST_MS     500 /* until the first percentages are known */
#define ESCAPE_MS    50  /* a lone ESC is a key after this */
#define JOBS_MAX     8
#define SAYS_MAX     4096
#define LOG_LINE_MAX 4096
#define NS_PER_MS    INT64_C(1000000)
/* At most this part of one processor goes into looking, however many containers there are. */
#define SHARE_OF_CPU 4

/* `inro stop NAME` and the like, so that nobody waits for it here. */
struct job {
	struct proc proc;
	int says; /* its standard error */
	const char *done;
	char *name;
};

struct screen {
	struct engine *eng;
	const struct stats_wish *wish;
	struct stats_view view;
	struct stats_keys keys;
	int64_t interval_ns, next_ns;
	struct termios saved;
	bool entered;
	int signals;
	sigset_t before;
	char **drawn; /* what is on the screen: drawn_rows lines; or NULL */
	unsigned int drawn_rows;
	struct job jobs[JOBS_MAX];
	size_t n_jobs;
	bool quit;
};

static void forget_drawn(struct screen *sc)
{
	for (unsigned int i = 0; i < sc->drawn_rows; i++)
		free(sc->drawn[i]);
	free(sc->drawn);
	sc->drawn = NULL;
	sc->drawn_rows = 0;
}

static void write_terminal(const char *text)
{
	io_write(STDOUT_FILENO, text, strlen(text));
}

static int enter(struct screen *sc, struct err *err)
{
	int r = tty_make_raw(STDIN_FILENO, &sc->saved);

	if (r < 0)
		return err_errno(err, -r, "setting the terminal's mode");
	sc->entered = true;
	write_terminal(ENTER);
	return 0;
}

/* After a stop that nobody told of (SIGSTOP): the shell has had the terminal. */
static void again(const struct screen *sc)
{
	struct termios was;

	if (sc->entered && tty_make_raw(STDIN_FILENO, &was) == 0)
		write_terminal(ENTER);
}

static void leave(struct screen *sc)
{
	if (!sc->entered)
		return;
	write_terminal(LEAVE);
	tty_restore(STDIN_FILENO, &sc->saved);
	sc->entered = false;
	forget_drawn(sc);
}

static void measure(struct screen *sc)
{
	struct winsize size = { 0 };

	if (tty_get_size(STDOUT_FILENO, &size) < 0 || !size.ws_row || !size.ws_col)
		size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	stats_view_resize(&sc->view, size.ws_row, size.ws_col);
	forget_drawn(sc);
	if (sc->entered)
		write_terminal("\033[2J");
}

/* The signal does here what it does to a program that does not expect it. */
static int take_default(struct screen *sc, int signo, struct err *err)
{
	sigset_t one, blocked;

	leave(sc);
	sigemptyset(&one);
	sigaddset(&one, signo);
	signal(signo, SIG_DFL);
	raise(signo);
	sigprocmask(SIG_UNBLOCK, &one, &blocked);
	/* Only a stop comes back, when the user wants us again. */
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	measure(sc);
	return enter(sc, err);
}

/* --- drawing --- */

static int draw(struct screen *sc, struct err *err)
{
	unsigned int rows = sc->view.rows;
	char **lines = xcalloc(rows + 1, sizeof(*lines));
	cleanup_buf struct buf out = BUF_INIT;
	int r = 0;

	stats_view_draw(&sc->view, lines);
	for (unsigned int i = 0; i < rows; i++)
		if (!sc->drawn || !str_eq(sc->drawn[i], lines[i]))
			buf_addf(&out, "\033[%u;1H%s\033[K", i + 1, lines[i]);
	forget_drawn(sc);
	sc->drawn = lines;
	sc->drawn_rows = rows;
	if (out.len)
		r = io_write(STDOUT_FILENO, buf_str(&out), out.len);
	return r < 0 ? err_errno(err, -r, "writing to the terminal") : 0;
}

/* --- logs --- */

struct log_lines {
	char **lines;
	struct buf open[LOGLINE_STREAMS]; /* lines that have no end yet */
};

static int on_record(void *data, const struct container_logs_source *source,
		     const struct logs_record *record, struct err *err)
{
	struct log_lines *l = data;
	struct buf *line = &l->open[record->line.stream == LOGLINE_STDERR];
	size_t room;

	if (!record->continues && line->len)
		strv_take(&l->lines, buf_take(line));
	room = line->len < LOG_LINE_MAX ? LOG_LINE_MAX - line->len : 0;
	/* A NUL would end the line. */
	for (size_t i = 0; i < record->line.len && i < room; i++)
		buf_addc(line, record->line.text[i] ? record->line.text[i] : '?');
	if (!record->line.partial)
		strv_take(&l->lines, buf_take(line));
	return 0;
}

static int on_idle(void *data, struct err *err)
{
	return 0;
}

static void read_log(struct screen *sc)
{
	struct stats_view *v = &sc->view;
	struct log_lines lines = { 0 };
	const struct container_logs_options o = { .query = { .since_ns = INT64_MIN,
							     .until_ns = INT64_MAX,
							     .tail = stats_view_log_rows(v) },
						  .record = on_record,
						  .idle = on_idle,
						  .data = &lines };
	char *const words[] = { v->subject_id, NULL };
	struct err err = ERR_INIT;
	size_t n, over;

	if (container_logs(sc->eng, words, &o, &err) < 0)
		stats_view_note(v, xstrdup(err.msg));
	for (size_t i = 0; i < LOGLINE_STREAMS; i++) {
		if (lines.open[i].len)
			strv_take(&lines.lines, buf_take(&lines.open[i]));
		buf_done(&lines.open[i]);
	}
	strv_free(v->log);
	v->log = NULL;
	n = strv_len(lines.lines);
	over = n > stats_view_log_rows(v) ? n - stats_view_log_rows(v) : 0;
	for (size_t i = over; i < n; i++)
		strv_add(&v->log, lines.lines[i]);
	strv_free(lines.lines);
}

/* --- what is done to containers --- */

static void job_done(struct job *job)
{
	fd_close(job->says);
	fd_close(job->proc.pidfd);
	free(job->name);
}

static const struct verb {
	const char *verb, *doing, *done;
} verbs[] = {
	[STATS_STOP] = { "stop", "stopping", "stopped" },
	[STATS_KILL] = { "kill", "killing", "killed" },
	[STATS_PAUSE] = { "pause", "pausing", "paused" },
	[STATS_UNPAUSE] = { "unpause", "unpausing", "unpaused" },
};

static int spawn(const struct screen *sc, const char *verb, int says, struct proc *ret,
		 struct err *err)
{
	cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const struct proc_fd fds[] = { { null, STDIN_FILENO },
				       { null, STDOUT_FILENO },
				       { says, STDERR_FILENO } };
	cleanup_strv char **argv = NULL;
	struct proc_spawn spec = PROC_SPAWN_INIT;

	if (null < 0)
		return err_errno(err, errno, "opening /dev/null");
	strv_add(&argv, "inro");
	strv_addf(&argv, "--root=%s", sc->eng->root);
	strv_addf(&argv, "--runroot=%s", sc->eng->runroot);
	if (sc->eng->config_file)
		strv_addf(&argv, "--config=%s", sc->eng->config_file);
	strv_add(&argv, verb);
	strv_add(&argv, sc->view.subject_id);
	spec.path = sc->eng->self_path;
	spec.argv = argv;
	spec.fds = fds;
	spec.n_fds = ARRAY_SIZE(fds);
	return proc_spawn(&spec, ret, err);
}

static void begin_job(struct screen *sc, enum stats_action action)
{
	const struct verb *verb = &verbs[action];
	struct job job = { .proc = PROC_INIT, .done = verb->done };
	struct stats_view *v = &sc->view;
	struct err err = ERR_INIT;
	int ends[2];

	if (sc->n_jobs == JOBS_MAX) {
		stats_view_note(v, xstrdup("too much is being done already"));
		return;
	}
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		stats_view_note(v, xasprintf("making a pipe: %s", strerror(errno)));
		return;
	}
	job.says = ends[0];
	if (spawn(sc, verb->verb, ends[1], &job.proc, &err) < 0) {
		stats_view_note(v, xstrdup(err.msg));
		fd_close(job.says);
	} else {
		job.name = xstrdup(v->subject);
		sc->jobs[sc->n_jobs++] = job;
		stats_view_note(v, xasprintf("%s %s", verb->doing, v->subject));
	}
	fd_close(ends[1]);
}

static void end_job(struct screen *sc, const struct job *job, int status)
{
	char text[SAYS_MAX];
	ssize_t n = NO_EINTR(read(job->says, text, sizeof(text) - 1));

	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	stats_view_note(&sc->view, proc_exit_code(status) != 0 && text[0]
				       ? xstrdup(text)
				       : xasprintf("%s is %s", job->name, job->done));
}

static void look_after_jobs(struct screen *sc)
{
	size_t k = 0;

	for (size_t i = 0; i < sc->n_jobs; i++) {
		struct job *job = &sc->jobs[i];
		int status = 0;

		if (proc_wait(&job->proc, 0, &status) < 0) {
			sc->jobs[k++] = *job;
			continue;
		}
		end_job(sc, job, status);
		job_done(job);
		sc->next_ns = time_monotonic_ns();
	}
	sc->n_jobs = k;
}

/* --- what happens --- */

/* That this process has used: others' load makes no fewer looks. */
static int64_t cpu_ns(void)
{
	struct timespec t = { 0 };

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int look(struct screen *sc, struct err *err)
{
	int64_t begin = cpu_ns(), pause;
	struct stats_samples now = { 0 };
	int r = stats_look(sc->eng, sc->wish, &now, err);

	if (r < 0) {
		stats_samples_done(&now);
		return r;
	}
	stats_view_take(&sc->view, &now);
	if (sc->view.mode == STATS_LOGS)
		read_log(sc);
	pause = (cpu_ns() - begin) * (SHARE_OF_CPU - 1);
	sc->next_ns += sc->interval_ns;
	if (sc->next_ns < time_monotonic_ns() + pause)
		sc->next_ns = time_monotonic_ns() + pause;
	return 0;
}

static int act(struct screen *sc, enum stats_action action, struct err *err)
{
	switch (action) {
	case STATS_NOTHING:
		return 0;
	case STATS_QUIT:
		sc->quit = true;
		return 0;
	case STATS_INTERRUPT:
		return take_default(sc, SIGINT, err);
	case STATS_SUSPEND:
		return take_default(sc, SIGTSTP, err);
	case STATS_SHOW_LOGS:
		read_log(sc);
		return 0;
	case STATS_STOP:
	case STATS_KILL:
	case STATS_PAUSE:
	case STATS_UNPAUSE:
		begin_job(sc, action);
		return 0;
	}
	return 0;
}

static int read_keys(struct screen *sc, struct err *err)
{
	unsigned char bytes[256];
	ssize_t n = NO_EINTR(read(STDIN_FILENO, bytes, sizeof(bytes)));
	int r = 0;

	if (n == 0 || (n < 0 && errno != EAGAIN))
		sc->quit = true;
	for (ssize_t i = 0; r == 0 && !sc->quit && i < n; i++) {
		int key = stats_keys_feed(&sc->keys, bytes[i]);

		if (key)
			r = act(sc, stats_view_key(&sc->view, key), err);
	}
	return r;
}

static int read_signal(struct screen *sc, struct err *err)
{
	struct signalfd_siginfo info;
	ssize_t n = NO_EINTR(read(sc->signals, &info, sizeof(info)));

	if (n != sizeof(info) || info.ssi_signo == SIGCHLD)
		return 0;
	if (info.ssi_signo == SIGCONT)
		again(sc);
	if (info.ssi_signo == SIGWINCH || info.ssi_signo == SIGCONT) {
		measure(sc);
		return 0;
	}
	return take_default(sc, (int)info.ssi_signo, err);
}

/* Until the next look. */
static int serve(struct screen *sc, struct err *err)
{
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
				{ .fd = sc->signals, .events = POLLIN } };
	int64_t ms = (sc->next_ns - time_monotonic_ns() + NS_PER_MS - 1) / NS_PER_MS;
	int n, r = 0;

	if (ms < 0)
		ms = 0;
	if (sc->keys.state != STATS_KEYS_NONE && ms > ESCAPE_MS)
		ms = ESCAPE_MS;
	n = NO_EINTR(poll(fds, ARRAY_SIZE(fds), (int)ms));
	if (n < 0)
		return err_errno(err, errno, "waiting for the terminal");
	if (n == 0) {
		int key = stats_keys_pause(&sc->keys);

		return key ? act(sc, stats_view_key(&sc->view, key), err) : 0;
	}
	if (fds[1].revents)
		r = read_signal(sc, err);
	if (r == 0 && fds[0].revents)
		r = read_keys(sc, err);
	return r;
}

static int loop(struct screen *sc, struct err *err)
{
	int r = 0;

	while (r == 0 && !sc->quit) {
		look_after_jobs(sc);
		if (time_monotonic_ns() >= sc->next_ns)
			r = look(sc, err);
		if (r == 0)
			r = draw(sc, err);
		if (r == 0)
			r = serve(sc, err);
	}
	return r;
}

static bool speaks_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);

		if (value && value[0])
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

/* Those that somebody has set to be ignored (nohup) stay so. */
static int take_signals(struct screen *sc, struct err *err)
{
	static const int signals[] = { SIGINT,  SIGTERM,  SIGHUP,  SIGQUIT,
				       SIGTSTP, SIGWINCH, SIGCONT, SIGCHLD };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, &sc->before);
	sc->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return sc->signals < 0 ? err_errno(err, errno, "making a signalfd") : 0;
}

static void screen_done(struct screen *sc)
{
	leave(sc);
	for (size_t i = 0; i < sc->n_jobs; i++)
		job_done(&sc->jobs[i]);
	stats_view_done(&sc->view);
	fd_close(sc->signals);
	sigprocmask(SIG_SETMASK, &sc->before, NULL);
}

int stats_screen(struct engine *eng, const struct stats_wish *wish, uint64_t interval_ms,
		 struct err *err)
{
	CLEANUP(screen_done)
	struct screen sc = {
		.eng = eng,
		.wish = wish,
		.signals = -EBADF,
		.interval_ns = (int64_t)interval_ms * NS_PER_MS,
	};
	struct stats_wish later = *wish;
	int r;

	stats_view_init(&sc.view);
	sc.view.utf8 = speaks_utf8();
	sc.view.whole = wish->whole;
	sigprocmask(SIG_SETMASK, NULL, &sc.before);
	/* What can't be had at all is told before there is a picture. */
	r = look(&sc, err);
	sc.next_ns = time_monotonic_ns() + FIRST_MS * NS_PER_MS;
	later.forgive = true;
	sc.wish = &later;
	if (r == 0)
		r = take_signals(&sc, err);
	measure(&sc);
	if (r == 0)
		r = enter(&sc, err);
	return r < 0 ? r : loop(&sc, err);
}

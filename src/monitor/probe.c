/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/probe.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "runtime/health.h"
#include "sys/clone.h"
#include "sys/pidfd.h"
#include "sys/prctl.h"

#define NS_PER_MS   INT64_C(1000000)
#define NS_PER_S    INT64_C(1000000000)
#define END_MS      1000            /* for what was killed to end */
#define TIMEOUT_MAX (INT64_MAX / 2) /* images may say any number */
#define DRAIN_READS 16              /* of what is left in a pipe that others may hold */

struct probe {
	struct monitor *m;
	struct health h;
	struct health_state st;
	const struct health_probe *what;
	int64_t deadline_ns; /* monotonic */
	int exit_code;
	bool skipped, late;
	char output[HEALTH_OUTPUT_MAX];
	size_t len;
	bool cut;
};

/* ---- what it says ---- */

static void keep(struct probe *p, const char *data, size_t len)
{
	size_t room = sizeof(p->output) - p->len;

	p->cut = p->cut || len > room;
	len = len < room ? len : room;
	memcpy(p->output + p->len, data, len);
	/* JSON has no such character */
	for (size_t i = p->len; i < p->len + len; i++)
		if (!p->output[i])
			p->output[i] = ' ';
	p->len += len;
}

static void fail(struct probe *p, const char *text)
{
	p->exit_code = -1;
	p->len = 0;
	keep(p, text, strlen(text));
}

/* False: nothing more comes. */
static bool take(struct probe *p, int from)
{
	char data[4096];
	ssize_t n = NO_EINTR(read(from, data, sizeof(data)));

	if (n > 0)
		keep(p, data, (size_t)n);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

static int left_ms(const struct probe *p)
{
	int64_t ms = (p->deadline_ns - time_monotonic_ns() + NS_PER_MS - 1) / NS_PER_MS;

	return ms < 0 ? 0 : ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* What it wrote before its end is in the pipe; others may hold that open, and go on writing. */
static void drain(struct probe *p, int from)
{
	struct pollfd f = { .fd = from, .events = POLLIN };

	for (int i = 0; from >= 0 && i < DRAIN_READS && poll(&f, 1, 0) > 0; i++)
		if (!take(p, from))
			return;
}

/* Until the process has ended. False: not in time. */
static bool collect(struct probe *p, int from, int pidfd)
{
	fd_set_nonblock(from, true);
	for (;;) {
		struct pollfd f[] = {
			{ .fd = from, .events = POLLIN },
			{ .fd = pidfd, .events = POLLIN },
		};
		int left = left_ms(p);

		if (left == 0 || (poll(f, ARRAY_SIZE(f), left) < 0 && errno != EINTR))
			return false;
		if (f[1].revents) {
			drain(p, from);
			return true;
		}
		if (f[0].revents && !take(p, from))
			from = -EBADF;
	}
}

/* ---- the kinds of probes ---- */

static int make_timer(const struct probe *p)
{
	const struct itimerspec at = { .it_value = { .tv_sec = p->deadline_ns / NS_PER_S,
						     .tv_nsec = p->deadline_ns % NS_PER_S } };
	cleanup_fd int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0 || timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL) < 0)
		return -EBADF;
	return take_fd(fd);
}

static void end_command(struct probe *p, struct container *c)
{
	siginfo_t info = { 0 };

	if (p->late) {
		/* What it has made as well: a command is in a session and a group of its own. As
		 * nobody has waited for it, the number is its own, too. */
		kill(-c->pid, SIGKILL);
		pidfd_kill_child(&c->pidfd, c->pid, END_MS);
		return;
	}
	if (pidfd_wait(c->pidfd, &info) < 0)
		fail(p, "waiting for the command");
	else
		p->exit_code =
		    info.si_code == CLD_EXITED ? info.si_status & 0xff : 128 + info.si_status;
	c->pidfd = fd_close(c->pidfd);
}

static void run_command(struct probe *p, char *const *argv)
{
	cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cleanup_fd int timer = make_timer(p);
	struct container c = { .pidfd = -EBADF };
	struct err err = ERR_INIT;
	int out[2];

	if (null < 0 || pipe2(out, O_CLOEXEC) < 0) {
		fail(p, strerror(errno));
		return;
	}
	const struct exec_args args = {
		.id = p->m->start.id,
		.argv = argv,
		.look_up_user = true,
		.stdio = { null, out[1], out[1] },
		.cancel_fd = timer,
	};
	int r = container_exec(&p->m->runtime, &args, &c, &err);
	fd_close(out[1]);
	if (r >= 0) {
		p->late = !collect(p, out[0], c.pidfd);
		end_command(p, &c);
	} else if (r == -ECANCELED) {
		p->late = true;
	} else if (err.kind == ERR_CONFLICT) { /* it is paused or ends */
		p->skipped = true;
	} else {
		fail(p, err.msg);
	}
	fd_close(out[0]);
}

static void run_inside(struct probe *p)
{
	const struct clone_spec spec = { .cgroup_fd = -EBADF };
	struct container c = { .pidfd = -EBADF };
	pid_t parent = getpid();
	int out[2];

	if (pipe2(out, O_CLOEXEC) < 0) {
		fail(p, strerror(errno));
		return;
	}
	c.pid = clone_process(&spec, &c.pidfd);
	if (c.pid == 0) {
		prctl_parent_death_signal(SIGKILL, parent);
		const int keep_fds[] = { out[1], p->m->container.pidfd };
		fd_close_from(STDERR_FILENO + 1, keep_fds, ARRAY_SIZE(keep_fds));
		probe_inside_main(&p->m->container, p->what->test, out[1]);
	}
	fd_close(out[1]);
	if (c.pid < 0) {
		fail(p, strerror(-c.pid));
	} else {
		p->late = !collect(p, out[0], c.pidfd);
		end_command(p, &c);
	}
	fd_close(out[0]);
}

static void run_test(struct probe *p)
{
	static char sh[] = "/bin/sh", dash_c[] = "-c";
	static char *default_shell[] = { sh, dash_c, NULL };
	char **test = p->what->test;
	cleanup_strv char **argv = NULL;

	if (str_eq(test[0], "CMD")) {
		run_command(p, test + 1);
	} else if (str_eq(test[0], "CMD-SHELL")) {
		strv_extend(&argv, p->h.shell ? p->h.shell : default_shell);
		strv_extend(&argv, test + 1);
		run_command(p, argv);
	} else {
		run_inside(p);
	}
}

/* Nothing is asked of what can't answer. */
static bool is_running(const struct probe *p)
{
	struct container_state st = { 0 };
	bool running;

	if (container_state_read(&p->m->runtime, p->m->start.id, &st, NULL) < 0)
		return false;
	running = st.status == CONTAINER_RUNNING;
	container_state_free(&st);
	return running;
}

/* "3s", "1.5s", "250ms" */
static void show_duration(int64_t ns, char out[32])
{
	long long ms = (long long)(ns / NS_PER_MS), s = ms / 1000;

	if (ms < 1000)
		snprintf(out, 32, "%lldms", ms);
	else if (ms % 1000)
		snprintf(out, 32, "%lld.%03llds", s, ms % 1000);
	else
		snprintf(out, 32, "%llds", s);
}

static void make_probe(struct probe *p)
{
	char text[HEALTH_OUTPUT_MAX + 128], limit[32];
	int64_t timeout_ns = p->what->timeout_ns;

	p->deadline_ns =
	    time_monotonic_ns() + (timeout_ns < TIMEOUT_MAX ? timeout_ns : TIMEOUT_MAX);
	p->skipped = !is_running(p);
	if (!p->skipped)
		run_test(p);
	/* Paused in the middle of it, or ended, it could not answer. */
	if (!p->skipped && (p->late || p->exit_code))
		p->skipped = !is_running(p);
	if (!p->late)
		return;
	show_duration(timeout_ns, limit);
	snprintf(text, sizeof(text), "Health check exceeded timeout (%s)%s%.*s", limit,
		 p->len ? ": " : "", (int)p->len, p->output);
	fail(p, text);
}

/* ---- settings, state, and what follows ---- */

static int read_json(int dir, const char *name, const struct json_desc *desc, void *object,
		     size_t limit)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r = io_read_file(dir, name, &text, limit, NULL);

	return r < 0 ? r : json_parse(desc, object, buf_str(&text), text.len, name, NULL);
}

static int load(struct probe *p)
{
	int dir = p->m->fds[MONITOR_FD_RUN];
	int r = read_json(dir, HEALTH_SETTINGS_FILE, &health_desc, &p->h, HEALTH_SETTINGS_MAX);

	if (r < 0)
		return r;
	/* There is none before the first answer. */
	if (read_json(dir, HEALTH_STATE_FILE, &health_state_desc, &p->st, HEALTH_STATE_MAX) < 0 ||
	    p->st.status < 0)
		p->st = (struct health_state){ 0 };
	p->what = health_next(&p->h, &p->st);
	return p->what->test && p->what->test[0] && p->what->test[1] ? 0 : -EINVAL;
}

static void store(const struct probe *p)
{
	cleanup_buf struct buf text = BUF_INIT;

	json_write(&health_state_desc, &p->st, JSON_NEWLINE, &text);
	io_replace_file(p->m->fds[MONITOR_FD_RUN], HEALTH_STATE_FILE, buf_str(&text), text.len,
			0600, false, NULL);
}

/* Nothing of the monitor's stays open here: neither lock nor anybody's output. */
static void become_alone(struct monitor *m, int out, pid_t monitor)
{
	const int keep_fds[] = { m->fds[MONITOR_FD_RUN], m->container.pidfd, out };

	prctl_parent_death_signal(SIGKILL, monitor);
	prctl_name("inro-probe");
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	fd_close_from(STDERR_FILENO + 1, keep_fds, ARRAY_SIZE(keep_fds));
	for (size_t i = 0; i < m->n_fds; i++)
		if (i != MONITOR_FD_RUN)
			m->fds[i] = -EBADF;
}

/* What there is to do is inro's to do. */
static void go_on(const struct probe *p, int action)
{
	const struct monitor_start *s = &p->m->start;
	const char *argv[] = { "inro",     "--root",
			       s->root,    "--runroot",
			       s->runroot, "__health",
			       "--action", health_action_names[action],
			       s->id,      health_status_names[p->st.status],
			       NULL };

	prctl(PR_SET_PDEATHSIG, 0);
	monitor_become_inro(p->m, argv);
}

static int64_t ran_ns(const struct probe *p)
{
	return time_monotonic_ns() - p->m->probing.started_ns;
}

static void take_answer(struct probe *p, int out)
{
	int64_t since_ns = ran_ns(p), start_ns = time_now_ns(), next_ms;
	struct probe_report report = { .result = MONITOR_PROBED_NOT };
	int action = HEALTH_ACTION_NONE, before = p->st.status;
	cleanup_free char *text = NULL;

	make_probe(p);
	text = xasprintf("%.*s%s", (int)p->len, p->output, p->cut ? "..." : "");
	const struct health_answer answer = { .exit_code = p->exit_code,
					      .start_ns = start_ns,
					      .end_ns = time_now_ns(),
					      .output = text };
	if (!p->skipped) {
		action = health_take(&p->h, &p->st, &answer, since_ns);
		store(p);
		report.result = p->exit_code ? MONITOR_PROBED_BAD : MONITOR_PROBED_WELL;
	}
	/* Whoever has asked for its end gives it the time that it takes, in which it may be ill. */
	if (p->m->no_restart)
		action = HEALTH_ACTION_NONE;
	next_ms = health_delay_ns(&p->h, &p->st, ran_ns(p)) / NS_PER_MS;
	if (!p->h.manual)
		report.next_ms = next_ms < 1           ? 1
				 : next_ms > INT32_MAX ? INT32_MAX
						       : (uint32_t)next_ms;
	/* Before the end: a probe that has said nothing by then is taken back. */
	io_write(out, &report, sizeof(report));
	if (action == HEALTH_ACTION_KILL)
		pidfd_kill(p->m->container.pidfd, SIGKILL);
	if (action > HEALTH_ACTION_KILL || p->st.status != before)
		go_on(p, action);
}

void probe_main(struct monitor *m, int out)
{
	static struct probe p;

	p.m = m;
	become_alone(m, out, getppid());
	if (load(&p) == 0)
		take_answer(&p, out);
	_exit(0);
}

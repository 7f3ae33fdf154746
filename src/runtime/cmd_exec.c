/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "oci/user.h"
#include "runtime/cancel.h"
#include "runtime/cgroup.h"
#include "runtime/cli.h"
#include "runtime/foreground.h"
#include "sys/pidfd.h"
#include "sys/prctl.h"

/* What a runtime that could not execute the process ends with, as runc. */
#define EXIT_NOT_EXECUTED 255
#define ENV_BYTES_MAX     (4u << 20)

struct exec_opts {
	char *process, *console_socket, *pidfd_socket, *cwd, *user, *apparmor, *label, *pid_file;
	char *detach_keys;
	char **env, **caps, **cgroups;
	struct json_u32s gids;
	struct opt_bool no_new_privs;
	int preserve_fds;
	bool tty, detach, ignore_paused, no_subreaper;
	/* Of `inro exec`, which has executed this program in its own place: messages and exit
	 * status are then those of inro, and variables do not stand where everybody can read them.
	 */
	bool engine;
	int env_fd;
	/* A file that is told how the process ends: with --detach, too, by a process that stays. */
	int record_fd;
};

static int parse_gids(void *field, const char *value, struct err *err)
{
	struct json_u32s *gids = field;
	cleanup_strv char **words = strv_split(value, ',');

	for (size_t i = 0; words[i]; i++) {
		uint32_t gid;

		if (user_parse_id(words[i], &gid) < 0)
			return err_fail(err, ERR_USAGE,
					"--additional-gids: expected a number, got \"%s\"",
					words[i]);
		gids->items = xrealloc(gids->items, (gids->n + 1) * sizeof(*gids->items));
		gids->items[gids->n++] = gid;
	}
	return 0;
}

/* "=false" is said as well: it overrides the container's own. */
static int parse_no_new_privs(void *field, const char *value, struct err *err)
{
	struct opt_bool *to = field;

	to->set = to->value = true;
	if (value[0] && str_parse_bool(value, &to->value) < 0)
		return err_fail(err, ERR_USAGE, "expected true or false");
	return 0;
}

static const struct opt opts[] = {
	{ .name = "process",
	  .short_name = 'p',
	  .kind = OPT_STR,
	  OPT_FIELD(struct exec_opts, process),
	  .arg = "FILE",
	  .help = "JSON file with the process to execute, as in config.json; COMMAND and the "
		  "options that change the process are ignored then" },
	{ .name = "tty",
	  .short_name = 't',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct exec_opts, tty),
	  .help = "Give the process a terminal" },
	{ .name = "console-socket",
	  .kind = OPT_STR,
	  OPT_FIELD(struct exec_opts, console_socket),
	  .arg = "PATH",
	  .help = "Unix socket that receives the terminal's master" },
	{ .name = "pidfd-socket",
	  .kind = OPT_STR,
	  OPT_FIELD(struct exec_opts, pidfd_socket),
	  .arg = "PATH",
	  .help = "Unix socket that receives a pidfd of the process" },
	{ .name = "cwd",
	  .kind = OPT_STR,
	  OPT_FIELD(struct exec_opts, cwd),
	  .arg = "DIR",
	  .help = "Working directory in the container" },
	{ .name = "env",
	  .short_name = 'e',
	  .kind = OPT_STRV,
	  OPT_FIELD(struct exec_opts, env),
	  .arg = "NAME=VALUE",
	  .help = "Set an environment variable" },
	{ .name = "user",
	  .short_name = 'u',
	  .kind = OPT_STR,
	  OPT_FIELD(struct exec_opts, user),
	  .arg = "USER[:GROUP]",
	  .help = "User and group, as ids or as names of the container's /etc/passwd and "
		  "/etc/group" },
	{ .name = "additional-gids",
	  .short_name = 'g',
	  .kind = OPT_FN,
	  OPT_FIELD(struct exec_opts, gids),
	  .arg = "GID",
	  .help = "Add a supplementary group",
	  .parse = parse_gids },
	{ .name = "cap",
	  .short_name = 'c',
	  .kind = OPT_STRV,
	  OPT_FIELD(struct exec_opts, caps),
	  .arg = "CAPABILITY",
	  .help = "Add a capability" },
	{ .name = "apparmor",
	  .kind = OPT_STR,
	  OPT_FIELD(struct exec_opts, apparmor),
	  .arg = "PROFILE",
	  .help = "AppArmor profile of the process" },
	{ .name = "process-label",
	  .kind = OPT_STR,
	  OPT_FIELD(struct exec_opts, label),
	  .arg = "LABEL",
	  .help = "SELinux label of the process" },
	{ .name = "no-new-privs",
	  .kind = OPT_FN,
	  OPT_FIELD(struct exec_opts, no_new_privs),
	  .arg = "true|false",
	  .help = "Let the process gain no privileges; without it as process.noNewPrivileges says",
	  .parse = parse_no_new_privs,
	  .flags = OPT_OPTIONAL_ARG },
	{ .name = "preserve-fds",
	  .kind = OPT_INT,
	  OPT_FIELD(struct exec_opts, preserve_fds),
	  .arg = "N",
	  .help = "Pass N file descriptors from 3 on to the process" },
	{ .name = "ignore-paused",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct exec_opts, ignore_paused),
	  .help = "Also in a paused container, in which the process waits to be resumed" },
	{ .name = "cgroup",
	  .kind = OPT_STRV,
	  OPT_FIELD(struct exec_opts, cgroups),
	  .arg = "[CONTROLLER,...:]PATH",
	  .help = "Run the process in a cgroup below the container's that is there already" },
	{ .name = "pid-file",
	  .kind = OPT_STR,
	  OPT_FIELD(struct exec_opts, pid_file),
	  .arg = "FILE",
	  .help = "Write the id of the process to this file" },
	{ .name = "detach",
	  .short_name = 'd',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct exec_opts, detach),
	  .help = "Return when the process runs" },
	{ .name = "no-subreaper",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct exec_opts, no_subreaper),
	  .help = "Accepted for runc's callers: exec never adopts processes" },
	{ .name = "engine",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct exec_opts, engine),
	  .help = "Speak as inro, in whose place this is executed",
	  .flags = OPT_HIDDEN },
	{ .name = "detach-keys",
	  .kind = OPT_STR,
	  OPT_FIELD(struct exec_opts, detach_keys),
	  .arg = "KEYS",
	  .help = "Keys that leave the process running",
	  .flags = OPT_HIDDEN },
	{ .name = "env-fd",
	  .kind = OPT_INT,
	  OPT_FIELD(struct exec_opts, env_fd),
	  .arg = "FD",
	  .help = "Read environment variables from there",
	  .flags = OPT_HIDDEN },
	{ .name = "record-fd",
	  .kind = OPT_INT,
	  OPT_FIELD(struct exec_opts, record_fd),
	  .arg = "FD",
	  .help = "Write there how the process ends",
	  .flags = OPT_HIDDEN },
};

static int open_null(struct container_stdio *ret, struct err *err)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "opening /dev/null");
	*ret = (struct container_stdio){ fd, fd, fd };
	return 0;
}

/* Variables, each with a null byte behind it. */
static int read_env(int fd, char ***env, struct err *err)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	const char *p, *end;
	int r;

	if (fd <= 0)
		return 0;
	r = io_read_all(fd, &text, ENV_BYTES_MAX);
	fd_close(fd);
	if (r < 0)
		return err_errno(err, -r, "reading the environment");
	end = buf_str(&text) + text.len;
	for (p = buf_str(&text); p < end; p += strlen(p) + 1)
		strv_add(env, p);
	return 0;
}

static char term[] = "TERM=xterm";
static char *const terminal_env[] = { term, NULL };

static void fill_args(const struct exec_opts *o, char **args, const struct buf *process,
		      struct exec_args *a)
{
	*a = (struct exec_args){
		.id = args[0],
		.process_text = o->process ? buf_str(process) : NULL,
		.process_len = process->len,
		.argv = args + 1,
		.cwd = o->cwd,
		.user = o->user,
		.additional_gids = &o->gids,
		.caps = o->caps,
		.apparmor = o->apparmor,
		.process_label = o->label,
		.no_new_privs = o->no_new_privs,
		.tty = o->tty,
		.cgroups = o->cgroups,
		.pid_file = o->pid_file,
		.pidfd_socket = o->pidfd_socket,
		.console_socket = o->console_socket,
		.stdio = { -EBADF, -EBADF, -EBADF },
		.ignore_paused = o->ignore_paused,
		.look_up_user = o->engine,
		.default_env = o->engine && o->tty ? terminal_env : NULL,
	};
}

/* ---- how it ends ---- */

static int end_status(struct container *c)
{
	siginfo_t info = { 0 };

	if (pidfd_wait(c->pidfd, &info) < 0)
		return EXIT_NOT_EXECUTED;
	return info.si_code == CLD_EXITED ? info.si_status & 0xff : 128 + info.si_status;
}

static void record_end(const struct exec_opts *o, int status)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%d %lld\n", status, (long long)time_now_ns());

	if (o->record_fd > 0)
		io_write(o->record_fd, text, (size_t)len);
}

/* With --detach somebody has to wait for the process: this one goes on in the background, once the
 * program runs. Returns 0 there; in the caller's process the exit status, plus one; or -errno. */
static int fork_waiter(const struct runtime *rt, int *ret_started, struct err *err)
{
	cleanup_fd int pidfd = -EBADF;
	pid_t pid, parent = getpid();
	struct container waiter;
	int fds[2];
	char byte;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(err, errno, "making a pipe");
	pid = cgroup_monitors_clone(rt->rootless, 0, &pidfd);
	if (pid == 0) {
		fd_close(fds[0]);
		*ret_started = fds[1];
		/* Whoever gives up waiting does not want the program either. */
		prctl_parent_death_signal(SIGTERM, parent);
		return 0;
	}
	fd_close(fds[1]);
	if (pid < 0) {
		fd_close(fds[0]);
		return err_errno(err, -pid, "making a process");
	}
	waiter = (struct container){ .pid = pid, .pidfd = pidfd };
	if (NO_EINTR(read(fds[0], &byte, 1)) == 1)
		return 1;
	return end_status(&waiter) + 1;
}

/* The caller's terminal, pipes, locks, directory and cgroup are no longer in use, and it does not
 * hold up the end of the machine. */
static int wait_behind(const struct exec_opts *o, struct container *c, int started,
		       const struct container_stdio *null)
{
	const int keep[] = { o->record_fd, c->pidfd, started };
	cleanup_fd int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, 0);
	prctl_name("inro-exec");
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	cgroup_monitors_join();
	if (root < 0 || fchdir(root) < 0)
		log_debug("leaving the working directory: %s", strerror(errno));
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		dup2(null->in, fd);
	if (fd_close_from(STDERR_FILENO + 1, keep, ARRAY_SIZE(keep)) < 0)
		log_debug("files of the caller stay open");
	io_write(started, "", 1);
	return end_status(c);
}

static void ended_alone(const void *data, int wait_status)
{
	record_end(data, proc_exit_code(wait_status));
}

/* The user has left it by the keys: somebody else records its end. */
static int leave(const struct runtime *rt, const struct foreground *f, struct exec_opts *o,
		 struct err *err)
{
	const struct keeper keeper = {
		.master = f->master,
		.pidfd = f->c.pidfd,
		.fd = o->record_fd > 0 ? o->record_fd : -EBADF,
		.ended = ended_alone,
		.data = o,
	};
	int r = terminal_keep(rt, &keeper, err);

	o->record_fd = 0;
	return r;
}

static int execute(const struct runtime *rt, struct exec_opts *o, int started, char **args,
		   struct err *err)
{
	CLEANUP(buf_done) struct buf process = BUF_INIT;
	struct container c = { .pidfd = -EBADF };
	struct foreground f;
	struct exec_args a;
	cleanup_strv char **env = NULL;
	cleanup_fd int master = -EBADF;
	int r = 0;

	if (!o->process && !args[1])
		return err_fail(err, ERR_USAGE, "exec args cannot be empty");
	if (o->process)
		r = io_read_file(AT_FDCWD, o->process, &process, SPEC_BYTES_MAX, err);
	else
		env = strv_copy(o->env);
	if (r >= 0)
		r = read_env(o->env_fd, &env, err);
	if (r < 0)
		return r;
	fill_args(o, args, &process, &a);
	a.preserve_fds = passed_fds(o->preserve_fds, &env, err);
	if (a.preserve_fds < 0)
		return a.preserve_fds;
	a.env = env;
	if (!o->detach)
		r = foreground_begin(&f, false, err);
	else if (o->engine)
		r = open_null(&a.stdio, err);
	if (r >= 0 && !o->detach && o->detach_keys)
		r = detach_keys_parse(o->detach_keys, &f.keys, err);
	if (!o->detach && !a.console_socket)
		a.console_fd_out = &f.master;
	else if (o->engine && o->tty)
		a.console_fd_out = &master;
	/* It may wait for long: for a container to be resumed. */
	if (r >= 0)
		r = a.cancel_fd = cancel_begin(err);
	if (r >= 0) {
		r = container_exec(rt, &a, &c, err);
		fd_close(a.cancel_fd);
	}
	if (o->detach) {
		if (r >= 0 && master >= 0)
			r = terminal_keep(
			    rt, &(struct keeper){ .master = master, .pidfd = -EBADF, .fd = -EBADF },
			    err);
		if (r >= 0 && started >= 0)
			r = wait_behind(o, &c, started, &a.stdio);
		fd_close(c.pidfd);
		return r;
	}
	if (r >= 0) {
		f.c = c;
		r = foreground_stay(&f);
	}
	if (r >= 0 && f.left)
		r = leave(rt, &f, o, err);
	foreground_done(&f);
	return r;
}

static int run_exec(const void *globals, void *opts_, char **args, struct err *err)
{
	struct exec_opts *o = opts_;
	cleanup_fd int started = -EBADF;
	int r = 0;

	if (o->record_fd > 0)
		fd_set_cloexec(o->record_fd, true);
	if (o->record_fd > 0 && o->detach)
		r = fork_waiter(globals_runtime(globals), &started, err);
	if (r == 0)
		r = execute(globals_runtime(globals), o, started, args, err);
	else if (r > 0) {
		free(o->gids.items);
		return r - 1;
	}
	free(o->gids.items);
	if (r < 0) {
		if (o->engine)
			log_setup("inro", STDERR_FILENO, LOG_PLAIN, LOG_INFO);
		cli_report(globals, err);
		r = o->engine ? err_exit_status(err) : EXIT_NOT_EXECUTED;
	}
	record_end(o, r);
	return r;
}

const struct cmd cmd_exec = {
	.name = "exec",
	.args = "[OPTIONS] ID COMMAND [ARG...]",
	.summary = "Execute a process in a container",
	.details =
	    "The process is like the container's own, as its config.json has it, with the changes "
	    "that options ask for.\n\nThe exit status is the process's, 128 and the number of the "
	    "signal that ended it, 0 with --detach, or 255 when it could not be executed.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct exec_opts),
	.min_args = 1,
	.max_args = -1,
	.run = run_exec,
	.flags = CMD_STOP_AT_ARG,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* pod start, stop, restart, kill, pause, unpause, rm. */
#include "engine/pod_verbs.h"

#include <limits.h>
#include <signal.h>

#include "cli/cli.h"
#include "cli/pod.h"
#include "engine/parse.h"

struct pod_verb_options {
	struct pod_select select;
	bool ignore, force;
	struct opt_i64 time;
	char *signal;
};
#define T struct pod_verb_options

#define OPT_IGNORE                                                                                 \
	{                                                                                          \
		.name = "ignore", .short_name = 'i', .kind = OPT_FLAG, OPT_FIELD(T, ignore),       \
		.help = "a pod that is not there is no error"                                      \
	}
#define OPT_TIME(text)                                                                             \
	{                                                                                          \
		.name = "time", .short_name = 't', .kind = OPT_I64, OPT_FIELD(T, time),            \
		.arg = "SECONDS", .help = text                                                     \
	}

static const struct opt some_opts[] = { POD_ALL(T), POD_LATEST(T) };
static const struct opt start_opts[] = { POD_ALL(T), POD_LATEST(T), POD_ID_FILE(T) };
static const struct opt stop_opts[] = {
	POD_ALL(T),
	OPT_IGNORE,
	POD_LATEST(T),
	POD_ID_FILE(T),
	OPT_TIME("how long to wait before what has not ended is killed, instead of each "
		 "container's own time (-1: for ever)"),
};
static const struct opt kill_opts[] = {
	POD_ALL(T),
	POD_LATEST(T),
	{ .name = "signal",
	  .short_name = 's',
	  .kind = OPT_STR,
	  OPT_FIELD(T, signal),
	  .arg = "SIGNAL",
	  .help = "name or number of the signal (default KILL)" },
};
static const struct opt rm_opts[] = {
	POD_ALL(T),
	{ .name = "force",
	  .short_name = 'f',
	  .kind = OPT_FLAG,
	  OPT_FIELD(T, force),
	  .help = "kill containers that run first; a pod that is not there is no error" },
	OPT_IGNORE,
	POD_LATEST(T),
	POD_ID_FILE(T),
	OPT_TIME("with --force, stop containers that run, and wait so long before they are killed "
		 "(-1: for ever)"),
};

static int parse_time(const T *o, struct stop_options *ret, struct err *err)
{
	*ret = (struct stop_options){ .timed = o->time.set };
	if (o->time.set && (o->time.value < STOP_FOREVER || o->time.value > INT_MAX))
		return err_fail(err, ERR_USAGE, "--time: expected seconds, or -1");
	ret->timeout_s = (int)o->time.value;
	return 0;
}

/* ---- start, restart, pause, unpause ---- */

static int do_start(struct engine *eng, const struct pod_view *v, const void *data, struct err *err)
{
	return pod_start(eng, v, err);
}
static int do_restart(struct engine *eng, const struct pod_view *v, const void *data,
		      struct err *err)
{
	return pod_restart(eng, v, err);
}
static int do_pause(struct engine *eng, const struct pod_view *v, const void *data, struct err *err)
{
	return pod_pause(eng, v, err);
}
static int do_unpause(struct engine *eng, const struct pod_view *v, const void *data,
		      struct err *err)
{
	return pod_unpause(eng, v, err);
}

#define RUN(verb)                                                                                  \
	static int run_##verb(const void *globals, void *options, char **args, struct err *err)    \
	{                                                                                          \
		const T *o = options;                                                              \
		const struct pod_verb how = { .fn = do_##verb };                                   \
                                                                                                   \
		return cli_pod_verb(globals, &o->select, &how, args, err);                         \
	}
RUN(start)
RUN(restart)
RUN(pause)
RUN(unpause)

/* ---- stop, kill, rm ---- */

static int run_stop(const void *globals, void *options, char **args, struct err *err)
{
	const T *o = options;
	struct pod_end_how how = { .kind = POD_END_STOP };
	const struct pod_verb verb = { .end = &how, .ignore = o->ignore };
	int r = parse_time(o, &how.stop, err);

	return r < 0 ? r : cli_pod_verb(globals, &o->select, &verb, args, err);
}

static int run_kill(const void *globals, void *options, char **args, struct err *err)
{
	const T *o = options;
	struct pod_end_how how = { .kind = POD_END_KILL, .signo = SIGKILL };
	const struct pod_verb verb = { .end = &how };
	int r = o->signal ? signal_parse(o->signal, &how.signo, err) : 0;

	return r < 0 ? r : cli_pod_verb(globals, &o->select, &verb, args, err);
}

/* podman's */
static int rm_status(const struct err *one)
{
	return one->kind == ERR_NOT_FOUND ? 1 : one->kind == ERR_CONFLICT ? 2 : 125;
}

static int run_rm(const void *globals, void *options, char **args, struct err *err)
{
	const T *o = options;
	struct pod_end_how how = { .kind = POD_END_REMOVE, .force = o->force };
	const struct pod_verb verb = { .end = &how,
				       .ignore = o->ignore || o->force,
				       .status = rm_status };
	int r = parse_time(o, &how.stop, err);

	if (r == 0 && o->time.set && !o->force)
		return err_fail(err, ERR_USAGE, "--time needs --force");
	return r < 0 ? r : cli_pod_verb(globals, &o->select, &verb, args, err);
}

#define CMD(verb, table, words, more)                                                              \
	const struct cmd cmd_pod_##verb = {                                                        \
		.name = #verb,                                                                     \
		.args = "[OPTIONS] POD [POD...]",                                                  \
		.summary = words,                                                                  \
		.details = more,                                                                   \
		.opts = table,                                                                     \
		.n_opts = ARRAY_SIZE(table),                                                       \
		.opts_size = sizeof(T),                                                            \
		.max_args = -1,                                                                    \
		.run = run_##verb,                                                                 \
	}

CMD(start, start_opts, "Start the containers of pods",
    "Those that run already stay as they are. The first that is started makes the namespaces "
    "that the pod shares, the others join them.");
CMD(stop, stop_opts, "Stop the containers of pods",
    "All of a pod have their time at once. What the pod shares goes with the last of them.");
CMD(restart, some_opts, "Stop the containers of pods and start all of them again", NULL);
CMD(kill, kill_opts, "Send a signal to the main processes of pods' containers", NULL);
CMD(pause, some_opts, "Stop all processes of pods until they are unpaused", NULL);
CMD(unpause, some_opts, "Let the processes of paused pods go on", NULL);
CMD(rm, rm_opts, "Remove pods with their containers",
    "Exit status: 0, all are removed; 1, one was not there; 2, a container runs or the pod is in "
    "use; 125, inro failed.");

/* SPDX-License-Identifier: Apache-2.0 */
/* pod logs, stats, top: what the commands of these names show, of all containers of pods. */
#include "base/str.h"
#include "base/strv.h"
#include "base/table.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "cli/pod.h"
#include "engine/top.h"
#include "runtime/pids.h"

struct watch_options {
	struct pod_select select;
	/* logs */
	char *container, *since, *until, *tail;
	bool follow, names, timestamps, color;
	/* stats */
	char *format;
	bool no_reset, no_stream, no_trunc;
};
#define T struct watch_options

/* Runs a command of containers with these words. */
static int forward(const struct cmd *cmd, const void *globals, char **words, struct err *err)
{
	cleanup_strv char **all = NULL;
	cleanup_free char **argv = NULL;
	void *options = xcalloc(1, cmd->opts_size);
	char **args;
	size_t n;
	int r;

	strv_add(&all, cmd->name);
	strv_extend(&all, words);
	/* It is sorted there: the strings stay ours. */
	n = strv_len(all);
	argv = xcalloc(n + 1, sizeof(*argv));
	for (size_t i = 0; i < n; i++)
		argv[i] = all[i];
	r = opt_parse(cmd->opts, cmd->n_opts, options, argv, cmd->flags, &args, err);
	if (r == 0)
		r = cmd->run(globals, options, args, err);
	opt_free(cmd->opts, cmd->n_opts, options);
	free(options);
	return r;
}

/* Ids of the members of all that are meant; those that run, or all. */
static int members(const void *globals, const T *o, char *const *args, bool running, char ***ret,
		   struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **words = NULL;
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = cli_pods(&eng, &o->select, args, &words, err);
	for (size_t i = 0; r == 0 && words && words[i]; i++) {
		cleanup_pod_views struct pod_views views = { 0 };

		r = pod_view(&eng, words[i], &views, err);
		for (size_t k = 0; r == 0 && k < views.items[0].n; k++)
			if (running ? views.items[0].members[k]->running
				    : views.items[0].members[k] != views.items[0].infra)
				strv_add(ret, views.items[0].members[k]->id);
	}
	return r;
}

/* ---- logs ---- */

static const struct opt logs_opts[] = {
	{ .name = "color",
	  .kind = OPT_FLAG,
	  OPT_FIELD(T, color),
	  .help = "accepted for podman's users: lines begin with the container's name or id" },
	{ .name = "container",
	  .short_name = 'c',
	  .kind = OPT_STR,
	  OPT_FIELD(T, container),
	  .arg = "CONTAINER",
	  .help = "of this container alone" },
	{ .name = "follow",
	  .short_name = 'f',
	  .kind = OPT_FLAG,
	  OPT_FIELD(T, follow),
	  .help = "go on with what is written, until the containers end" },
	POD_LATEST(T),
	{ .name = "names",
	  .short_name = 'n',
	  .kind = OPT_FLAG,
	  OPT_FIELD(T, names),
	  .help = "begin lines with the container's name instead of its id" },
	{ .name = "since",
	  .kind = OPT_STR,
	  OPT_FIELD(T, since),
	  .arg = "TIME",
	  .help = "leave out what is older than a time, or than a duration before now (10m)" },
	{ .name = "tail",
	  .kind = OPT_STR,
	  OPT_FIELD(T, tail),
	  .arg = "LINES",
	  .help = "begin with the last so many lines of each, or \"all\"" },
	{ .name = "timestamps",
	  .short_name = 't',
	  .kind = OPT_FLAG,
	  OPT_FIELD(T, timestamps),
	  .help = "begin lines with their time" },
	{ .name = "until",
	  .kind = OPT_STR,
	  OPT_FIELD(T, until),
	  .arg = "TIME",
	  .help = "leave out what is newer than a time, or than a duration before now" },
};

static int find_member(const void *globals, char *const *ids, const char *word, char ***ret,
		       struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_record struct record rec = { 0 };
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = record_find(&eng, word, &rec, err);
	if (r < 0)
		return r;
	if (!strv_has(ids, rec.id))
		return err_fail(err, ERR_NOT_FOUND, "container %s is not in the pod", word);
	strv_add(ret, rec.id);
	return 0;
}

static void add_value(char ***words, const char *option, const char *value)
{
	if (value)
		strv_addf(words, "--%s=%s", option, value);
}

static void add_flag(char ***words, const char *option, bool given)
{
	if (given)
		strv_addf(words, "--%s", option);
}

static int run_logs(const void *globals, void *options, char **args, struct err *err)
{
	const T *o = options;
	cleanup_strv char **words = NULL, **ids = NULL;
	int r = members(globals, o, args, false, &ids, err);

	add_flag(&words, "follow", o->follow);
	add_flag(&words, "names", o->names);
	add_flag(&words, "timestamps", o->timestamps);
	add_value(&words, "since", o->since);
	add_value(&words, "until", o->until);
	add_value(&words, "tail", o->tail);
	if (r == 0 && o->container)
		r = find_member(globals, ids, o->container, &words, err);
	else
		strv_extend(&words, ids);
	return r < 0 || !strv_len(ids) ? r : forward(&cmd_logs, globals, words, err);
}

const struct cmd cmd_pod_logs = {
	.name = "logs",
	.args = "[OPTIONS] POD",
	.summary = "Show what the containers of a pod have written",
	.opts = logs_opts,
	.n_opts = ARRAY_SIZE(logs_opts),
	.opts_size = sizeof(T),
	.max_args = 1,
	.run = run_logs,
};

/* ---- stats ---- */

static const struct opt stats_opts[] = {
	POD_ALL(T),
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(T, format),
	  .arg = "FORMAT",
	  .help = CLI_FORMAT_HELP },
	POD_LATEST(T),
	{ .name = "no-reset",
	  .kind = OPT_FLAG,
	  OPT_FIELD(T, no_reset),
	  .help = "do not clear the terminal between two looks" },
	{ .name = "no-stream",
	  .kind = OPT_FLAG,
	  OPT_FIELD(T, no_stream),
	  .help = "show it once, then end" },
	{ .name = "no-trunc",
	  .kind = OPT_FLAG,
	  OPT_FIELD(T, no_trunc),
	  .help = "do not shorten ids" },
};

static int run_stats(const void *globals, void *options, char **args, struct err *err)
{
	T *o = options;
	cleanup_strv char **words = NULL, **ids = NULL;
	int r;

	o->select.all |= !args[0] && !o->select.latest;
	r = members(globals, o, args, true, &ids, err);
	if (r < 0)
		return r;
	if (!strv_len(ids))
		return err_fail(err, ERR_NOT_FOUND, "no container of a pod runs");
	add_flag(&words, "no-reset", o->no_reset);
	add_flag(&words, "no-stream", o->no_stream);
	add_flag(&words, "no-trunc", o->no_trunc);
	add_value(&words, "format", o->format);
	strv_extend(&words, ids);
	return forward(&cmd_stats, globals, words, err);
}

const struct cmd cmd_pod_stats = {
	.name = "stats",
	.args = "[OPTIONS] [POD...]",
	.summary = "Show what the containers of pods use",
	.details = "Without names, of all pods: of the containers that run now, until it is "
		   "interrupted.",
	.opts = stats_opts,
	.n_opts = ARRAY_SIZE(stats_opts),
	.opts_size = sizeof(T),
	.max_args = -1,
	.run = run_stats,
};

/* ---- top ---- */

static const struct opt top_opts[] = { POD_LATEST(T) };

static int add_top(struct engine *eng, const char *id, char *const *ps_args, struct pids *seen,
		   struct table **table, struct err *err)
{
	cleanup_top struct top top = { 0 };
	struct err own = ERR_INIT;
	int r = engine_top(eng, id, ps_args, seen, &top, &own);

	/* It has ended meanwhile. */
	if (r < 0 && (own.kind == ERR_CONFLICT || own.kind == ERR_NOT_FOUND))
		return 0;
	if (r < 0) {
		*err = own;
		return r;
	}
	if (!*table)
		*table = table_new((const char *const *)top.titles, strv_len(top.titles));
	for (size_t i = 0; i < top.n_rows; i++)
		table_row(*table, (const char *const *)top.rows[i]);
	return 0;
}

static int run_top(const void *globals, void *options, char **args, struct err *err)
{
	const T *o = options;
	char *const pod[] = { o->select.latest ? NULL : args[0], NULL };
	char **ps_args = o->select.latest || !args[0] ? args : args + 1;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_strv char **ids = NULL;
	cleanup_pids struct pids seen = { 0 };
	struct table *table = NULL;
	int r = members(globals, o, pod, true, &ids, err);

	if (r == 0)
		r = cli_engine(globals, &eng, err);
	for (size_t i = 0; r == 0 && ids && ids[i]; i++)
		r = add_top(&eng, ids[i], ps_args, &seen, &table, err);
	if (table) {
		table_write(table, true, &out);
		table_free(table);
	}
	if (r == 0 && !out.len)
		r = err_fail(err, ERR_CONFLICT, "no container of the pod runs");
	return r < 0 ? r : cli_print(&out, err);
}

const struct cmd cmd_pod_top = {
	.name = "top",
	.args = "[OPTIONS] POD [PS-OPTION...]",
	.summary = "Show the processes of a pod's containers",
	.details = "With this machine's ps(1), as `inro top`.",
	.opts = top_opts,
	.n_opts = ARRAY_SIZE(top_opts),
	.opts_size = sizeof(T),
	.max_args = -1,
	.run = run_top,
	.flags = CMD_STOP_AT_ARG,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/top.h"

#include "base/table.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/select.h"

struct top_options {
	bool latest;
};

static const struct opt opts[] = {
	{ .name = "latest",
	  .short_name = 'l',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct top_options, latest),
	  .help = "of the newest container, which is then not named" },
};

static int print(const struct top *top, struct err *err)
{
	struct table *table = table_new((const char *const *)top->titles, strv_len(top->titles));
	cleanup_buf struct buf out = BUF_INIT;

	for (size_t i = 0; i < top->n_rows; i++)
		table_row(table, (const char *const *)top->rows[i]);
	table_write(table, true, &out);
	table_free(table);
	return cli_print(&out, err);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct top_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_free char *newest = NULL;
	cleanup_top struct top top = { 0 };
	int r;

	if (!o->latest && !args[0])
		return err_fail(err, ERR_USAGE, "top needs a container");
	r = cli_engine(globals, &eng, err);
	if (r == 0 && o->latest)
		r = cli_latest(&eng, &newest, err);
	if (r == 0)
		r = engine_top(&eng, newest ? newest : args[0], newest ? args : args + 1, NULL,
			       &top, err);
	return r < 0 ? r : print(&top, err);
}

const struct cmd cmd_top = {
	.name = "top",
	.args = "[OPTIONS] CONTAINER [COLUMN...|PS-OPTION...]",
	.summary = "Show the processes of a container",
	.details = "With this machine's ps(1), whose options (default: -ef) must show a column "
		   "PID; process ids are those of this machine then. Or with podman's words for "
		   "columns, of the container's view: args, capamb, capbnd, capeff, capinh, "
		   "capprm, comm, etime, group, groups, label, nice, pcpu, pgid, pid, ppid, "
		   "rgroup, rss, ruser, seccomp, state, stime, time, tty, user, vsz; of this "
		   "machine's: hgroup, hgroups, hpid, huser.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct top_options),
	.max_args = -1,
	.run = run,
	.flags = CMD_STOP_AT_ARG,
};

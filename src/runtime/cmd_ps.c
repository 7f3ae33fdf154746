/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "runtime/cli.h"
#include "runtime/pids.h"

struct ps_opts {
	char *format;
};

static void add_json(const struct pids *pids, struct buf *out)
{
	for (size_t i = 0; i < pids->n; i++)
		buf_addf(out, "%s%d", i ? "," : "[", pids->items[i]);
	buf_adds(out, pids->n ? "]\n" : "null\n");
}

static int run_ps(const void *globals, void *opts, char **args, struct err *err)
{
	const struct ps_opts *o = opts;
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	cleanup_pids struct pids pids = { 0 };
	int r = container_pids(globals_runtime(globals), args[0], &pids, err);

	if (r >= 0 && str_eq(o->format, "json"))
		add_json(&pids, &out);
	else if (r >= 0)
		r = container_ps(&pids, args + 1, &out, err);
	if (r < 0)
		return r;
	return cli_print(&out, "the list", err);
}

static const struct opt opts[] = {
	{ .name = "format",
	  .short_name = 'f',
	  .kind = OPT_STR,
	  OPT_FIELD(struct ps_opts, format),
	  .arg = "FORMAT",
	  .help = "How to print the processes",
	  .choices = cli_list_formats },
};

const struct cmd cmd_ps = {
	.name = "ps",
	.args = "[OPTIONS] ID [PS-OPTION...]",
	.summary = "Show the processes of a container",
	.details = "With the host's ps(1), whose options (default: -ef) must show a column PID; "
		   "json is a list of process ids.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct ps_opts),
	.min_args = 1,
	.max_args = -1,
	.run = run_ps,
	.flags = CMD_STOP_AT_ARG,
};

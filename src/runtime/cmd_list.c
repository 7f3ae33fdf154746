/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/table.h"
#include "runtime/cli.h"

struct list_opts {
	char *format;
	bool quiet;
};

static void add_row(struct table *t, const struct container_state *st)
{
	char pid[16];
	const char *cells[] = {
		st->id, pid, container_status_names[st->status], st->bundle, st->created, st->owner,
	};

	snprintf(pid, sizeof(pid), "%d", st->pid);
	table_row(t, cells);
}

static int run_list(const void *globals, void *opts, char **args, struct err *err)
{
	static const char *const headers[] = {
		"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"
	};
	const struct list_opts *o = opts;
	const struct runtime *rt = globals_runtime(globals);
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	cleanup_strv char **ids = NULL;
	bool json = str_eq(o->format, "json");
	struct table *t;
	int r;

	r = container_list(rt, &ids, err);
	if (r < 0)
		return r;
	t = table_new(headers, ARRAY_SIZE(headers));
	for (size_t i = 0; ids && ids[i]; i++) {
		CLEANUP(container_state_free) struct container_state st = { 0 };
		struct err skip = ERR_INIT;

		if (container_state_read(rt, ids[i], &st, &skip) < 0) {
			/* Deleted meanwhile, or not ours. */
			log_warn("%s", skip.msg);
			continue;
		}
		if (o->quiet) {
			buf_addf(&out, "%s\n", ids[i]);
		} else if (json) {
			buf_addc(&out, out.len ? ',' : '[');
			container_state_write_line(&st, &out);
		} else {
			add_row(t, &st);
		}
	}
	if (!o->quiet && json)
		buf_adds(&out, out.len ? "]\n" : "null\n");
	else if (!o->quiet)
		table_write(t, true, &out);
	table_free(t);
	return cli_print(&out, "the list", err);
}

static const struct opt opts[] = {
	{ .name = "format",
	  .short_name = 'f',
	  .kind = OPT_STR,
	  OPT_FIELD(struct list_opts, format),
	  .arg = "FORMAT",
	  .help = "How to print the list",
	  .choices = cli_list_formats },
	{ .name = "quiet",
	  .short_name = 'q',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct list_opts, quiet),
	  .help = "Print the ids only" },
};

const struct cmd cmd_list = {
	.name = "list",
	.args = "[OPTIONS]",
	.summary = "List containers",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct list_opts),
	.min_args = 0,
	.max_args = 0,
	.run = run_list,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "base/timeutil.h"
#include "cli/cli.h"
#include "engine/life.h"

struct ps_options {
	bool all, quiet, no_trunc;
	char *format;
};

static const struct opt opts[] = {
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, all),
	  .help = "show all containers, not only the running ones" },
	{ .name = "quiet",
	  .short_name = 'q',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, quiet),
	  .help = "show ids only" },
	{ .name = "no-trunc",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, no_trunc),
	  .help = "do not shorten ids and commands" },
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct ps_options, format),
	  .arg = "FORMAT",
	  .help = "table or json" },
};

static const struct cli_column columns[] = {
	{ "CONTAINER ID", "ID" },    { "IMAGE", "Image" },   { "COMMAND", "Command" },
	{ "CREATED", "RunningFor" }, { "STATUS", "Status" }, { "PORTS", "Ports" },
	{ "NAMES", "Names" },
};

static char *command_text(const struct record *rec, bool no_trunc)
{
	cleanup_free char *shown = str_escape(rec->command);
	size_t end = 19;

	if (no_trunc || strlen(shown) <= 20)
		return xasprintf("\"%s\"", shown);
	while (end && (shown[end] & 0xc0) == 0x80)
		end--; /* not in the middle of a character */
	return xasprintf("\"%.*s…\"", (int)end, shown);
}

static char *status_text(const struct record *rec)
{
	char text[TIME_HUMAN_MAX];
	cleanup_free char *ago = NULL;

	if (rec->running)
		return xasprintf("Up %s", time_human(time_now_ns() - rec->created_ns, text));
	ago = cli_ago(rec->finished_ns);
	return xasprintf("Exited (%d) %s", rec->exit_code, ago);
}

static void add_row(struct cli_list *list, const struct record *rec, bool no_trunc)
{
	cleanup_free char *id = xstrndup(rec->id, no_trunc ? strlen(rec->id) : 12);
	cleanup_free char *command = command_text(rec, no_trunc);
	cleanup_free char *created = cli_ago(rec->created_ns);
	cleanup_free char *status = status_text(rec);
	const char *cells[] = { id, rec->image_name, command, created, status, "", rec->name };

	cli_list_row(list, cells);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct ps_options *o = options;
	cleanup_record_list struct record_list records = { 0 };
	cleanup_buf struct buf ids = BUF_INIT;
	cleanup_engine struct engine eng = ENGINE_INIT;
	struct cli_list *list;
	size_t i;
	int r;

	r = cli_list_new(o->format, columns, ARRAY_SIZE(columns), &list, err);
	if (r < 0)
		return r;
	r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = life_list(&eng, &records, err);
	for (i = 0; r == 0 && i < records.n; i++) {
		const struct record *rec = &records.items[i];

		if (!rec->running && !o->all)
			continue;
		if (o->quiet)
			buf_addf(&ids, "%.*s\n", o->no_trunc ? 64 : 12, rec->id);
		else
			add_row(list, rec, o->no_trunc);
	}
	if (r == 0)
		r = o->quiet ? cli_print(&ids, err) : cli_list_print(list, err);
	cli_list_free(list);
	return r;
}

const struct cmd cmd_ps = {
	.name = "ps",
	.args = "[OPTIONS]",
	.summary = "List containers",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct ps_options),
	.run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "base/timeutil.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "engine/containers_query.h"

struct ps_options {
	bool all, quiet, no_trunc, noheading, latest;
	char **filters;
	char *format;
	int last;
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
	{ .name = "filter",
	  .short_name = 'f',
	  .kind = OPT_STRV,
	  OPT_FIELD(struct ps_options, filters),
	  .arg = "KEY=VALUE",
	  .help = "show only containers that meet the condition" },
	{ .name = "last",
	  .short_name = 'n',
	  .kind = OPT_INT,
	  OPT_FIELD(struct ps_options, last),
	  .arg = "NUMBER",
	  .help = "show so many, the newest, running or not" },
	{ .name = "latest",
	  .short_name = 'l',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, latest),
	  .help = "show the newest, running or not" },
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct ps_options, format),
	  .arg = "FORMAT",
	  .help = CLI_FORMAT_HELP },
	{ .name = "noheading",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, noheading),
	  .help = "leave the heading of the table out" },
};

struct row {
	const struct record *record;
	bool whole;
};
#define ROW(r) ((const struct row *)(r))
#define REC(r) (ROW(r)->record)

static char *row_id(const void *r)
{
	return xstrndup(REC(r)->id, ROW(r)->whole ? strlen(REC(r)->id) : 12);
}
static char *row_image(const void *r)
{
	return xstrdup(REC(r)->image_name);
}
static char *row_image_id(const void *r)
{
	return cli_short_id(REC(r)->image, ROW(r)->whole);
}
static char *row_command(const void *r)
{
	cleanup_free char *shown = str_escape(REC(r)->command);
	size_t end = 19;

	if (ROW(r)->whole || strlen(shown) <= 20)
		return xasprintf("\"%s\"", shown);
	while (end && (shown[end] & 0xc0) == 0x80)
		end--; /* not in the middle of a character */
	return xasprintf("\"%.*s…\"", (int)end, shown);
}
static char *row_created(const void *r)
{
	return cli_time(REC(r)->created_ns);
}
static char *row_since(const void *r)
{
	return cli_ago(REC(r)->created_ns);
}
static char *row_status(const void *r)
{
	char text[TIME_HUMAN_MAX];
	cleanup_free char *ago = NULL;

	if (REC(r)->running)
		return xasprintf("Up %s%s", time_human(time_now_ns() - REC(r)->created_ns, text),
				 REC(r)->paused ? " (Paused)" : "");
	ago = cli_ago(REC(r)->finished_ns);
	return xasprintf("Exited (%d) %s", REC(r)->exit_code, ago);
}
static char *row_state(const void *r)
{
	return xstrdup(record_state(REC(r)));
}
static char *row_names(const void *r)
{
	return xstrdup(REC(r)->name);
}
static char *row_nothing(const void *r)
{
	return xstrdup("");
}
static char *row_exit_code(const void *r)
{
	return xasprintf("%d", REC(r)->running ? 0 : REC(r)->exit_code);
}
static char *row_labels(const void *r)
{
	return cli_labels(&REC(r)->labels);
}
static char *row_label(const void *r)
{
	return cli_labels_json(&REC(r)->labels);
}

static const struct cli_field fields[] = {
	{ "Command", "COMMAND", row_command, 0 },
	{ "CreatedAt", "CREATED AT", row_created, 0 },
	{ "ID", "CONTAINER ID", row_id, 0 },
	{ "Image", "IMAGE", row_image, 0 },
	{ "Labels", "LABELS", row_labels, 0 },
	{ "Mounts", "MOUNTS", row_nothing, 0 },
	{ "Names", "NAMES", row_names, 0 },
	{ "Networks", "NETWORKS", row_nothing, 0 },
	{ "Ports", "PORTS", row_nothing, 0 },
	{ "RunningFor", "CREATED", row_since, 0 },
	{ "State", "STATE", row_state, 0 },
	{ "Status", "STATUS", row_status, 0 },
	{ "CreatedHuman", "CREATED", row_since, CLI_ALIAS },
	{ "ExitCode", "EXIT CODE", row_exit_code, CLI_ALIAS | CLI_VALUE },
	{ "Id", "CONTAINER ID", row_id, CLI_ALIAS },
	{ "ImageID", "IMAGE ID", row_image_id, CLI_ALIAS },
	{ "Label", NULL, row_label, CLI_ALIAS | CLI_VALUE },
};
static const struct cli_table table = { fields, ARRAY_SIZE(fields),
					"ID Image Command RunningFor Status Ports Names" };

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct ps_options *o = options;
	const struct containers_query query = { .filters = o->filters,
						.all = o->all,
						.last = o->latest ? 1 : o->last };
	cleanup_record_list struct record_list records = { 0 };
	cleanup_buf struct buf ids = BUF_INIT;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_cli_list struct cli_list *list = NULL;
	size_t i;
	int r;

	r = cli_list_new(&table, o->format, !o->noheading, &list, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = containers_query(&eng, &query, &records, err);
	for (i = 0; r == 0 && i < records.n; i++) {
		const struct record *rec = &records.items[i];

		if (o->quiet)
			buf_addf(&ids, "%.*s\n", o->no_trunc ? 64 : 12, rec->id);
		else
			r = cli_list_row(list, &(const struct row){ rec, o->no_trunc }, err);
	}
	if (r < 0)
		return r;
	return o->quiet ? cli_print(&ids, err) : cli_list_print(list, err);
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

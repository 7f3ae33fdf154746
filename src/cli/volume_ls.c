/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "engine/volumes_query.h"

struct ls_options {
	bool quiet, noheading;
	char **filters;
	char *format;
};

static const struct opt opts[] = {
	{ .name = "filter",
	  .short_name = 'f',
	  .kind = OPT_STRV,
	  OPT_FIELD(struct ls_options, filters),
	  .arg = "KEY=VALUE",
	  .help = "show only volumes that meet the condition: anonymous=, dangling=, driver=, "
		  "label=, name=, opt=, scope=, until=" },
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct ls_options, format),
	  .arg = "FORMAT",
	  .help = CLI_FORMAT_HELP },
	{ .name = "noheading",
	  .short_name = 'n',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ls_options, noheading),
	  .help = "leave the heading of the table out" },
	{ .name = "quiet",
	  .short_name = 'q',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ls_options, quiet),
	  .help = "show names only" },
	OPT_REFUSE("cluster", "there are no cluster volumes"),
};

struct row {
	struct engine *eng;
	const struct volume *volume;
};
#define VOL(r) (((const struct row *)(r))->volume)

static char *row_nothing(const void *r)
{
	return xstrdup("N/A");
}
static char *row_local(const void *r)
{
	return xstrdup("local");
}
static char *row_name(const void *r)
{
	return xstrdup(VOL(r)->name);
}
static char *row_labels(const void *r)
{
	return cli_labels(&VOL(r)->labels);
}
static char *row_label(const void *r)
{
	return cli_labels_json(&VOL(r)->labels);
}
static char *row_options(const void *r)
{
	return cli_labels(&VOL(r)->options);
}
static char *row_created(const void *r)
{
	return cli_time(VOL(r)->created_ns);
}
static char *row_mountpoint(const void *r)
{
	char *path = volume_path(((const struct row *)r)->eng, VOL(r));

	return path ? path : xstrdup("");
}

static const struct cli_field fields[] = {
	{ "Availability", "AVAILABILITY", row_nothing, 0 },
	{ "Driver", "DRIVER", row_local, 0 },
	{ "Group", "GROUP", row_nothing, 0 },
	{ "Labels", "LABELS", row_labels, 0 },
	{ "Links", "LINKS", row_nothing, 0 },
	{ "Mountpoint", "MOUNTPOINT", row_mountpoint, 0 },
	{ "Name", "VOLUME NAME", row_name, 0 },
	{ "Scope", "SCOPE", row_local, 0 },
	{ "Size", "SIZE", row_nothing, 0 },
	{ "Status", "STATUS", row_nothing, 0 },
	{ "CreatedAt", "CREATED AT", row_created, CLI_ALIAS },
	{ "Label", "LABEL", row_label, CLI_VALUE | CLI_ALIAS },
	{ "Options", "OPTIONS", row_options, CLI_ALIAS },
};
static const struct cli_table table = { fields, ARRAY_SIZE(fields), "Driver Name" };

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct ls_options *o = options;
	cleanup_volume_list struct volume_list volumes = { 0 };
	cleanup_cli_list struct cli_list *list = NULL;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf names = BUF_INIT;
	int r = cli_list_new(&table, o->format, !o->noheading, &list, err);

	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = volumes_query(&eng, o->filters, &volumes, err);
	for (size_t i = 0; r == 0 && i < volumes.n; i++) {
		const struct row row = { &eng, &volumes.items[i] };

		if (o->quiet)
			buf_addf(&names, "%s\n", row.volume->name);
		else
			r = cli_list_row(list, &row, err);
	}
	if (r < 0)
		return r;
	return o->quiet ? cli_print(&names, err) : cli_list_print(list, err);
}

const struct cmd cmd_volume_ls = {
	.name = "ls",
	.args = "[OPTIONS]",
	.summary = "List volumes",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct ls_options),
	.run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "engine/network_query.h"

struct ls_options {
	bool quiet, noheading, no_trunc;
	char **filters;
	char *format;
};

static const struct opt opts[] = {
	{ .name = "filter",
	  .short_name = 'f',
	  .kind = OPT_STRV,
	  OPT_FIELD(struct ls_options, filters),
	  .arg = "KEY=VALUE",
	  .help = "show only networks that meet the condition: dangling=, driver=, id=, label=, "
		  "name=, scope=, type=, until=" },
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct ls_options, format),
	  .arg = "FORMAT",
	  .help = CLI_FORMAT_HELP },
	{ .name = "no-trunc",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ls_options, no_trunc),
	  .help = "show whole ids" },
	{ .name = "noheading",
	  .short_name = 'n',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ls_options, noheading),
	  .help = "leave the heading of the table out" },
	{ .name = "quiet",
	  .short_name = 'q',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ls_options, quiet),
	  .help = "show ids only" },
};

struct row {
	const struct network *net;
	bool whole;
};
#define ROW(r) ((const struct row *)(r))
#define NET(r) (ROW(r)->net)

static char *text_bool(bool b)
{
	return xstrdup(b ? "true" : "false");
}
static char *row_id(const void *r)
{
	return xasprintf("%.*s", ROW(r)->whole ? 64 : 12, NET(r)->id);
}
static char *row_name(const void *r)
{
	return xstrdup(NET(r)->name);
}
static char *row_driver(const void *r)
{
	return xstrdup(network_driver_names[NET(r)->driver]);
}
static char *row_scope(const void *r)
{
	return xstrdup("local");
}
static char *row_ipv4(const void *r)
{
	return text_bool(NET(r)->ip4.subnet.base.family);
}
static char *row_ipv6(const void *r)
{
	return text_bool(NET(r)->ip6.subnet.base.family);
}
static char *row_internal(const void *r)
{
	return text_bool(NET(r)->options.internal);
}
static char *row_labels(const void *r)
{
	return cli_labels(&NET(r)->labels);
}
static char *row_label(const void *r)
{
	return cli_labels_json(&NET(r)->labels);
}
static char *row_created(const void *r)
{
	return cli_time(NET(r)->created_ns);
}
static char *row_subnets(const void *r)
{
	cleanup_free char *a = network_subnet_text(&NET(r)->ip4);
	cleanup_free char *b = network_subnet_text(&NET(r)->ip6);

	return xasprintf("%s%s%s", a ? a : "", a && b ? "," : "", b ? b : "");
}

static const struct cli_field fields[] = {
	{ "CreatedAt", "CREATED AT", row_created, 0 },
	{ "Driver", "DRIVER", row_driver, 0 },
	{ "ID", "NETWORK ID", row_id, 0 },
	{ "IPv4", "IPV4", row_ipv4, 0 },
	{ "IPv6", "IPV6", row_ipv6, 0 },
	{ "Internal", "INTERNAL", row_internal, 0 },
	{ "Labels", "LABELS", row_labels, 0 },
	{ "Name", "NAME", row_name, 0 },
	{ "Scope", "SCOPE", row_scope, 0 },
	{ "Label", "LABEL", row_label, CLI_VALUE | CLI_ALIAS },
	{ "Subnets", "SUBNETS", row_subnets, CLI_ALIAS },
};
static const struct cli_table table = { fields, ARRAY_SIZE(fields), "ID Name Driver Scope" };

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct ls_options *o = options;
	cleanup_network_list struct network_list networks = { 0 };
	cleanup_cli_list struct cli_list *list = NULL;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf ids = BUF_INIT;
	int r = cli_list_new(&table, o->format, !o->noheading, &list, err);

	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = networks_query(&eng, o->filters, &networks, err);
	for (size_t i = 0; r == 0 && i < networks.n; i++) {
		const struct row row = { &networks.items[i], o->no_trunc };
		cleanup_free char *id = row_id(&row);

		if (o->quiet)
			buf_addf(&ids, "%s\n", id);
		else
			r = cli_list_row(list, &row, err);
	}
	if (r < 0)
		return r;
	return o->quiet ? cli_print(&ids, err) : cli_list_print(list, err);
}

const struct cmd cmd_network_ls = {
	.name = "ls",
	.args = "[OPTIONS]",
	.summary = "List networks",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct ls_options),
	.run = run,
};

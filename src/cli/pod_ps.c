/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "engine/pod_inspect.h"

struct ps_options {
	bool quiet, noheading, no_trunc, latest, ctr_ids, ctr_names, ctr_status, namespaces;
	char **filters;
	char *format, *sort;
};

static const char *const sort_words[] = { "created", "id", "name", "number", "status", NULL };

static const struct opt opts[] = {
	{ .name = "ctr-ids",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, ctr_ids),
	  .help = "show ids of containers" },
	{ .name = "ctr-names",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, ctr_names),
	  .help = "show names of containers" },
	{ .name = "ctr-status",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, ctr_status),
	  .help = "show states of containers" },
	{ .name = "filter",
	  .short_name = 'f',
	  .kind = OPT_STRV,
	  OPT_FIELD(struct ps_options, filters),
	  .arg = "KEY=VALUE",
	  .help = "show only pods that meet the condition: ctr-ids=, ctr-names=, ctr-number=, "
		  "ctr-status=, id=, label=, name=, network=, status=, until=" },
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct ps_options, format),
	  .arg = "FORMAT",
	  .help = CLI_FORMAT_HELP },
	{ .name = "latest",
	  .short_name = 'l',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, latest),
	  .help = "the newest pod" },
	{ .name = "namespace",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, namespaces),
	  .help = "show what namespaces are shared" },
	{ .name = "ns",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, namespaces),
	  .help = "the same",
	  .flags = OPT_HIDDEN },
	{ .name = "no-trunc",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, no_trunc),
	  .help = "do not shorten ids" },
	{ .name = "noheading",
	  .short_name = 'n',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, noheading),
	  .help = "leave the heading of the table out" },
	{ .name = "quiet",
	  .short_name = 'q',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, quiet),
	  .help = "show ids only" },
	{ .name = "sort",
	  .kind = OPT_STR,
	  OPT_FIELD(struct ps_options, sort),
	  .arg = "WORD",
	  .help = "order of the list; by default the newest come first",
	  .choices = sort_words },
};

struct row {
	const struct engine *eng;
	const struct pod_view *view;
	bool whole;
};
#define VIEW(r)  (((const struct row *)(r))->view)
#define WHOLE(r) (((const struct row *)(r))->whole)

static char *row_id(const void *r)
{
	return xstrndup(VIEW(r)->pod.id, WHOLE(r) ? strlen(VIEW(r)->pod.id) : 12);
}
static char *row_name(const void *r)
{
	return xstrdup(VIEW(r)->pod.name);
}
static char *row_status(const void *r)
{
	return xstrdup(VIEW(r)->state);
}
static char *row_created(const void *r)
{
	return cli_ago(VIEW(r)->pod.created_ns);
}
static char *row_infra(const void *r)
{
	const char *id = VIEW(r)->infra ? VIEW(r)->infra->id : "";

	return xstrndup(id, WHOLE(r) ? strlen(id) : 12);
}
static char *row_number(const void *r)
{
	return xasprintf("%zu", VIEW(r)->n);
}
static char *row_cgroup(const void *r)
{
	return pod_cgroup_parent(((const struct row *)r)->eng, &VIEW(r)->pod);
}
static char *row_share(const void *r)
{
	return pod_share_words(&VIEW(r)->pod);
}
static char *row_networks(const void *r)
{
	return strv_join(VIEW(r)->networks, ",");
}
static char *row_labels(const void *r)
{
	return cli_labels_json(&VIEW(r)->pod.options.labels);
}
static char *row_ids(const void *r)
{
	cleanup_strv char **words = NULL;

	for (size_t i = 0; i < VIEW(r)->n; i++)
		strv_addf(&words, "%.*s", WHOLE(r) ? 64 : 12, VIEW(r)->members[i]->id);
	return strv_join(words, ",");
}
static char *row_names(const void *r)
{
	cleanup_strv char **words = NULL;

	for (size_t i = 0; i < VIEW(r)->n; i++)
		strv_add(&words, VIEW(r)->members[i]->name);
	return strv_join(words, ",");
}
static char *row_states(const void *r)
{
	cleanup_strv char **words = NULL;

	for (size_t i = 0; i < VIEW(r)->n; i++)
		strv_add(&words, record_state(VIEW(r)->members[i]));
	return strv_join(words, ",");
}

static const struct cli_field fields[] = {
	{ "Cgroup", "CGROUP", row_cgroup, 0 },
	{ "ContainerIds", "IDS", row_ids, 0 },
	{ "ContainerNames", "NAMES", row_names, 0 },
	{ "ContainerStatuses", "STATUS", row_states, 0 },
	{ "Created", "CREATED", row_created, 0 },
	{ "Id", "POD ID", row_id, 0 },
	{ "InfraId", "INFRA ID", row_infra, 0 },
	{ "Labels", "LABELS", row_labels, CLI_VALUE },
	{ "Name", "NAME", row_name, 0 },
	{ "Namespace", "NAMESPACES", row_share, 0 },
	{ "Networks", "NETWORKS", row_networks, 0 },
	{ "NumberOfContainers", "# OF CONTAINERS", row_number, CLI_VALUE },
	{ "Status", "STATUS", row_status, 0 },
	{ "ID", "POD ID", row_id, CLI_ALIAS },
	{ "InfraID", "INFRA ID", row_infra, CLI_ALIAS },
};

static int compare_created(const void *a, const void *b)
{
	int64_t x = VIEW(a)->pod.created_ns, y = VIEW(b)->pod.created_ns;

	return (x < y) - (x > y);
}
static int compare_id(const void *a, const void *b)
{
	return strcmp(VIEW(a)->pod.id, VIEW(b)->pod.id);
}
static int compare_name(const void *a, const void *b)
{
	return strcmp(VIEW(a)->pod.name, VIEW(b)->pod.name);
}
static int compare_number(const void *a, const void *b)
{
	return (VIEW(a)->n > VIEW(b)->n) - (VIEW(a)->n < VIEW(b)->n);
}
static int compare_status(const void *a, const void *b)
{
	return strcmp(VIEW(a)->state, VIEW(b)->state);
}

static void sort_rows(struct row *rows, size_t n, const char *word)
{
	static int (*const orders[])(const void *, const void *) = { compare_created, compare_id,
								     compare_name, compare_number,
								     compare_status };

	for (size_t i = 0; word && sort_words[i]; i++)
		if (str_eq(word, sort_words[i]))
			qsort(rows, n, sizeof(*rows), orders[i]);
}

static char *columns(const struct ps_options *o)
{
	cleanup_strv char **words = strv_split("Id Name Status Created InfraId", ' ');

	if (o->ctr_ids)
		strv_add(&words, "ContainerIds");
	if (o->ctr_names)
		strv_add(&words, "ContainerNames");
	if (o->ctr_status)
		strv_add(&words, "ContainerStatuses");
	if (!o->ctr_ids && !o->ctr_names && !o->ctr_status)
		strv_add(&words, "NumberOfContainers");
	if (o->namespaces) {
		strv_add(&words, "Cgroup");
		strv_add(&words, "Namespace");
	}
	return strv_join(words, " ");
}

static int print(const struct ps_options *o, struct row *rows, size_t n, struct cli_list *list,
		 struct err *err)
{
	cleanup_buf struct buf ids = BUF_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (o->quiet)
			buf_addf(&ids, "%.*s\n", o->no_trunc ? 64 : 12, rows[i].view->pod.id);
		else
			r = cli_list_row(list, &rows[i], err);
	}
	if (r < 0)
		return r;
	return o->quiet ? cli_print(&ids, err) : cli_list_print(list, err);
}

/* podman's: all of them in one array. */
static int print_json(const struct engine *eng, const struct row *rows, size_t n, struct err *err)
{
	cleanup_cli_objects struct cli_objects *objects = NULL;
	int r = cli_objects_new(NULL, &objects, err);

	for (size_t i = 0; r == 0 && i < n; i++) {
		cleanup_listed_pod struct listed_pod lp = { 0 };

		listed_pod_fill(eng, rows[i].view, &lp);
		r = cli_objects_add(objects, &listed_pod_desc, &lp, err);
	}
	return r < 0 ? r : cli_objects_print(objects, err);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct ps_options *o = options;
	cleanup_free char *names = columns(o);
	const struct cli_table table = { fields, ARRAY_SIZE(fields), names };
	cleanup_pod_views struct pod_views views = { 0 };
	cleanup_cli_list struct cli_list *list = NULL;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_free struct row *rows = NULL;
	size_t n;
	int r = cli_list_new(&table, o->format, !o->noheading, &list, err);

	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = pods_query(&eng, o->filters, &views, err);
	if (r < 0)
		return r;
	n = o->latest && views.n ? 1 : views.n;
	rows = xcalloc(n + 1, sizeof(*rows));
	for (size_t i = 0; i < n; i++)
		rows[i] = (struct row){ &eng, &views.items[i], o->no_trunc };
	sort_rows(rows, n, o->sort);
	if (str_eq(o->format, "json") && !o->quiet)
		return print_json(&eng, rows, n, err);
	return print(o, rows, n, list, err);
}

const struct cmd cmd_pod_ps = {
	.name = "ps",
	.args = "[OPTIONS]",
	.summary = "List pods",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct ps_options),
	.run = run,
};

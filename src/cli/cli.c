/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>

#include "base/io.h"
#include "base/str.h"
#include "base/table.h"
#include "base/timeutil.h"
#include "base/json.h"

int cli_engine(const void *globals, struct engine *ret, struct err *err)
{
	const struct globals *g = globals;
	int r = engine_init(ret, g->root, g->runroot, err);

	ret->debug = g->debug;
	ret->config_file = g->config ? xstrdup(g->config) : NULL;
	return r;
}

int cli_print(const struct buf *out, struct err *err)
{
	int r = io_write(STDOUT_FILENO, buf_str(out), out->len);

	return r < 0 ? err_errno(err, -r, "writing to standard output") : 0;
}

void cli_report(const struct err *err)
{
	fprintf(stderr, "inro: %s\n", err->msg);
	if (err->hint[0])
		fprintf(stderr, "hint: %s\n", err->hint);
}

int cli_each(const void *globals, char **words, bool force,
	     int (*fn)(struct engine *eng, const char *word, bool force, struct err *err),
	     struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	int status = 0;
	int r;

	r = cli_engine(globals, &eng, err);
	if (r < 0)
		return r;
	for (; *words; words++) {
		struct err one = ERR_INIT;

		if (fn(&eng, *words, force, &one) == 0)
			continue;
		cli_report(&one);
		if (!force || one.kind != ERR_NOT_FOUND)
			status = 1;
	}
	return status;
}

struct cli_list {
	const struct cli_column *columns;
	size_t n;
	struct table *table; /* NULL: json */
	struct buf json;
};

int cli_list_new(const char *format, const struct cli_column *columns, size_t n,
		 struct cli_list **ret, struct err *err)
{
	bool json = str_eq(format, "json");
	struct cli_list *list;
	const char **headers;
	size_t i;

	if (format && !json && !str_eq(format, "table"))
		return err_fail(
		    err, ERR_UNSUPPORTED,
		    "--format \"%s\": templates are not implemented yet, only table and json",
		    format);
	list = xcalloc(1, sizeof(*list));
	list->columns = columns;
	list->n = n;
	if (!json) {
		headers = xcalloc(n, sizeof(*headers));
		for (i = 0; i < n; i++)
			headers[i] = columns[i].header;
		list->table = table_new(headers, n);
		free(headers);
	}
	*ret = list;
	return 0;
}

void cli_list_row(struct cli_list *list, const char *const *cells)
{
	size_t i;

	if (list->table) {
		table_row(list->table, cells);
		return;
	}
	for (i = 0; i < list->n; i++) {
		buf_addc(&list->json, i ? ',' : '{');
		json_write_string(&list->json, list->columns[i].member);
		buf_addc(&list->json, ':');
		json_write_string(&list->json, cells[i]);
	}
	buf_adds(&list->json, "}\n");
}

int cli_list_print(struct cli_list *list, struct err *err)
{
	if (list->table)
		table_write(list->table, true, &list->json);
	return cli_print(&list->json, err);
}

void cli_list_free(struct cli_list *list)
{
	if (!list)
		return;
	table_free(list->table);
	buf_done(&list->json);
	free(list);
}

char *cli_ago(int64_t realtime_ns)
{
	char text[TIME_HUMAN_MAX];
	int64_t age = time_now_ns() - realtime_ns;

	if (realtime_ns <= 0)
		return xstrdup("N/A");
	return xasprintf("%s ago", time_human(age > 0 ? age : 0, text));
}

char *cli_size(uint64_t bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double v = (double)bytes;
	size_t i = 0;

	while (v >= 1000 && i + 1 < ARRAY_SIZE(units)) {
		v /= 1000;
		i++;
	}
	return xasprintf("%.3g%s", v, units[i]);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/format.h"

#include <unistd.h>

#include "base/str.h"
#include "base/strv.h"
#include "base/table.h"
#include "base/template.h"
#include "base/timeutil.h"
#include "cli/cli.h"

enum format_kind { FORMAT_COLUMNS, FORMAT_TABLE, FORMAT_JSON, FORMAT_ROWS, FORMAT_ALL };

struct cli_list {
	const struct cli_table *table;
	enum format_kind kind;
	bool heading;
	const struct cli_field **columns; /* FORMAT_COLUMNS */
	size_t n_columns;
	struct template *template;
	const char *text;  /* of the template */
	struct table *out; /* FORMAT_COLUMNS, FORMAT_TABLE */
	struct buf json;   /* of the row, or of all */
	struct buf lines;
};

static const struct cli_field *find_field(const struct cli_table *table, const char *name)
{
	for (size_t i = 0; i < table->n; i++)
		if (str_eq(table->fields[i].name, name))
			return &table->fields[i];
	return NULL;
}

static void choose_columns(struct cli_list *list)
{
	cleanup_strv char **names = strv_split(list->table->columns, ' ');
	cleanup_free const char **headers = NULL;
	size_t n = strv_len(names);

	list->columns = xcalloc(n, sizeof(const void *));
	headers = xcalloc(n, sizeof(*headers));
	for (size_t i = 0; i < n; i++) {
		list->columns[i] = find_field(list->table, names[i]);
		headers[i] = list->columns[i]->header;
	}
	list->n_columns = n;
	list->out = table_new(headers, n);
}

static enum format_kind kind_of(const char *format, const char **ret_template)
{
	const char *columns;

	*ret_template = NULL;
	if (!format || !format[0] || str_eq(format, "table"))
		return FORMAT_COLUMNS;
	/* of a row there are more fields than docker's */
	if (str_eq(format, "json") || str_eq(format, "{{json .}}") ||
	    str_eq(format, "{{ json . }}"))
		return FORMAT_JSON;
	columns = str_after(format, "table ");
	*ret_template = columns ? columns : format;
	if (columns)
		return FORMAT_TABLE;
	return str_starts(format, "{{range .}}") || str_starts(format, "{{ range . }}")
		   ? FORMAT_ALL
		   : FORMAT_ROWS;
}

int cli_list_new(const struct cli_table *table, const char *format, bool heading,
		 struct cli_list **ret, struct err *err)
{
	cleanup_cli_list struct cli_list *list = xcalloc(1, sizeof(*list));
	int r = 0;

	list->table = table;
	list->heading = heading;
	list->kind = kind_of(format, &list->text);
	if (list->kind == FORMAT_COLUMNS)
		choose_columns(list);
	if (list->kind == FORMAT_ALL)
		buf_addc(&list->json, '[');
	if (list->text)
		r = template_parse(list->text, TEMPLATE_ESCAPES, &list->template, err);
	if (r < 0)
		return err_wrap(err, r, "--format");
	*ret = take_ptr(list);
	return 0;
}

/* A member of the row's object; header: its column's instead of a row's text. */
static void add_member(struct cli_list *list, const struct cli_field *f, const void *row,
		       bool first)
{
	cleanup_free char *text = NULL;

	buf_adds(&list->json, first ? "" : ",");
	json_write_string(&list->json, f->name);
	buf_addc(&list->json, ':');
	if (!row) {
		json_write_string(&list->json, f->header ? f->header : f->name);
		return;
	}
	text = f->text(row);
	if (f->flags & CLI_VALUE)
		buf_adds(&list->json, text);
	else
		json_write_string(&list->json, text);
}

/* row NULL: the headers. */
static void add_object(struct cli_list *list, const void *row)
{
	bool first = true;

	buf_addc(&list->json, '{');
	for (size_t i = 0; i < list->table->n; i++) {
		const struct cli_field *f = &list->table->fields[i];

		if (list->kind == FORMAT_JSON
			? f->flags != 0
			: (f->flags & CLI_COSTLY) && !strstr(list->text, f->name))
			continue;
		add_member(list, f, row, first);
		first = false;
	}
	buf_addc(&list->json, '}');
}

static int execute(struct cli_list *list, struct buf *out, struct err *err)
{
	const struct template_data data = { .json = buf_str(&list->json),
					    .len = list->json.len,
					    .fields = true,
					    .mask = isatty(STDOUT_FILENO) };

	int r = template_execute(list->template, &data, out, err);

	return r < 0 ? err_wrap(err, r, "--format") : 0;
}

/* A row of "table TEMPLATE": tabs are between its cells. The first one says how many there are. */
static int add_table_row(struct cli_list *list, const void *row, struct err *err)
{
	cleanup_strv char **cells = NULL;
	cleanup_buf struct buf line = BUF_INIT;
	size_t n;
	int r;

	buf_reset(&list->json);
	add_object(list, row);
	r = execute(list, &line, err);
	if (r < 0)
		return r;
	cells = strv_split(buf_str(&line), '\t');
	if (!list->out) {
		list->n_columns = strv_len(cells);
		list->out = table_new((const char *const *)cells, list->n_columns);
		return 0;
	}
	for (n = strv_len(cells); n < list->n_columns; n++)
		strv_add(&cells, "");
	table_row(list->out, (const char *const *)cells);
	return 0;
}

static void add_columns(struct cli_list *list, const void *row)
{
	cleanup_free char **cells = xcalloc(list->n_columns + 1, sizeof(*cells));

	for (size_t i = 0; i < list->n_columns; i++)
		cells[i] = list->columns[i]->text(row);
	table_row(list->out, (const char *const *)cells);
	for (size_t i = 0; i < list->n_columns; i++)
		free(cells[i]);
}

int cli_list_row(struct cli_list *list, const void *row, struct err *err)
{
	int r = 0;

	switch (list->kind) {
	case FORMAT_COLUMNS:
		add_columns(list, row);
		return 0;
	case FORMAT_TABLE:
		if (!list->out)
			r = add_table_row(list, NULL, err);
		return r < 0 ? r : add_table_row(list, row, err);
	case FORMAT_ALL:
		if (list->json.len > 1)
			buf_addc(&list->json, ',');
		add_object(list, row);
		return 0;
	case FORMAT_JSON:
		add_object(list, row);
		buf_addc(&list->json, '\n');
		return 0;
	default:
		buf_reset(&list->json);
		add_object(list, row);
		r = execute(list, &list->lines, err);
		buf_addc(&list->lines, '\n');
		return r;
	}
}

int cli_list_write(struct cli_list *list, struct buf *out, struct err *err)
{
	int r = 0;

	if (list->kind == FORMAT_TABLE && !list->out)
		r = add_table_row(list, NULL, err);
	if (r < 0)
		return r;
	if (list->out)
		table_write(list->out, list->heading, out);
	if (list->kind == FORMAT_ALL) {
		buf_addc(&list->json, ']');
		r = execute(list, out, err);
		if (out->len && out->data[out->len - 1] != '\n')
			buf_addc(out, '\n');
	}
	if (list->kind == FORMAT_JSON)
		buf_add(out, list->json.data, list->json.len);
	buf_add(out, list->lines.data, list->lines.len);
	return r;
}

int cli_list_print(struct cli_list *list, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;
	int r = cli_list_write(list, &out, err);

	return r < 0 ? r : cli_print(&out, err);
}

void cli_list_free(struct cli_list *list)
{
	if (!list)
		return;
	free(list->columns);
	template_free(list->template);
	table_free(list->out);
	buf_done(&list->json);
	buf_done(&list->lines);
	free(list);
}

/* ---- objects ---- */

struct cli_objects {
	struct template *template; /* NULL: JSON */
	bool pretty;
	struct buf out;
	size_t n;
};

int cli_objects_new(const char *format, struct cli_objects **ret, struct err *err)
{
	cleanup_cli_objects struct cli_objects *o = xcalloc(1, sizeof(*o));
	int r = 0;

	o->pretty = !format || !format[0];
	if (!o->pretty && !str_eq(format, "json"))
		r = template_parse(format, 0, &o->template, err);
	if (r < 0)
		return err_wrap(err, r, "--format");
	*ret = take_ptr(o);
	return 0;
}

int cli_objects_add(struct cli_objects *o, const struct json_desc *desc, const void *object,
		    struct err *err)
{
	cleanup_buf struct buf json = BUF_INIT;
	struct template_data data = { .desc = desc, .mask = isatty(STDOUT_FILENO) };
	int r = 0;

	json_write(desc, object, o->pretty ? JSON_PRETTY : 0, &json);
	if (!o->template) {
		buf_adds(&o->out, o->n++ ? "," : "");
		buf_adds(&o->out, o->pretty ? "\n" : "");
		buf_add(&o->out, json.data, json.len);
		return 0;
	}
	data.json = buf_str(&json);
	data.len = json.len;
	r = template_execute(o->template, &data, &o->out, err);
	buf_addc(&o->out, '\n');
	return r < 0 ? err_wrap(err, r, "--format") : 0;
}

int cli_objects_print(struct cli_objects *o, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;

	buf_adds(&out, o->template ? "" : "[");
	buf_add(&out, o->out.data, o->out.len);
	if (!o->template)
		buf_adds(&out, o->pretty && o->n ? "\n]\n" : "]\n");
	return cli_print(&out, err);
}

int cli_objects_of(struct cli_objects *objects, struct engine *eng, char *const *words,
		   int (*add)(struct engine *eng, const char *word, const void *data,
			      struct cli_objects *objects, struct err *err),
		   const void *data, int failed, struct err *err)
{
	int status = 0, r;

	for (; words && *words; words++) {
		struct err one = ERR_INIT;

		if (add(eng, *words, data, objects, &one) >= 0)
			continue;
		cli_report(&one);
		status = failed;
	}
	r = cli_objects_print(objects, err);
	return r < 0 ? r : status;
}

void cli_objects_free(struct cli_objects *o)
{
	if (!o)
		return;
	template_free(o->template);
	buf_done(&o->out);
	free(o);
}

int cli_format_object(const char *format, const struct json_desc *desc, const void *object,
		      struct buf *out, struct err *err)
{
	cleanup_cli_objects struct cli_objects *o = NULL;
	int r = cli_objects_new(format, &o, err);

	if (r == 0)
		r = cli_objects_add(o, desc, object, err);
	if (r == 0)
		buf_add(out, o->out.data, o->out.len);
	if (r == 0 && !o->template)
		buf_addc(out, '\n');
	return r;
}

/* ---- words ---- */

char *cli_short_id(const char *id, bool whole)
{
	const char *hex = str_after(id, "sha256:");

	if (whole || !hex)
		return xstrdup(id);
	return xstrndup(hex, 12);
}

char *cli_ago(int64_t realtime_ns)
{
	char text[TIME_HUMAN_MAX];
	int64_t age = time_now_ns() - realtime_ns;

	if (realtime_ns <= 0)
		return xstrdup("N/A");
	return xasprintf("%s ago", time_human(age > 0 ? age : 0, text));
}

char *cli_time(int64_t realtime_ns)
{
	char text[TIME_RFC3339_MAX];

	time_rfc3339(realtime_ns, text);
	return xasprintf("%.10s %.8s +0000 UTC", text, text + strlen("2026-01-02T"));
}

static char *size_text(uint64_t bytes, int digits)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double v = (double)bytes;
	size_t i = 0;

	while (v >= 1000 && i + 1 < ARRAY_SIZE(units)) {
		v /= 1000;
		i++;
	}
	return xasprintf("%.*g%s", digits, v, units[i]);
}

char *cli_size(uint64_t bytes)
{
	return size_text(bytes, 3);
}

char *cli_size_room(uint64_t bytes)
{
	return size_text(bytes, 4);
}

char *cli_labels(const struct json_map *labels)
{
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < labels->n; i++)
		buf_addf(&out, "%s%s=%s", i ? "," : "", labels->items[i].key,
			 labels->items[i].value);
	return buf_take(&out);
}

char *cli_labels_json(const struct json_map *labels)
{
	struct buf out = BUF_INIT;

	buf_addc(&out, '{');
	for (size_t i = 0; i < labels->n; i++) {
		buf_adds(&out, i ? "," : "");
		json_write_string(&out, labels->items[i].key);
		buf_addc(&out, ':');
		json_write_string(&out, labels->items[i].value);
	}
	buf_addc(&out, '}');
	return buf_take(&out);
}

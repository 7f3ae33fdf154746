/* SPDX-License-Identifier: Apache-2.0 */
/* secret create, exists, inspect, ls, rm. */
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "cli/inspect.h"
#include "engine/filter.h"
#include "engine/secrets.h"

/* ---- create ---- */

struct create_cmd {
	char *driver;
	char **label;
	bool env, replace;
};

static const char *const drivers[] = { "file", NULL };

static const struct opt create_opts[] = {
	{ .name = "driver",
	  .short_name = 'd',
	  .kind = OPT_STR,
	  OPT_FIELD(struct create_cmd, driver),
	  .arg = "DRIVER",
	  .help = "where it is kept: there is file alone, the database",
	  .choices = drivers },
	OPT_REFUSE("driver-opts", "there is the driver file alone, which has none"),
	{ .name = "env",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct create_cmd, env),
	  .help = "take the value of the environment variable that FILE names" },
	{ .name = "label",
	  .short_name = 'l',
	  .kind = OPT_STRV,
	  OPT_FIELD(struct create_cmd, label),
	  .arg = "KEY=VALUE",
	  .help = "set a label" },
	{ .name = "replace",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct create_cmd, replace),
	  .help = "take the place of the secret that has the name" },
	OPT_REFUSE("ignore", "`inro secret exists` tells whether there is one"),
	OPT_REFUSE("template-driver", "a secret is given as it is"),
};

static int read_data(const char *word, bool env, struct buf *out, struct err *err)
{
	const char *value;
	int r;

	if (env) {
		value = getenv(word);
		if (!value)
			return err_fail(err, ERR_INVALID,
					"cannot create secret: environment variable %s is not set",
					word);
		buf_adds(out, value);
		return 0;
	}
	if (!str_eq(word, "-"))
		return io_read_file(AT_FDCWD, word, out, SECRET_BYTES_MAX, err);
	r = io_read_all(STDIN_FILENO, out, SECRET_BYTES_MAX);
	return r < 0 ? err_errno(err, -r, "reading the secret") : 0;
}

static int run_create(const void *globals, void *options, char **args, struct err *err)
{
	const struct create_cmd *o = options;
	cleanup_secret struct secret s = { .name = xstrdup(args[0]) };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf data = BUF_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && o->label && o->label[i]; i++)
		r = label_parse(o->label[i], "label", &s.labels, err);
	if (r == 0)
		r = read_data(args[1], o->env, &data, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = secret_create(&eng, &s, &data, o->replace, err);
	explicit_bzero(data.data, data.len);
	if (r == 0)
		printf("%s\n", s.id);
	return r;
}

const struct cmd cmd_secret_create = {
	.name = "create",
	.args = "[OPTIONS] NAME FILE|-",
	.summary = "Keep a secret: the content of a file, or of standard input",
	.details = "Containers get it with `inro run --secret NAME`. Prints the secret's id.",
	.opts = create_opts,
	.n_opts = ARRAY_SIZE(create_opts),
	.opts_size = sizeof(struct create_cmd),
	.min_args = 2,
	.max_args = 2,
	.run = run_create,
};

/* ---- ls ---- */

struct ls_cmd {
	char *format;
	char **filters;
	bool noheading, quiet;
};

static const struct opt ls_opts[] = {
	{ .name = "filter",
	  .short_name = 'f',
	  .kind = OPT_STRV,
	  OPT_FIELD(struct ls_cmd, filters),
	  .arg = "KEY=VALUE",
	  .help =
	      "show only secrets that meet the condition: id=, by its beginning, label=, name=, by "
	      "a part of it" },
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct ls_cmd, format),
	  .arg = "FORMAT",
	  .help = CLI_FORMAT_HELP },
	{ .name = "noheading",
	  .short_name = 'n',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ls_cmd, noheading),
	  .help = "leave the heading of the table out" },
	{ .name = "quiet",
	  .short_name = 'q',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ls_cmd, quiet),
	  .help = "show ids only" },
};

#define ROW(r) ((const struct secret *)(r))

static char *row_id(const void *r)
{
	return xstrdup(ROW(r)->id);
}
static char *row_name(const void *r)
{
	return xstrdup(ROW(r)->name);
}
static char *row_driver(const void *r)
{
	return xstrdup("file");
}
static char *row_created(const void *r)
{
	return cli_ago(ROW(r)->created_ns);
}
static char *row_updated(const void *r)
{
	return cli_ago(ROW(r)->updated_ns);
}
static char *row_labels(const void *r)
{
	return cli_labels(&ROW(r)->labels);
}

static const struct cli_field fields[] = {
	{ "CreatedAt", "CREATED", row_created, 0 },
	{ "Driver", "DRIVER", row_driver, 0 },
	{ "ID", "ID", row_id, 0 },
	{ "Labels", "LABELS", row_labels, 0 },
	{ "Name", "NAME", row_name, 0 },
	{ "UpdatedAt", "UPDATED", row_updated, 0 },
};
static const struct cli_table table = { fields, ARRAY_SIZE(fields),
					"ID Name Driver CreatedAt UpdatedAt" };

static bool has_name(const char *value, const void *data)
{
	return strstr(ROW(data)->name, value) != NULL;
}

static bool has_id(const char *value, const void *data)
{
	return str_starts(ROW(data)->id, value);
}

static bool meets(const struct filters *filters, const struct secret *s)
{
	return filters_any(filters, "name", has_name, s) && filters_any(filters, "id", has_id, s) &&
	       filters_labels(filters, &s->labels);
}

static int run_ls(const void *globals, void *options, char **args, struct err *err)
{
	const struct ls_cmd *o = options;
	cleanup_secret_list struct secret_list rows = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_cli_list struct cli_list *list = NULL;
	static const char *const keys[] = { "id", "label", "name", NULL };
	cleanup_filters struct filters filters = { 0 };
	cleanup_buf struct buf ids = BUF_INIT;

	int r = filters_parse(o->filters, keys, &filters, err);
	if (r == 0)
		r = cli_list_new(&table, o->format, !o->noheading, &list, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = secret_list(&eng, &rows, err);
	for (size_t i = 0; r == 0 && i < rows.n; i++) {
		if (!meets(&filters, &rows.items[i]))
			continue;
		buf_addf(&ids, "%s\n", rows.items[i].id);
		r = cli_list_row(list, &rows.items[i], err);
	}
	if (r < 0)
		return r;
	return o->quiet ? cli_print(&ids, err) : cli_list_print(list, err);
}

const struct cmd cmd_secret_ls = {
	.name = "ls",
	.args = "[OPTIONS]",
	.summary = "List secrets",
	.opts = ls_opts,
	.n_opts = ARRAY_SIZE(ls_opts),
	.opts_size = sizeof(struct ls_cmd),
	.run = run_ls,
};

/* ---- inspect ---- */

struct inspect_cmd {
	char *format;
	bool pretty;
	bool showsecret;
};

static const struct opt inspect_opts[] = {
	{ .name = "format",
	  .short_name = 'f',
	  .kind = OPT_STR,
	  OPT_FIELD(struct inspect_cmd, format),
	  .arg = "FORMAT",
	  .help = "json (in one line), or a Go template" },
	{ .name = "pretty",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct inspect_cmd, pretty),
	  .help = "show it in lines for people" },
	{ .name = "showsecret",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct inspect_cmd, showsecret),
	  .help = "show the secret itself, too" },
};

struct shown {
	char *id, *created_at, *updated_at;
	struct shown_spec {
		char *name;
		struct shown_driver {
			char *name;
		} driver;
		struct json_map labels;
	} spec;
	char *data;
};

#define FIELD(T, member, key, kind) JSON_FIELD(struct T, member, key, kind, .flags = JSON_KEEP)

static const struct json_field driver_fields[] = {
	FIELD(shown_driver, name, "Name", JSON_STR),
};
static const struct json_desc driver_desc = JSON_DESC(struct shown_driver, driver_fields);
static const struct json_field spec_fields[] = {
	FIELD(shown_spec, name, "Name", JSON_STR),
	JSON_FIELD(struct shown_spec, driver, "Driver", JSON_STRUCT, .desc = &driver_desc,
		   .flags = JSON_KEEP),
	FIELD(shown_spec, labels, "Labels", JSON_MAP),
};
static const struct json_desc shown_spec_desc = JSON_DESC(struct shown_spec, spec_fields);
static const struct json_field shown_fields[] = {
	FIELD(shown, id, "ID", JSON_STR),
	FIELD(shown, created_at, "CreatedAt", JSON_STR),
	FIELD(shown, updated_at, "UpdatedAt", JSON_STR),
	JSON_FIELD(struct shown, spec, "Spec", JSON_STRUCT, .desc = &shown_spec_desc,
		   .flags = JSON_KEEP),
	JSON_FIELD(struct shown, data, "SecretData", JSON_STR),
};
static const struct json_desc shown_desc = JSON_DESC(struct shown, shown_fields);

int cli_inspect_secret(struct engine *eng, const char *word, bool data, struct cli_objects *objects,
		       struct err *err)
{
	cleanup_secret struct secret s = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	char created[TIME_RFC3339_MAX], updated[TIME_RFC3339_MAX];
	struct shown shown = { 0 };
	int r = secret_find(eng, word, &s, err);

	if (r == 0 && data)
		r = secret_data(eng, s.id, &text, err);
	if (r == 0 && data && strlen(buf_str(&text)) != text.len)
		r = err_fail(err, ERR_UNSUPPORTED,
			     "secret %s is no text: containers get it as it is, but it can't be "
			     "shown",
			     s.name);
	if (r < 0)
		return r;
	shown = (struct shown){
		.id = s.id,
		.created_at = (char *)time_rfc3339(s.created_ns, created),
		.updated_at = (char *)time_rfc3339(s.updated_ns, updated),
		.spec = { .name = s.name, .driver = { (char *)"file" }, .labels = s.labels },
		.data = data ? (char *)buf_str(&text) : NULL,
	};
	return cli_objects_add(objects, &shown_desc, &shown, err);
}

static const char pretty_lines[] =
    "ID:          {{.ID}}\nName:        {{.Spec.Name}}\n"
    "{{if .Spec.Labels}}Labels:\n{{range $key, $value := .Spec.Labels}} - {{$key}}={{$value}}\n"
    "{{end}}{{end}}Driver:      {{.Spec.Driver.Name}}\nCreated at:  {{.CreatedAt}}\n"
    "Updated at:  {{.UpdatedAt}}";

static int add(struct engine *eng, const char *word, const void *data, struct cli_objects *objects,
	       struct err *err)
{
	return cli_inspect_secret(eng, word, *(const bool *)data, objects, err);
}

static int run_inspect(const void *globals, void *options, char **args, struct err *err)
{
	const struct inspect_cmd *o = options;
	cleanup_cli_objects struct cli_objects *objects = NULL;
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r;

	if (o->pretty && o->format)
		return err_fail(err, ERR_USAGE, "--format is incompatible with --pretty");
	r = cli_objects_new(o->pretty ? pretty_lines : o->format, &objects, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	return r < 0 ? r : cli_objects_of(objects, &eng, args, add, &o->showsecret, 1, err);
}

const struct cmd cmd_secret_inspect = {
	.name = "inspect",
	.args = "[OPTIONS] SECRET [SECRET...]",
	.summary = "Show what is known of secrets, but not what they are",
	.opts = inspect_opts,
	.n_opts = ARRAY_SIZE(inspect_opts),
	.opts_size = sizeof(struct inspect_cmd),
	.min_args = 1,
	.max_args = -1,
	.run = run_inspect,
};

/* ---- rm, exists ---- */

static int remove_one(struct engine *eng, const char *word, bool force, struct err *err)
{
	cleanup_secret struct secret s = { 0 };
	int r = secret_find(eng, word, &s, err);

	if (r < 0)
		return force && err->kind == ERR_NOT_FOUND ? 0 : r;
	r = secret_remove(eng, s.id, err);
	if (r == 0)
		printf("%s\n", s.id);
	return r;
}

static int list_all(struct engine *eng, char ***ret, struct err *err)
{
	cleanup_secret_list struct secret_list list = { 0 };
	int r = secret_list(eng, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++)
		strv_add(ret, list.items[i].id);
	return r;
}

static int run_rm(const void *globals, void *options, char **args, struct err *err)
{
	return cli_rm(globals, options, args, list_all, remove_one, err);
}

const struct cmd cmd_secret_rm = {
	.name = "rm",
	.args = "[OPTIONS] SECRET [SECRET...]",
	.summary = "Remove secrets",
	.details = "Containers that were created with one keep it.",
	.opts = cli_rm_opts,
	.n_opts = ARRAY_SIZE(cli_rm_opts),
	.opts_size = sizeof(struct cli_rm),
	.max_args = -1,
	.run = run_rm,
};

static int run_exists(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_secret struct secret s = { 0 };
	int r = cli_engine(globals, &eng, err);

	return cli_exists(r < 0 ? r : secret_find(&eng, args[0], &s, err), err);
}

const struct cmd cmd_secret_exists = {
	.name = "exists",
	.args = "SECRET",
	.summary = "Tell by the exit status whether there is a secret",
	.details = "Exit status: 0, it is there; 1, it is not; 125, inro failed.",
	.opts_size = 1,
	.min_args = 1,
	.max_args = 1,
	.run = run_exists,
};

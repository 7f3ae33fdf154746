/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/config.h"

#include "base/str.h"
#include "base/table.h"
#include "cli/cli.h"

struct config_options {
	bool json, example, man;
};

static const struct opt opts[] = {
	{ .name = "json",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct config_options, json),
	  .help = "as a JSON array of objects with Name, Value, File and Line" },
	{ .name = "example",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct config_options, example),
	  .help = "show a file with all settings and what they mean, everything commented out" },
	{ .name = "man",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct config_options, man),
	  .help = "show the list of settings for the manual page",
	  .flags = OPT_HIDDEN },
};

static void add_json(const struct config_value *v, bool first, struct buf *out)
{
	buf_adds(out, first ? "{\"Name\":" : ",\n{\"Name\":");
	json_write_string(out, v->name);
	buf_adds(out, ",\"Value\":");
	json_write_string(out, v->text);
	if (v->file) {
		buf_adds(out, ",\"File\":");
		json_write_string(out, v->file);
		buf_addf(out, ",\"Line\":%zu", v->line);
	}
	buf_addc(out, '}');
}

static void list_json(const struct config *config, struct buf *out)
{
	buf_addc(out, '[');
	for (size_t i = 0; i < config->values.n; i++)
		add_json(&config->values.items[i], i == 0, out);
	buf_adds(out, "]\n");
}

static void list_table(const struct config *config, struct buf *out)
{
	static const char *const headers[] = { "SETTING", "VALUE", "SET BY" };
	struct table *table = table_new(headers, ARRAY_SIZE(headers));

	for (size_t i = 0; i < config->values.n; i++) {
		const struct config_value *v = &config->values.items[i];
		cleanup_free char *origin =
		    v->file ? xasprintf("%s:%zu", v->file, v->line) : xstrdup("default");
		const char *const cells[] = { v->name, *v->text ? v->text : "-", origin };

		table_row(table, cells);
	}
	table_write(table, true, out);
	table_free(table);
}

static int get(const struct config *config, const char *name, struct buf *out, struct err *err)
{
	int r = config_check_name(name, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < config->values.n; i++) {
		const struct config_value *v = &config->values.items[i];

		if (str_eq(v->name, name))
			buf_addf(out, "%s\n", v->text);
	}
	return 0;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct config_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	const struct config *config;
	int r;

	if (args[0] && (!str_eq(args[0], "get") || !args[1]))
		return err_fail(err, ERR_USAGE, "expected \"config\" or \"config get SETTING\"");
	if (o->man || o->example) {
		(o->man ? config_write_man : config_write_example)(&out);
		return cli_print(&out, err);
	}
	r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = config_get(&eng, &config, err);
	if (r < 0)
		return r;
	if (args[0])
		r = get(config, args[1], &out, err);
	else if (o->json)
		list_json(config, &out);
	else
		list_table(config, &out);
	return r < 0 ? r : cli_print(&out, err);
}

const struct cmd cmd_config = {
	.name = "config",
	.args = "[OPTIONS] [get SETTING]",
	.summary = "Show what is set, and in which file",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct config_options),
	.max_args = 2,
	.run = run,
};

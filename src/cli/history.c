/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/str.h"
#include "base/timeutil.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "cli/transfer.h"
#include "engine/image_inspect.h"
#include "engine/lists.h"

#define CREATED_BY_MAX 45

struct history_options {
	bool exact, quiet, no_trunc; /* exact: --human=false */
	char *format, *platform;
};

static int parse_human(void *field, const char *value, struct err *err)
{
	bool *exact = field, human = true;

	if (value[0] && str_parse_bool(value, &human) < 0)
		return err_fail(err, ERR_USAGE, "expected true or false");
	*exact = !human;
	return 0;
}

static const struct opt opts[] = {
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct history_options, format),
	  .arg = "FORMAT",
	  .help = CLI_FORMAT_HELP },
	{ .name = "human",
	  .short_name = 'H',
	  .kind = OPT_FN,
	  OPT_FIELD(struct history_options, exact),
	  .arg = "BOOL",
	  .parse = parse_human,
	  .flags = OPT_OPTIONAL_ARG,
	  .help = "sizes and times for people, which is the default; false: bytes and dates" },
	{ .name = "no-trunc",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct history_options, no_trunc),
	  .help = "do not shorten ids and commands" },
	CLI_PLATFORM_OPT(struct history_options, platform,
			 "of a list, the image for this platform; another image must be for it"),
	{ .name = "quiet",
	  .short_name = 'q',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct history_options, quiet),
	  .help = "show ids only" },
};

struct row {
	const struct image_step *step;
	bool whole, exact;
};
#define ROW(r) ((const struct row *)(r))

static char *row_id(const void *r)
{
	const char *id = ROW(r)->step->id;

	return id ? cli_short_id(id, ROW(r)->whole) : xstrdup("<missing>");
}
static char *row_time(const void *r)
{
	char text[TIME_RFC3339_MAX];
	int64_t ns = ROW(r)->step->created_ns;

	return ns ? xasprintf("%.19sZ", time_rfc3339(ns, text)) : xstrdup("");
}
static char *row_since(const void *r)
{
	return ROW(r)->exact ? row_time(r) : cli_ago(ROW(r)->step->created_ns);
}
static char *row_by(const void *r)
{
	cleanup_free char *line = xstrdup(ROW(r)->step->created_by);
	size_t end = CREATED_BY_MAX - 1;

	for (char *c = line; *c; c++)
		*c = *c == '\t' || *c == '\n' ? ' ' : *c;
	if (ROW(r)->whole || strlen(line) <= CREATED_BY_MAX)
		return take_ptr(line);
	while (end && ((unsigned char)line[end] & 0xc0) == 0x80)
		end--; /* not in the middle of a character */
	line[end] = '\0';
	return xasprintf("%s…", line);
}
static char *row_size(const void *r)
{
	uint64_t size = ROW(r)->step->size;

	return ROW(r)->exact ? xasprintf("%" PRIu64, size) : cli_size(size);
}
static char *row_comment(const void *r)
{
	return xstrdup(ROW(r)->step->comment);
}

static const struct cli_field fields[] = {
	{ "Comment", "COMMENT", row_comment, 0 },
	{ "CreatedAt", "CREATED AT", row_time, 0 },
	{ "CreatedBy", "CREATED BY", row_by, 0 },
	{ "CreatedSince", "CREATED", row_since, 0 },
	{ "ID", "IMAGE", row_id, 0 },
	{ "Size", "SIZE", row_size, 0 },
	{ "Created", "CREATED", row_since, CLI_ALIAS },
	{ "Id", "IMAGE", row_id, CLI_ALIAS },
};
static const struct cli_table table = { fields, ARRAY_SIZE(fields),
					"ID CreatedSince CreatedBy Size Comment" };

static const struct cli_table table_exact = { fields, ARRAY_SIZE(fields),
					      "ID CreatedAt CreatedBy Size Comment" };

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct history_options *o = options;
	cleanup_image_steps struct image_steps steps = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_cli_list struct cli_list *list = NULL;
	cleanup_buf struct buf ids = BUF_INIT;
	cleanup_free char *word = NULL;
	int r;

	r = cli_list_new(o->exact ? &table_exact : &table, o->format, true, &list, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = images_for_platform(&eng, args[0], o->platform, &word, err);
	if (r == 0)
		r = image_history(&eng, word, &steps, err);
	for (size_t i = 0; r == 0 && i < steps.n; i++) {
		const struct row row = { &steps.items[i], o->no_trunc, o->exact };

		if (o->quiet) {
			cleanup_free char *id = row_id(&row);

			buf_addf(&ids, "%s\n", id);
		} else {
			r = cli_list_row(list, &row, err);
		}
	}
	if (r < 0)
		return r;
	return o->quiet ? cli_print(&ids, err) : cli_list_print(list, err);
}

const struct cmd cmd_history = {
	.name = "history",
	.args = "[OPTIONS] IMAGE",
	.summary = "Show how an image was made",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct history_options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/select.h"
#include "engine/diff.h"

struct diff_options {
	char *format;
	struct select_options select;
};

static const char *const formats[] = { "json", NULL };

static const struct opt opts[] = {
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct diff_options, format),
	  .arg = "FORMAT",
	  .help = "an object with the lists \"changed\", \"added\" and \"deleted\"",
	  .choices = formats },
	SELECT_LATEST(struct diff_options),
};

static void write_lines(const struct change_list *list, struct buf *out)
{
	for (size_t i = 0; i < list->n; i++) {
		cleanup_free char *shown = str_escape(list->items[i].path);
		buf_addf(out, "%c %s\n", list->items[i].kind, shown);
	}
}

/* As podman: a list that would be empty is left out. */
static void write_json(const struct change_list *list, struct buf *out)
{
	static const struct {
		char kind;
		const char *name;
	} kinds[] = { { 'C', "changed" }, { 'A', "added" }, { 'D', "deleted" } };
	bool any = false;

	buf_addc(out, '{');
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		size_t n = 0;
		for (size_t i = 0; i < list->n; i++) {
			if (list->items[i].kind != kinds[k].kind)
				continue;
			if (!n++)
				buf_addf(out, "%s\"%s\":[", any ? "," : "", kinds[k].name);
			else
				buf_addc(out, ',');
			json_write_string(out, list->items[i].path);
		}
		if (n)
			buf_addc(out, ']');
		any = any || n;
	}
	buf_adds(out, "}\n");
}

static int print(const struct diff_options *o, struct change_list *list, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;

	if (o->format)
		write_json(list, &out);
	else
		write_lines(list, &out);
	change_list_done(list);
	return cli_print(&out, err);
}

/* podman has a second one. */
static int check_args(char **args, struct err *err)
{
	return args[0] && args[1]
		   ? err_fail(err, ERR_UNSUPPORTED,
			      "two are not compared: what is shown is what %s changes in what it "
			      "was made of",
			      args[0])
		   : 0;
}

/* Containers are asked for first, as podman does. */
static int diff_any(struct engine *eng, const char *word, struct change_list *ret, struct err *err)
{
	struct err own = ERR_INIT;
	int r = container_diff(eng, word, ret, err);

	if (r >= 0 || err->kind != ERR_NOT_FOUND)
		return r;
	int found = image_diff(eng, word, ret, &own);
	if (found < 0 && own.kind == ERR_NOT_FOUND)
		return r;
	if (found < 0)
		*err = own;
	return found;
}

static int run_image(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	struct change_list list = { .text = BUF_INIT };
	int r = check_args(args, err);

	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = image_diff(&eng, args[0], &list, err);
	return r < 0 ? r : print(options, &list, err);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct diff_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	struct change_list list = { .text = BUF_INIT };
	cleanup_free char *latest = NULL;

	if (o->select.latest == (args[0] != NULL))
		return err_fail(err, ERR_USAGE, "give a container, or --latest");
	int r = check_args(args, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0 && o->select.latest)
		r = cli_latest(&eng, &latest, err);
	if (r == 0)
		r = latest ? container_diff(&eng, latest, &list, err)
			   : diff_any(&eng, args[0], &list, err);
	return r < 0 ? r : print(o, &list, err);
}

#define DIFF_DETAILS                                                                               \
	"A for what is new, C for what is changed, in its content or in what is known of it, D "   \
	"for what is deleted."

const struct cmd cmd_diff = {
	.name = "diff",
	.args = "[OPTIONS] [CONTAINER|IMAGE]",
	.summary = "Show what a container has changed in its image's files",
	.details = DIFF_DETAILS " Of an image: what its topmost layer changes in those below.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct diff_options),
	.max_args = 2,
	.run = run,
};

const struct cmd cmd_image_diff = {
	.name = "diff",
	.args = "[OPTIONS] IMAGE",
	.summary = "Show what an image's topmost layer changes in those below",
	.details = DIFF_DETAILS,
	.opts = opts,
	.n_opts = 1, /* there is no latest image */
	.opts_size = sizeof(struct diff_options),
	.min_args = 1,
	.max_args = 2,
	.run = run_image,
};

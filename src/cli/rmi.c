/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strv.h"
#include "cli/cli.h"
#include "engine/images_query.h"

struct rmi_options {
	bool all, force, ignore, no_prune;
};

static const struct opt opts[] = {
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct rmi_options, all),
	  .help =
	      "remove all images that no container has; with --force the names of others, too" },
	{ .name = "force",
	  .short_name = 'f',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct rmi_options, force),
	  .help = "remove names of images that have containers, and all names of an id" },
	{ .name = "ignore",
	  .short_name = 'i',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct rmi_options, ignore),
	  .help = "take what is not there for removed" },
	{ .name = "no-prune",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct rmi_options, no_prune),
	  .help = "has no effect, as no image is another's parent; for the sake of scripts" },
	OPT_REFUSE("platform", "an image is for one platform; `inro manifest remove` takes one out "
			       "of a list"),
};

static int print_lines(char *const *lines, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;

	for (size_t i = 0; lines && lines[i]; i++)
		buf_addf(&out, "%s\n", lines[i]);
	return cli_print(&out, err);
}

static int remove_one(struct engine *eng, const char *word, bool force, struct err *err)
{
	cleanup_strv char **lines = NULL;
	int r = images_remove(eng, word, force, &lines, err);

	return r < 0 ? r : print_lines(lines, err);
}

static int remove_if_there(struct engine *eng, const char *word, bool force, struct err *err)
{
	struct err own = ERR_INIT;
	int r = remove_one(eng, word, force, &own);

	if (r < 0 && own.kind == ERR_NOT_FOUND)
		return 0;
	if (r < 0 && err)
		*err = own;
	return r;
}

/* One that can't be removed does not keep the others. */
static int remove_all(const void *globals, bool force, struct err *err)
{
	const struct images_query query = { .ids_only = true };
	cleanup_image_rows struct image_rows rows = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	int status = 0;

	int r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = images_query(&eng, &query, &rows, err);
	for (size_t i = 0; r == 0 && i < rows.n; i++) {
		cleanup_strv char **lines = NULL;
		struct err one = ERR_INIT;

		int removed = images_remove_whole(&eng, rows.items[i].id, force, &lines, &one);
		if (removed == 0)
			r = print_lines(lines, err);
		if (removed == 0 || one.kind == ERR_NOT_FOUND)
			continue;
		cli_report(&one);
		status = 1;
	}
	uint64_t freed;
	if (r == 0 && rows.n)
		r = images_collect(&eng, &freed, err);
	return r < 0 ? r : status;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct rmi_options *o = options;

	if (o->all == (args[0] != NULL))
		return err_fail(err, ERR_USAGE, "give images, or --all");
	if (o->all)
		return remove_all(globals, o->force, err);
	return cli_each(globals, args, o->force, o->ignore ? remove_if_there : remove_one, err);
}

const struct cmd cmd_rmi = {
	.name = "rmi",
	.args = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Remove images",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct rmi_options),
	.max_args = -1,
	.run = run,
};

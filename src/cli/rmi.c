/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strv.h"
#include "cli/cli.h"
#include "engine/images.h"

struct rmi_options {
	bool force;
};

static const struct opt opts[] = {
	{ .name = "force",
	  .short_name = 'f',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct rmi_options, force),
	  .help = "remove names of images that have containers, and all names of an id" },
};

static int remove_one(struct engine *eng, const char *word, bool force, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_strv char **lines = NULL;
	int r = images_remove(eng, word, force, &lines, err);

	for (size_t i = 0; r == 0 && lines && lines[i]; i++)
		buf_addf(&out, "%s\n", lines[i]);
	return r == 0 ? cli_print(&out, err) : r;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct rmi_options *o = options;

	return cli_each(globals, args, o->force, remove_one, err);
}

const struct cmd cmd_rmi = {
	.name = "rmi",
	.args = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Remove images",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct rmi_options),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};

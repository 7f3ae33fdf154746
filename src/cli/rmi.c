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

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct rmi_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	int i, r, status = 0;

	r = cli_engine(globals, &eng, err);
	if (r < 0)
		return r;
	for (i = 0; args[i]; i++) {
		cleanup_buf struct buf out = BUF_INIT;
		cleanup_strv char **lines = NULL;
		struct err one = ERR_INIT;
		size_t k;

		r = images_remove(&eng, args[i], o->force, &lines, &one);
		for (k = 0; r == 0 && lines && lines[k]; k++)
			buf_addf(&out, "%s\n", lines[k]);
		if (r == 0)
			r = cli_print(&out, &one);
		if (r == 0)
			continue;
		cli_report(&one);
		if (!o->force || one.kind != ERR_NOT_FOUND)
			status = 1;
	}
	return status;
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
